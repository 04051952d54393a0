"""`responder notice send`: what it shows, what it asks, how it ends."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from cases.email import Mailbox, a_mailbox
from cli_bench import advanced, agreed, as_person, begun, document, typed
from test_sending import WORD, connected, described

from responder.cli import outputs
from responder.testing.loopback import Trouble

SEND = ["word", "--to", "partner@out.example", "-f", "what=the key", "--role", "comms"]

LEFT_ALONE = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
"""A background process outlives the command that began it, as it should."""


@pytest.fixture
def mailbox(place: Path) -> Iterator[Mailbox]:
    (place / "templates").mkdir()
    (place / "templates" / "word.md.j2").write_text(WORD)
    with a_mailbox() as box:
        (place / "password").write_text(str(box.secret))
        connected(place, "mail", described(box, place / "password"))
        yield box


@pytest.fixture
def _installed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let background processes find the provider of these tests, as they find an outsider's."""
    known = place / "site" / "clockwork-1.dist-info"
    known.mkdir(parents=True)
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: clockwork\nVersion: 1\n")
    (known / "entry_points.txt").write_text("[responder.providers]\nclockwork = clockwork:PROVIDER\n")
    folders = [known.parent, Path(__file__).parents[1], os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))


@pytest.fixture
def run(place: Path, mailbox: Mailbox) -> str:
    """A response that has contained its credential; its mail can be sent."""
    run = begun(place)
    advanced(place, run)
    agreed(place, run, "kill")
    assert typed(place, "resume", run).exit_code == 0
    assert mailbox.server.taken == []
    return run


def answering(place: Path, answer: str) -> threading.Thread:
    """Answer, as Cora at another terminal, as soon as the notice asks."""

    def wait() -> None:
        app = as_person(place, "cora")
        for _ in range(400):
            asks = [(row.run, ask) for row in app.runs() for ask in app.state(row.run).asks()]
            for run, ask in asks:
                if answer == "approve":
                    app.approve(run, ask.unit)
                else:
                    app.decline(run, ask.unit, "not like this")
            if asks:
                break
            time.sleep(0.02)
        app.close()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def check(name: str, data: object) -> None:
    schema = json.loads((outputs.FOLDER / f"{name}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(data)


def test_it_shows_the_text_waits_for_somebody_else_and_sends(place: Path, run: str, mailbox: Mailbox) -> None:
    thread = answering(place, "approve")

    result = typed(place, "notice", "send", run, *SEND)
    thread.join()

    assert result.exit_code == 0
    shown = result.stderr.index("It is about the key.")
    assert result.stderr.index("To: partner@out.example") < shown < result.stderr.index("comms approves it, within 1h")
    assert "ann wants to send a notice: word" in result.stderr
    assert "ended, done" in result.stdout
    assert "CONTAINED" not in result.output
    assert len(mailbox.server.taken) == 1


def test_declined_it_is_not_sent_and_ends_with_1(place: Path, run: str, mailbox: Mailbox) -> None:
    thread = answering(place, "decline")

    result = typed(place, "notice", "send", run, *SEND)
    thread.join()

    assert result.exit_code == 1
    assert "ended, NOT SENT" in result.stdout
    assert mailbox.server.taken == []


def test_everything_that_is_missing_is_said_with_2_and_nothing_is_written(place: Path, run: str) -> None:
    before = typed(place, "timeline", run, "--every").stdout

    result = typed(place, "notice", "send", run, "word", "--to", "nobody", "-f", "wat=x")

    assert result.exit_code == 2
    for told in ("nobody is called 'nobody'", "nobody is named to approve it", "what: is missing", "wat: the template"):
        assert told in result.stderr
    assert before == typed(place, "timeline", run, "--every").stdout


@LEFT_ALONE
@pytest.mark.usefixtures("_installed")
def test_detached_it_waits_with_7_and_is_sent_when_it_was_approved(place: Path, run: str, mailbox: Mailbox) -> None:
    incident = as_person(place, "ann").row(run).incident

    result = typed(place, "--json", "notice", "send", incident, *SEND, "--within", "30m", "--detach")

    assert result.exit_code == 7
    check("run-detach", document(result))
    notice = document(result)["run"]
    assert notice != run
    answering(place, "approve").join()
    watched = typed(place, "--json", "watch", notice)
    check("run", document(watched))
    assert (watched.exit_code, document(watched)["purpose"], document(watched)["contained"]) == (0, "notice", False)
    assert len(mailbox.server.taken) == 1


@LEFT_ALONE
@pytest.mark.usefixtures("_installed")
def test_while_it_waits_status_tells_it_from_the_response(place: Path, run: str, mailbox: Mailbox) -> None:
    app = as_person(place, "ann")
    incident = app.row(run).incident
    detached = document(typed(place, "--json", "notice", "send", run, *SEND, "--within", "1s", "--detach"))["run"]

    seen = document(typed(place, "--json", "status", "--all"))

    check("status", seen)
    assert [(run, "response"), (detached, "notice")] == [(one["run"], one["purpose"]) for one in seen["incidents"]]
    assert document(typed(place, "--json", "status", incident))["incidents"][0]["run"] == run
    typed(place, "watch", detached)
    assert mailbox.server.taken == []


def test_a_live_check_and_the_review_are_about_the_response(place: Path, run: str, mailbox: Mailbox) -> None:
    thread = answering(place, "approve")
    typed(place, "notice", "send", run, *SEND)
    thread.join()
    incident = as_person(place, "ann").row(run).incident

    live = typed(place, "--json", "verify", incident, "--live")
    review = typed(place, "postmortem", incident)
    page = typed(place, "postmortem", incident, "--html")

    assert live.exit_code == 0
    assert [run] == [one["run"] for one in document(live)["live"]]
    assert "asked for the notice word" in review.stdout
    assert "does not count as contained" not in review.stdout
    assert "not contained" not in page.stdout
    assert "word" in page.stdout
    assert len(mailbox.server.taken) == 1


def test_a_server_that_is_down_leaves_it_to_be_tried_again(place: Path, run: str, mailbox: Mailbox) -> None:
    mailbox.misbehave(Trouble.DENIED)

    result = typed(place, "notice", "send", run, *SEND)

    assert result.exit_code == 4
    assert "retry" in result.stdout
    mailbox.misbehave(Trouble.NONE)
    notice = as_person(place, "ann").runs()[-1].run
    thread = answering(place, "approve")
    typed(place, "retry", notice, "word")
    assert typed(place, "resume", notice).exit_code == 0
    thread.join()
    assert len(mailbox.server.taken) == 1


@pytest.mark.parametrize("within", ["soon", "0s"])
def test_a_time_that_is_none_is_refused(place: Path, run: str, within: str) -> None:
    result = typed(place, "notice", "send", run, *SEND, "--within", within)

    assert result.exit_code == 2
    assert "--within" in result.stderr


def test_what_nobody_knows_yet_is_said_so(place: Path, run: str) -> None:
    result = typed(
        place, "notice", "preview", "word", "--run", run, "-f", "what=the key",
        "-f", "extra=unknown(nobody has looked, 2099-01-01T00:00Z)",
    )  # fmt: skip

    assert result.exit_code == 0
    assert "not known yet (nobody has looked; next update by 2099-01-01 00:00 UTC)" in result.stdout
