"""The key: made whole or not at all, once for all who start together, and read by nobody else."""

import base64
import os
import stat
import threading
from pathlib import Path

import pytest

from responder.errors import RecordError, SettingsError
from responder.redaction import Redactor
from responder.sealing import Sealer, load_master_key

KEY = base64.b64encode(b"k" * 32).decode()


def test_a_key_is_made_once_for_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sealing.key"

    made = load_master_key(path, {}, create=True)

    assert 32 == len(made)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert made == load_master_key(path, {}, create=True) == load_master_key(path, {}, create=False)
    assert [path] == list(path.parent.iterdir())


def test_a_key_is_still_there_after_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may keep what was sealed with it by then: its name is on disk before it is used, its folders' too."""
    synced: list[Path] = []
    path, sync = tmp_path / "made" / "deep" / "sealing.key", os.fsync

    def told(number: int) -> None:
        sync(number)
        synced.append(Path(f"/proc/self/fd/{number}").resolve() if path.exists() else Path("draft"))

    monkeypatch.setattr("responder.sealing.os.fsync", told)
    load_master_key(path, {}, create=True)

    assert Path("draft") == synced[0]
    assert {path.parent, path.parent.parent, tmp_path} <= set(synced)


def test_all_who_start_together_have_the_same_key(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / f"key-{number}"
        barrier = threading.Barrier(6)
        keys: list[bytes | Exception] = []

        def start(
            path: Path = path, barrier: threading.Barrier = barrier, keys: list[bytes | Exception] = keys
        ) -> None:
            barrier.wait()
            try:
                keys.append(load_master_key(path, {}, create=True))
            except SettingsError as error:
                keys.append(error)

        threads = [threading.Thread(target=start) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 6 == len(keys)
        assert 1 == len(set(keys)), keys


def test_a_key_is_never_seen_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed while making a key leaves none that the next would stumble over."""
    path = tmp_path / "sealing.key"

    def killed(number: int) -> None:
        raise SystemExit

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(SystemExit):
        load_master_key(path, {}, create=True)
    monkeypatch.undo()

    assert 32 == len(load_master_key(path, {}, create=True))


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        pytest.param("", 0o600, "is not 32 bytes", id="empty"),
        pytest.param("nothing", 0o600, "is not 32 bytes", id="no base64"),
        pytest.param(KEY[:-8], 0o600, "is not 32 bytes", id="too short"),
        pytest.param("ü" * 44, 0o600, "is not 32 bytes", id="other letters"),
        pytest.param(KEY, 0o640, "Others may read", id="readable by the group"),
        pytest.param(KEY, 0o604, "Others may read", id="readable by all"),
    ],
)
def test_a_key_that_is_wrong_is_refused_and_not_shown(tmp_path: Path, text: str, mode: int, said: str) -> None:
    path = tmp_path / "sealing.key"
    path.write_text(text)
    path.chmod(mode)

    with pytest.raises(SettingsError, match=said) as caught:
        load_master_key(path, {}, create=True)

    assert not text or text not in str(caught.value)


def test_without_a_key_an_existing_store_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no sealing key for this store"):
        load_master_key(tmp_path / "sealing.key", {}, create=False)


def test_a_key_of_the_moment_stands_in_for_a_file_that_is_missing_and_for_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "sealing.key"

    one, other = (load_master_key(path, {}, create=False, momentary=True) for _ in range(2))

    assert 32 == len(one) == len(other)
    assert one != other
    assert [] == list(tmp_path.iterdir())
    path.write_text(KEY)
    path.chmod(0o600)
    assert b"k" * 32 == load_master_key(path, {}, create=False, momentary=True)
    assert b"k" * 32 == load_master_key(tmp_path / "none", {"RESPONDER_SEALING_KEY": KEY}, create=False, momentary=True)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="Others may read"):
        load_master_key(path, {}, create=False, momentary=True)


def test_a_place_where_no_key_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RecordError, match="cannot be read or made"):
        load_master_key(tmp_path / "file" / "sealing.key", {}, create=True)


def test_the_environment_comes_first(tmp_path: Path) -> None:
    assert b"k" * 32 == load_master_key(tmp_path / "none", {"RESPONDER_SEALING_KEY": KEY + "\n"}, create=False)
    with pytest.raises(SettingsError, match="is not 32 bytes"):
        load_master_key(tmp_path / "none", {"RESPONDER_SEALING_KEY": ""}, create=True)


def test_one_key_for_each_purpose() -> None:
    sealer = Sealer(b"k" * 32, Redactor())

    assert sealer.sign(b"x") != Sealer(b"l" * 32, Redactor()).sign(b"x")
    assert sealer.sign(b"x") == sealer.sign(b"x")
    assert not sealer.fingerprint("x").endswith(sealer.sign(b"x")[:16])


@pytest.mark.parametrize("part", ["wrapped_key", "ciphertext"])
def test_a_flipped_bit_does_not_open(part: str) -> None:
    sealer = Sealer(b"k" * 32, Redactor())
    sealed = sealer.seal_bytes(b"evidence", "b")
    broken = {"wrapped_key": sealed.wrapped_key, "ciphertext": sealed.ciphertext}
    broken[part] = bytes([broken[part][0] ^ 1]) + broken[part][1:]

    with pytest.raises(RecordError, match="does not open"):
        sealer.unseal_bytes(type(sealed)(**broken), "b")


def test_the_same_value_is_never_sealed_the_same_way() -> None:
    sealer = Sealer(b"k" * 32, Redactor())

    assert sealer.seal_bytes(b"x", "b").ciphertext != sealer.seal_bytes(b"x", "b").ciphertext
