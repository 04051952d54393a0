"""Break-glass: one permitted person approves containment alone. It is recorded, told to everybody, and reviewed."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases.email import MailServer
from cli_bench import advanced, agreed, as_person, begun, document, typed
from guard_bench import assert_refused, effects, playbook, report, settings

from responder.breaking import break_glass
from responder.state import NOTICE, RunState

STEPS = """\
  - id: kill
    phase: containment
    action: credential.disable
    approval: {role: commander, quorum: 2, within: 1h, on_timeout: abort}
  - id: new
    phase: containment
    action: credential.issue
    with: {label: svc}
    approval: {role: commander, within: 1h, on_timeout: abort}
  - id: end
    phase: eradication
    action: credential.disable
    needs: [kill]
    approval: {role: commander, within: 1h, on_timeout: abort}
  - id: say
    phase: containment
    action: clockwork.say
    with: {key: said}
    approval: {role: commander, within: 1h, on_timeout: abort}
"""


@pytest.fixture
def mail(place: Path) -> Iterator[MailServer]:
    server = MailServer()
    thread = threading.Thread(target=server.server.serve_forever, daemon=True)
    thread.start()
    port = server.server.server_address[1]
    account = f"provider: email, account: 127.0.0.1, host: 127.0.0.1, port: {port}"
    line = f"  mail: {{{account}, sender: ir@lumen.example, tls: none}}\n"
    settings(place, "inventory:\n", line + "break_glass: [ann]\ninventory:\n")
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def run(place: Path, mail: MailServer) -> str:
    playbook(place, STEPS)
    run = begun(place, "g")
    advanced(place, run)
    return run


def state(place: Path, run: str) -> RunState:
    app = as_person(place, "ann")
    found = app.state(run)
    app.close()
    return found


def test_a_permitted_person_contains_alone_and_everybody_is_told(place: Path, mail: MailServer, run: str) -> None:
    result = typed(place, "approve", run, "kill", "--break-glass", "nobody answers")
    advanced(place, run)

    assert 0 == result.exit_code, result.output
    assert "done" == state(place, run).status("kill")
    told = "\n".join(mail.taken)
    assert [] == [name for name in ("ann", "carl", "cora", "hal") if f"To: {name}@lumen.example" not in told]
    assert "nobody answers" in told


def test_it_is_on_the_record_and_in_the_review(place: Path, run: str) -> None:
    typed(place, "approve", run, "kill", "--break-glass", "nobody answers")

    [broken] = state(place, run).standing.broken
    review = typed(place, "postmortem", run).stdout

    assert ("kill", "ann", "nobody answers") == (broken.step, broken.by, broken.reason)
    assert "## Glass that was broken" in review
    assert "for the step kill: nobody answers" in review


@pytest.mark.parametrize(
    ("step", "what"),
    [
        pytest.param("new", "messages and issuing are never approved alone", id="a new credential"),
        pytest.param("say", "messages and issuing are never approved alone", id="a message"),
        pytest.param("end", "breaking the glass is for containment only", id="after containment"),
    ],
)
def test_from_the_command_line_nothing_else_is_approved_alone(place: Path, run: str, step: str, what: str) -> None:
    result = typed(place, "approve", run, step, "--break-glass", "nobody answers")

    assert_refused(result, "approval", what=what, place=f"step {step}", way_out="ask somebody else")
    assert [] == state(place, run).standing.broken
    assert [] == effects(place)


def test_whoever_is_not_on_the_list_cannot(place: Path, run: str) -> None:
    settings(place, "break_glass: [ann]", "break_glass: [carl]")
    late = typed(place, "approve", run, "kill", "--break-glass", "nobody answers")
    fresh = typed(place, "run", "g", "--finding", report(place), "--yes", "--break-glass", "nobody answers")

    assert 0 == late.exit_code, "the run keeps the list that it began with"
    assert_refused(fresh, "approval", what="is not on the list", place="--break-glass", way_out="begin without it")


def test_a_run_that_begins_so_still_asks_for_each_change(place: Path, mail: MailServer) -> None:
    playbook(place, STEPS.partition("  - id: new")[0].replace("within: 1h", "within: 2s"))

    result = typed(place, "--json", "run", "g", "--finding", report(place), "--yes", "--break-glass", "alone here")
    run = document(result)["run"]

    assert ["ann"] == [one.by for one in state(place, run).standing.broken]
    assert "declined" == state(place, run).status("kill")
    assert any("alone here" in letter for letter in mail.taken)
    assert [] == effects(place)


def test_without_an_address_it_is_said_and_containment_goes_on(place: Path) -> None:
    settings(place, "inventory:\n", "break_glass: [ann]\ninventory:\n")
    playbook(place, STEPS)
    run = begun(place, "g")
    advanced(place, run)

    result = typed(place, "approve", run, "kill", "--break-glass", "nobody answers")
    advanced(place, run)

    assert 0 == result.exit_code
    assert "Nobody could be told" in result.stderr
    assert "done" == state(place, run).status("kill")


def test_the_live_lines_say_it(place: Path, run: str) -> None:
    typed(place, "approve", run, "kill", "--break-glass", "nobody answers")

    lines = typed(place, "timeline", run).stdout

    assert "ann BROKE THE GLASS for kill: nobody answers" in lines


def test_a_holder_who_is_known_by_mail_alone_cannot(place: Path) -> None:
    settings(place, "inventory:\n", "break_glass: [ann]\ninventory:\n")
    settings(place, "email: hugo@out.example}", "email: ' Ann@Lumen.example'}")
    playbook(place, STEPS)
    run = begun(place, "g")
    advanced(place, run)

    result = typed(place, "approve", run, "kill", "--break-glass", "nobody answers")

    assert_refused(result, "approval", what="ann holds the credential", place="step kill", way_out="ask somebody else")
    assert [] == state(place, run).standing.broken


def test_what_is_not_asked_breaks_no_glass(place: Path, mail: MailServer) -> None:
    playbook(place, STEPS)
    run = begun(place, "g")

    result = typed(place, "approve", run, "kill", "--break-glass", "nobody answers")

    assert (2, []) == (result.exit_code, state(place, run).standing.broken), result.output
    assert [] == mail.taken


@pytest.mark.usefixtures("mail")
def test_whoever_has_agreed_with_others_may_still_agree_alone(place: Path) -> None:
    settings(place, "break_glass: [ann]", "break_glass: [carl]")
    playbook(place, STEPS)
    run = begun(place, "g")
    advanced(place, run)
    agreed(place, run, "kill")
    app = as_person(place, "carl")
    break_glass(app, run, "kill", "the other one sleeps")
    app.close()
    advanced(place, run)

    assert "done" == state(place, run).status("kill")


def test_that_it_is_told_is_on_record_as_soon_as_the_glass_is_broken(place: Path, mail: MailServer, run: str) -> None:
    app = as_person(place, "ann")
    break_glass(app, run, "kill", "nobody answers")
    app.close()
    app = as_person(place, "ann")
    telling = [row for row in app.runs(app.row(run).incident) if app.state(row.run).purpose == NOTICE]
    app.drive(telling[0].run)
    app.close()

    assert 1 == len(telling)
    assert any("nobody answers" in letter for letter in mail.taken)


@pytest.mark.parametrize(
    ("reason", "holder", "code"),
    [
        pytest.param(" ", "hugo@out.example", 2, id="without a reason"),
        pytest.param("nobody answers", "ann@lumen.example", 3, id="by a holder"),
    ],
)
def test_where_it_may_not_be_broken_nothing_is_begun(place: Path, reason: str, holder: str, code: int) -> None:
    settings(place, "inventory:\n", "break_glass: [ann]\ninventory:\n")
    settings(place, "email: hugo@out.example}", f"email: {holder}}}")
    playbook(place, STEPS)

    result = typed(place, "run", "g", "--finding", report(place), "--yes", "--break-glass", reason)

    assert code == result.exit_code, result.output
    app = as_person(place, "ann")
    assert [] == app.runs()
    app.close()
