"""Secrets in a keyring: found by name, never anywhere else, and one clear error where they are not there."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from filering import FileRing
from keyring.backends import fail

from responder.errors import SettingsError
from responder.keychain import read_entry
from responder.redaction import Redactor, forms_of
from responder.sealing import Sealer, load_master_key
from responder.settings import open_secret

KEY = b"k" * 32
CANARIES = {"leaked": "leaked-" + "q7Zp" * 6, "ours": "ours-" + "t5Gb" * 7, "sealing": base64.b64encode(KEY).decode()}


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Path]:
    """The file of a keyring that this process uses, as any that is installed."""
    path = tmp_path / "ring.json"
    ring = FileRing(path)
    keyring.set_keyring(ring)
    for name, value in CANARIES.items():
        ring.set_password("responder", name, value)
    yield path
    keyring.set_keyring(fail.Keyring())


def test_an_entry_is_read_by_its_name(ring: Path) -> None:
    assert CANARIES["ours"] == read_entry("ours")
    assert CANARIES["ours"] == open_secret("keyring:ours", Sealer(KEY, Redactor()), {}).reveal()
    assert ring.exists()


def test_a_missing_entry_says_how_it_is_made(ring: Path) -> None:
    with pytest.raises(SettingsError, match="no entry 'nope'") as caught:
        open_secret("keyring:nope", Sealer(KEY, Redactor()), {})

    assert ("keyring:nope", "`keyring set responder nope` makes one") == (
        caught.value.problems[0].where,
        caught.value.problems[0].remedy,
    )
    assert ring.exists()


def test_a_keyring_that_is_locked_says_so_and_quotes_nothing(ring: Path) -> None:
    ring.write_text(json.dumps({**json.loads(ring.read_text()), "locked": True}))

    with pytest.raises(SettingsError, match="KeyringLocked") as caught:
        read_entry("ours")

    assert CANARIES["ours"] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text("raise ImportError('not here')\n")
    code = "from responder.keychain import read_entry\nread_entry('x')"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "the library `keyring` is not installed" in done.stderr
    assert "pip install 'responder[keyring]'" in done.stderr


def test_nothing_of_the_library_is_imported_where_nothing_is_in_a_keyring() -> None:
    code = "import sys, responder.app, responder.cli.given\nassert 'keyring' not in sys.modules"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


# The sealing key ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        pytest.param({}, "keyring:sealing", id="named in responder.yaml"),
        pytest.param({"RESPONDER_SEALING_KEY": "keyring:sealing"}, "", id="named in the environment"),
        pytest.param({"RESPONDER_SEALING_KEY": "keyring:sealing"}, "keyring:nope", id="the environment comes first"),
        pytest.param({"RESPONDER_SEALING_KEY": CANARIES["sealing"]}, "keyring:nope", id="the environment holds it"),
    ],
)
def test_the_sealing_key_comes_from_a_keyring(
    ring: Path, tmp_path: Path, environment: dict[str, str], named: str
) -> None:
    assert KEY == load_master_key(tmp_path / "sealing.key", environment, create=True, named=named)
    assert not (tmp_path / "sealing.key").exists()
    assert ring.exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("nope", "openssl rand -base64 32 | keyring set responder nope", id="missing"),
        pytest.param("ours", "is not 32 bytes in base64", id="malformed"),
    ],
)
def test_a_sealing_key_that_is_none_is_never_made_up(ring: Path, tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_master_key(tmp_path / "sealing.key", {}, create=True, named=f"keyring:{name}")

    assert told in str(caught.value)
    assert CANARIES["ours"] not in str(caught.value)
    assert [ring.name] == [path.name for path in tmp_path.iterdir() if path.is_file()]


# A whole response -----------------------------------------------------------------------------------------------

PLAYBOOK = """\
playbook: p
title: t
version: 1
roles: {commander: {}}
steps:
  - {id: quote, phase: analysis, action: clockwork.leak, with: {how: facts}}
  - {id: fail, phase: analysis, action: clockwork.leak, with: {how: error}, on_error: continue}
  - {id: kill, phase: containment, action: credential.disable}
"""


def test_a_response_with_everything_in_a_keyring_shows_none_of_it(ring: Path, place: Path) -> None:
    (place / "playbooks" / "p.yaml").write_text(PLAYBOOK)
    settings = place / "responder.yaml"
    text = settings.read_text().replace("env:LEAKED", "keyring:leaked")
    text = text.replace("account: acct-1,", "account: acct-1, secret: keyring:ours,")
    settings.write_text(f"{text}sealing_key: keyring:sealing\n")
    known = place / "site" / "clockwork-1.dist-info"
    known.mkdir(parents=True)
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: clockwork\nVersion: 1\n")
    (known / "entry_points.txt").write_text("[responder.providers]\nclockwork = clockwork:PROVIDER\n")
    folders = [str(known.parent), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "responder", "--debug", "--config", str(settings)]
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(folders), "FILERING": str(ring), "HOME": str(place / "home"),
        "PYTHON_KEYRING_BACKEND": "filering.FileRing", "SECOND": "second-" + "w3Xk" * 6,
        "RESPONDER_STORE": str(place / "state" / "r.db"),
    }  # fmt: skip

    calls = [
        subprocess.run([*command, *words], env=environment, capture_output=True, timeout=60, check=False)
        for words in (["run", "p", "--secret-from", "keyring:leaked", "--yes"], ["doctor"], ["status", "--all"])
    ]

    said = b"".join(call.stdout + call.stderr for call in calls)
    assert b"kill: " in said
    assert b"keyring:sealing" in said
    assert ["disabled"] == [
        json.loads(line)["key"].split()[0] for line in (place / "world" / "effects.jsonl").read_text().splitlines()
    ]
    assert not (place / "state" / "sealing.key").exists()
    files = {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file() and path != ring}
    for name, value in CANARIES.items():
        forms = {value, *forms_of(value)}
        found = [
            where for where, data in {**files, "said": said}.items() if any(form.encode() in data for form in forms)
        ]
        assert [] == found, f"{name} is in {found}"
    assert b"r.db" in b" ".join(str(path).encode() for path in files)
