"""Secrets are planted everywhere, and everything goes wrong: no byte of them is in what was written or said."""

import base64
import codecs
import gzip
import logging
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import OpenApp, leaked_value
from test_run import HEAD, written

from responder.app import App
from responder.errors import RequestError
from responder.finding import Exposure, Finding
from responder.redaction import forms_of

SECOND = "second-" + "w3Xk" * 6
OWN = "own'+/&-" + "t5Gb" * 7
CONTROL = "control-" + "y8Nm" * 7
ISSUED = f"new-value-next-{'x' * 20}"
PLANTED = {
    "leaked": leaked_value(),
    "found on the way": SECOND,
    "our own": OWN,
    "the control": CONTROL,
    "issued": ISSUED,
}
STEPS = """
  - {id: look, phase: analysis, action: clockwork.look, with: {key: x, find: "@planted"}, on_error: continue}
  - {id: facts, phase: analysis, action: clockwork.leak, with: {how: facts}}
  - {id: error, phase: analysis, action: clockwork.leak, with: {how: error}, on_error: continue}
  - {id: busy, phase: analysis, action: clockwork.leak, with: {how: busy}, retry: {attempts: 2, first: 0.01s},
     on_error: continue}
  - {id: denied, phase: analysis, action: clockwork.leak, with: {how: denied}, on_error: continue}
  - {id: kill, phase: containment, action: credential.disable, needs: [facts]}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [kill], limit: 5s, on_error: continue}
  - {id: lost, phase: containment, action: clockwork.turn, with: {key: lost}, needs: [kill]}
  - {id: new, phase: review, action: clockwork.issue, with: {label: next}, needs: [kill]}
  - {id: pass-on, phase: review, action: clockwork.leak, with: {how: facts, what: "${{ steps.new.value }}"}}
  - {id: refused, phase: review, action: clockwork.nothing, with: {says: "token=${{ steps.new.value }}"},
     on_error: continue}
  - {id: told, phase: communication, action: human.task, needs: [pass-on],
     with: {role: commander, instructions: "${{ steps.facts.page }}", on_timeout: abort}}
  - {id: agreed, phase: communication, action: clockwork.final, with: {key: f}, needs: [told],
     approval: {role: commander, within: 1h, on_timeout: abort}}
"""


CHILD = """
  - {id: kill, phase: containment, action: credential.disable}
  - {id: dead, phase: containment, action: credential.prove_dead, needs: [kill]}
exit: ["${{ steps.dead.verdict == 'dead' }}"]
"""


def spawn(place: Path, run: str, *kill: str) -> "subprocess.CompletedProcess[bytes]":
    environment = {
        **os.environ,
        "LEAKED": leaked_value(),
        "SECOND": SECOND,
        "OWN": OWN,
        "CONTROL": CONTROL,
        "HOME": str(place),
        "DEBUG": "1",
    }
    script, record = str(Path(__file__).parent / "crashing.py"), str(place / "state" / "r.db")
    command = [sys.executable, script, str(place), record, run, *kill]
    return subprocess.run(
        command,
        env={
            **environment,
            "PYTHONPATH": os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parent.parent))),
        },
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def _with_secrets(place: Path) -> None:
    path = place / "responder.yaml"
    text = path.read_text().replace("account: acct-1,", "account: acct-1, secret: env:OWN, control: env:CONTROL,")
    path.write_text(text)


def answered(app: App, run: str, said: str) -> None:
    """Answer whatever is asked, in words that quote everything."""
    for ask in app.state(run).asks():
        try:
            if ask.kind == "approval":
                app.approve(run, ask.unit)
            elif ask.kind == "task":
                app.done(run, ask.unit, said)
            else:
                app.decide(run, ask.unit, "happened")
        except RequestError:
            continue


@pytest.mark.usefixtures("_with_secrets")
def test_no_secret_is_in_anything_that_was_written_or_said(
    opened: OpenApp, place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN", OWN)
    (place / "world" / "lost-lost").write_text("1")
    (place / "world" / "planted").write_text(SECOND)
    written(place, CHILD, "other", HEAD + "match: [{exposure: public, credential: second}]\n")
    name = written(place, STEPS)
    everything = " | ".join(form for value in PLANTED.values() for form in (value, value.encode().hex()))
    environment = {
        "LEAKED": leaked_value(),
        "SECOND": SECOND,
        "OWN": OWN,
        "CONTROL": CONTROL,
        "HOME": str(place),
    }
    app = opened(debug=True, environment=environment)
    finding = Finding(
        value=app.means.sealer.secret(leaked_value()),
        exposure=Exposure(
            kind="public", url=f"https://x.example/?token={leaked_value()}", place=f"a file {leaked_value()}"
        ),
        summary=f"they said {leaked_value()}",
    )
    run = app.begin(app.library.load(name), finding, {}).run
    outputs: list[bytes] = []

    for kill in (
        ("after-apply", "facts"),
        ("before-apply", "kill"),
        ("after-record", "new"),
        ("after-record", "pass-on"),
        ("after-record", "told"),
    ):
        ended = subprocess_in(place, run, kill, opened, everything, environment=environment)
        outputs += ended
    final = opened("carl", debug=True, environment=environment)
    final.note(run, everything)
    final.set(run, "remark", everything)
    outputs += subprocess_in(place, run, (), opened, everything, environment=environment)

    state = final.state(run)
    assert "ended" == state.state, [
        f"{u.address} {u.status} {u.error[:90]}" for u in state.units.values() if u.status != "done"
    ]
    assert {"failed"} == {state.status(step) for step in ("error", "busy", "denied", "refused")}
    assert "done" == state.status("pass-on")
    assert 2 == len(final.runs())
    said = capfd.readouterr()
    logged = said.err.encode() + b"".join(outputs)
    assert b"asking with" in logged, "debugging was on"
    texts = {
        "said": said.out.encode() + logged,
        "record": "".join(str(entry.document()) for entry in final.timeline(final.row(run).incident)).encode(),
    }
    texts |= {
        str(path.relative_to(place)): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.name != "planted"
    }
    for path in (place / "state").rglob("*"):
        assert all(value not in path.name for value in PLANTED.values())
    found = [f"{what} in {where}" for where, data in texts.items() for what in planted_in(data)]
    assert [] == found


def subprocess_in(
    place: Path, run: str, kill: tuple[str, ...], opened: OpenApp, said: str, *, environment: dict[str, str]
) -> list[bytes]:
    """Drive the run in a process that kills itself there, and answer what it asks meanwhile."""
    ended = threading.Event()
    other = opened("carl", environment=environment)

    def answer() -> None:
        while not ended.wait(0.05):
            answered(other, run, said)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        done = spawn(place, run, *kill)
    finally:
        ended.set()
        thread.join()
    return [done.stdout, done.stderr]


def planted_in(data: bytes) -> Iterator[str]:
    """Yield the name of each planted secret that the bytes hold in any form, packed or unpacked."""
    seen = [data, *unpacked(data)]
    for name, value in PLANTED.items():
        forms = {form for form in forms_of(value) if len(form) > 8}
        forms |= {
            value[::-1],
            codecs.encode(value, "rot13"),
            base64.b32encode(value.encode()).decode().rstrip("="),
        }
        needles = [form.encode() for form in forms] + [value.encode("utf-16-le"), value.encode("utf-16-be")]
        if any(needle in one for needle in needles for one in seen):
            yield name


def unpacked(data: bytes) -> Iterator[bytes]:
    """Yield what a gzip or zlib stream inside the bytes holds."""
    for mark, unpack in ((b"\x1f\x8b", gzip.decompress), (b"x\x9c", zlib.decompress)):
        if data.startswith(mark):
            yield unpack(data)


def test_the_search_would_find_them() -> None:
    for name, value in PLANTED.items():
        for form in (
            value,
            value[::-1],
            base64.b64encode(b"ab" + value.encode()).decode(),
            value.encode().hex(),
        ):
            assert [name] == list(planted_in(f"before {form} after".encode()))
        assert [name] == list(planted_in(gzip.compress(value.encode())))
        assert [name] == list(planted_in(value.encode("utf-16-le")))


def test_a_log_record_and_its_traceback_are_scrubbed(
    opened: OpenApp, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = opened(debug=True)
    secret = app.means.sealer.secret(OWN)

    def fail() -> None:
        raise RuntimeError(f"could not open {secret.reveal()}")

    try:
        fail()
    except RuntimeError:
        logging.getLogger("httpx").exception("HTTP Request: GET https://x.example/?token=%s", secret.reveal())

    said = capfd.readouterr().err
    assert [] == list(planted_in(said.encode()))
    assert 2 <= said.count(str(secret))
