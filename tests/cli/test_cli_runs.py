"""Runs from the command line: begun, driven, answered, detached, joined, and how they end."""

import base64
import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cli_bench
import pytest
from cli_bench import advanced, agreed, as_person, begun, document, leaked_value, typed

from responder.attendance import Attendance
from responder.cli import going
from responder.cli.call import Call
from responder.cli.drive import drive
from responder.cli.exits import Exit, exit_for
from responder.errors import RecordError, StaleExecutor
from responder.installation import login
from responder.run import Pause

FINDING = '{"value": "VALUE", "exposure": {"kind": "public", "url": "https://x.example/"}}'
NOTHING = """\
playbook: quiet
title: Nothing much
version: 1
steps: [{id: only, phase: analysis, action: clockwork.nothing}]
"""


def report(place: Path) -> str:
    path = place / "finding.json"
    path.write_text(FINDING.replace("VALUE", leaked_value()))
    return str(path)


def proceeding(place: Path) -> None:
    """Let the playbook go on when nobody answers, at once."""
    (place / "playbooks").mkdir(exist_ok=True)
    text = cli_bench.STEPS.replace("within: 1h, on_timeout: abort", "within: 1s, on_timeout: proceed")
    (place / "playbooks" / "p.yaml").write_text(text)


def one_step(place: Path, step: str) -> None:
    """Write the playbook `q`, which has one step."""
    text = f"playbook: q\ntitle: t\nversion: 1\nsteps: [{{id: look, phase: analysis, {step}}}]\n"
    (place / "playbooks" / "q.yaml").write_text(text)


def test_a_run_finds_a_sub_playbook_where_lint_finds_it(place: Path, tmp_path: Path) -> None:
    one_step(place, "action: clockwork.nothing")
    elsewhere = tmp_path / "elsewhere" / "mine.yaml"
    elsewhere.parent.mkdir()
    step = "{id: part, phase: analysis, playbook: q}"
    elsewhere.write_text(f"playbook: mine\ntitle: t\nversion: 1\nsteps: [{step}]\n")

    linted = typed(place, "playbook", "lint", str(elsewhere))
    result = typed(place, "run", str(elsewhere), "--finding", report(place), "--yes")

    assert 0 == linted.exit_code, linted.output
    assert "part/look: done" in result.stderr


def test_a_run_that_proves_death_ends_with_0_and_says_what_is_next(place: Path) -> None:
    proceeding(place)

    result = typed(place, "run", "p", "--finding", report(place), "--yes")

    assert result.exit_code == 0
    assert "A key is public: ended, contained" in result.stdout
    assert "proven dead" in result.stdout
    assert f"next: responder --config {place / 'responder.yaml'}" in result.stdout
    assert "kill: nobody with the role commander answered in time" in result.stderr


def test_the_plan_is_shown_before_the_run_begins(place: Path) -> None:
    proceeding(place)

    result = typed(place, "run", "p", "--finding", report(place), "--yes")

    plan, _, lines = result.stderr.partition("3 steps: 1 reversible, 2 reads; 1 ask for approval")
    assert "kill: credential.disable [reversible]" in plan
    assert "incident" in lines


def test_a_run_whose_exit_does_not_hold_ends_with_1(place: Path) -> None:
    (place / "playbooks" / "quiet.yaml").write_text(NOTHING)

    result = typed(place, "run", "quiet", "--finding", report(place), "--yes")

    assert result.exit_code == 1
    assert "NOT CONTAINED" in result.stdout


def test_without_a_terminal_a_run_begins_only_with_yes(place: Path) -> None:
    result = typed(place, "run", "p", "--finding", report(place))

    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    assert not (place / "state").exists()


def test_a_refused_plan_leaves_nothing_behind(place: Path) -> None:
    settings = (place / "responder.yaml").read_text()
    (place / "responder.yaml").write_text(
        settings.replace("known_by: env:LEAKED", "known_by: env:OTHER").replace("key_id: k1", "key_id: k2")
    )

    result = typed(place, "run", "p", "--finding", report(place), "--yes")

    assert result.exit_code == 3
    assert "Nothing shows that this credential is ours" in result.stderr
    assert not (place / "state").exists()


def test_a_wrong_account_is_refused_before_anything_is_written(place: Path) -> None:
    (place / "world" / "account").write_text("acct-2")

    result = typed(place, "run", "p", "--finding", report(place), "--yes")

    assert result.exit_code == 3
    assert "acct-2" in result.stderr
    assert not (place / "state").exists()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param("denied", 4, id="the provider denies"),
        pytest.param("unavailable", 4, id="the provider is busy for good"),
    ],
)
def test_a_halted_run_ends_with_the_code_of_what_halted_it(place: Path, fault: str, code: int) -> None:
    one_step(place, "action: clockwork.look, with: {key: k}, retry: {attempts: 1}")
    (place / "world" / f"{fault}-k").write_text("9")

    result = typed(place, "run", "q", "--finding", report(place), "--yes")

    assert code == result.exit_code
    assert "HALTED: look failed" in result.stderr
    assert " retry run-" in result.stdout


def test_a_failed_verification_ends_with_5(place: Path) -> None:
    one_step(place, "action: clockwork.watch, with: {looks: 1, ok: false}")

    assert typed(place, "run", "q", "--finding", report(place), "--yes").exit_code == 5


def test_a_second_run_for_a_credential_joins_and_detached_it_returns_with_7(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(place)
    detached: list[str] = []
    monkeypatch.setattr(Attendance, "detach", lambda self, run, arguments: detached.append(run))

    result = typed(place, "--json", "run", "p", "--finding", report(place), "--yes", "--detach")

    assert result.exit_code == 7
    assert {"run": run, "joined": True} == {name: document(result)[name] for name in ("run", "joined")}
    assert [run] == detached, "nobody worked on it, and it is said to go on"


def test_a_run_that_is_joined_and_that_nobody_works_on_is_taken_up(place: Path) -> None:
    run = begun(place)
    advanced(place, run)
    agreed(place, run, "kill")

    result = typed(place, "run", "p", "--finding", report(place), "--yes")

    assert result.exit_code == 0
    assert "A key is public: ended, contained" in result.stdout
    assert f"Nobody worked on {run}; it is taken up here." in result.stderr


def test_a_run_that_is_joined_while_somebody_works_on_it_is_only_followed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(place)
    app = as_person(place, "ann")
    lease = app.dispatcher.adopt(run)
    monkeypatch.setattr(going, "watch", lambda call, app, run: Exit.WAITING)
    detached: list[str] = []
    monkeypatch.setattr(Attendance, "detach", lambda self, run, arguments: detached.append(run))

    results = [typed(place, "run", "p", "--finding", report(place), "--yes", *more) for more in ((), ("--detach",))]
    app.dispatcher.leases.give_back(lease)
    app.close()

    assert [7, 7] == [result.exit_code for result in results]
    assert [] == detached


def test_json_is_one_document_and_everything_else_stands_beside_it(place: Path) -> None:
    proceeding(place)

    seen = document(typed(place, "run", "p", "--finding", report(place), "--yes", "--json"))

    assert ("ended", True, []) == (seen["state"], seen["contained"], seen["awaiting"])
    assert {"contained": "met", "after": "running"} == {clock["name"]: clock["state"] for clock in seen["clocks"]}


def test_the_value_stands_in_nothing_that_was_printed_or_written(place: Path) -> None:
    proceeding(place)

    result = typed(place, "--debug", "run", "p", "--finding", report(place), "--yes")

    assert leaked_value() not in result.output
    assert not any(
        leaked_value().encode() in path.read_bytes() for path in (place / "state").rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("source", ["env:LEAKED", "file", "fd"])
def test_a_secret_comes_from_a_named_place(place: Path, source: str) -> None:
    proceeding(place)
    (place / "value").write_text(leaked_value() + "\n")
    handle = os.open(place / "value", os.O_RDONLY)
    given = {"env:LEAKED": "env:LEAKED", "file": f"file:{place / 'value'}", "fd": f"fd:{handle}"}[source]

    result = typed(place, "run", "p", "--secret-from", given, "--yes")
    os.close(handle)

    assert result.exit_code == 0


def test_a_number_that_no_open_file_has_names_no_place(place: Path) -> None:
    result = typed(place, "run", "p", "--secret-from", f"fd:{'9' * 24}", "--yes")

    assert (2, True) == (result.exit_code, "--secret-from names no place" in result.stderr)


def test_a_finding_is_read_from_standard_input(place: Path) -> None:
    proceeding(place)

    result = typed(place, "run", "p", "--finding", "-", "--yes", input=FINDING.replace("VALUE", leaked_value()))

    assert result.exit_code == 0


def test_resume_goes_on_where_the_run_stopped(place: Path) -> None:
    run = begun(place)
    advanced(place, run)
    agreed(place, run, "kill")

    result = typed(place, "resume", run)

    assert result.exit_code == 0
    assert "A key is public: ended, contained" in result.stdout


def test_resuming_an_ended_run_says_so(place: Path) -> None:
    run = begun(place)
    advanced(place, run)
    agreed(place, run, "kill")
    typed(place, "resume", run)

    result = typed(place, "resume", run)

    assert result.exit_code == 0
    assert "ended already" in result.stderr


def test_a_declined_change_ends_the_run_with_1(place: Path) -> None:
    run = begun(place)
    advanced(place, run)
    app = as_person(place, "carl")
    app.decline(run, "kill", "not now")
    app.close()

    result = typed(place, "resume", run)

    assert result.exit_code == 1
    assert "kill: declined, not now" in result.stdout


def test_a_run_that_somebody_works_on_is_not_taken_over(place: Path) -> None:
    run = begun(place)
    app = as_person(place, "ann")
    lease = app.dispatcher.adopt(run)

    result = typed(place, "resume", run)
    app.dispatcher.leases.give_back(lease)
    app.close()

    assert result.exit_code == 2
    assert f" watch {run}`" in result.stderr


def test_a_record_that_cannot_be_written_ends_with_what_to_do_by_hand(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(place)
    advanced(place, run)
    app = as_person(place, "ann")

    def fail() -> Pause:
        raise RecordError("the disk is full")

    with pytest.raises(RecordError):
        drive(Call(), app, run, fail)
    app.close()

    said = capsys.readouterr().err
    assert "Contain it by hand" in said
    assert re.search(
        r"1\. credential\.disable: disabled fp:\w+\n +.*\n +The playbook asks commander first\.\n"
        r" +2\. credential\.prove_dead: shared \(key, key k1\) at cw \(account acct-1 of clockwork\)\n",
        said,
    )
    assert f"responder resume {run}" in said
    assert leaked_value() not in said


def test_an_interruption_while_the_run_s_thread_starts_is_one_like_any_other(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(place)
    advanced(place, run)
    app = as_person(place, "ann")
    stopped = threading.Event()
    app.dispatcher.stop = stopped.set  # type: ignore[method-assign]

    def interrupted() -> Pause:
        stopped.clear()
        os.kill(os.getpid(), signal.SIGINT)
        stopped.wait(10)
        return Pause("waiting")

    codes = [drive(Call(), app, run, interrupted) for _ in range(30)]
    app.close()

    assert {Exit.INTERRUPTED} == set(codes)
    assert 30 == capsys.readouterr().err.count(f"resume {run}")


def test_an_executor_that_was_replaced_leaves_with_7(place: Path) -> None:
    run = begun(place)
    app = as_person(place, "ann")

    def fail() -> Pause:
        raise StaleExecutor("Another executor was faster")

    with pytest.raises(StaleExecutor) as caught:
        drive(Call(), app, run, fail)
    app.close()

    assert Exit.WAITING == exit_for(caught.value)


def test_status_shows_open_runs_and_with_all_the_ended_ones_too(place: Path) -> None:
    proceeding(place)
    typed(place, "run", "p", "--finding", report(place), "--yes")

    assert [] == document(typed(place, "status", "--json"))["incidents"]
    assert 1 == len(document(typed(place, "status", "--all", "--json"))["incidents"])


def test_the_questions_of_a_run_that_was_opened_on_the_way_are_shown_with_its_own(place: Path) -> None:
    one_step(place, "action: clockwork.look, with: {key: k, find: '@planted'}")
    run = begun(place, "q")
    advanced(place, run)
    [child] = [one["run"] for one in document(typed(place, "status", run, "--json"))["incidents"][0]["children"]]
    advanced(place, child)

    [seen] = document(typed(place, "status", run, "--json"))["incidents"]
    everything = document(typed(place, "status", "--json"))["incidents"]

    assert [child] == [ask["run"] for ask in seen["awaiting"]]
    assert {run: 0, child: 1} == {one["run"]: len(one["awaiting"]) for one in everything}


def test_an_answer_to_a_run_that_was_opened_on_the_way_names_the_run_that_takes_both_up(place: Path) -> None:
    one_step(place, "action: clockwork.look, with: {key: k, find: '@planted'}")
    run = begun(place, "q")
    advanced(place, run)
    [child] = [one["run"] for one in document(typed(place, "status", run, "--json"))["incidents"][0]["children"]]

    of_child, of_run = (typed(place, "note", one, "looked into it").stdout for one in (child, run))

    assert f"Nor on {run}, which opened it and takes it up too:" in of_child
    assert of_child.rstrip().endswith(f"resume {run}")
    assert of_run.rstrip().endswith(f"resume {run}")
    assert "Nor on" not in of_run


# Processes ----------------------------------------------------------------------------------------

PERSONS = """\
people:
  ann: {{name: Ann, os_user: {user}, roles: [commander]}}
  bo: {{name: Bo, roles: [commander]}}
"""
ASKING = """\
playbook: ask
title: Ask somebody
version: 1
roles: {commander: {help: decides}}
steps:
  - id: task
    phase: analysis
    action: human.task
    with: {role: commander, instructions: do it, within: 1h, on_timeout: abort}
exit: ["${{ steps.task.status == 'done' }}"]
"""


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """An installation whose playbook asks for a task, with the providers that ship."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "responder.yaml").write_text(PERSONS.format(user=login()))
    (tmp_path / "playbooks" / "ask.yaml").write_text(ASKING)
    (tmp_path / "f.json").write_text('{"key_id": "k-1"}')
    return tmp_path


def process(place: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "responder", *words, "--config", "responder.yaml", "--store", "r.db"]
    return subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def asked(place: Path) -> str:
    """Wait until a run asks, and return its id."""
    for _ in range(200):
        shown = process(place, "status", "--json")
        out, _ = shown.communicate()
        found = json.loads(out)["incidents"] if out else []
        if found and found[0]["awaiting"]:
            return str(found[0]["run"])
        time.sleep(0.05)
    raise AssertionError("nothing was asked")


def test_an_interrupted_run_leaves_with_130_and_can_be_resumed(talk: Path) -> None:
    running = process(talk, "run", "ask", "--finding", "f.json", "--yes")
    run = asked(talk)
    interrupted_at = time.monotonic()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)

    assert running.returncode == 130
    assert time.monotonic() - interrupted_at < 8
    assert f"responder --config responder.yaml --store r.db resume {run}" in err

    resumed = process(talk, "resume", run)
    process(talk, "done", run, "task").communicate(timeout=20)
    out, _ = resumed.communicate(timeout=20)

    assert (0, True) == (resumed.returncode, "ended, contained" in out)


@pytest.mark.parametrize("words", [("run", "ask", "--finding", "f.json", "--yes"), ("watch", "RUN")])
def test_a_command_that_nobody_reads_any_more_leaves_as_if_interrupted(talk: Path, words: tuple[str, ...]) -> None:
    process(talk, "run", "ask", "--finding", "f.json", "--yes", "--detach").communicate(timeout=20)
    run = asked(talk)
    if words[0] == "run":
        (talk / "f.json").write_text('{"key_id": "k-2"}')
    left = process(talk, *(word.replace("RUN", run) for word in words))
    assert left.stderr is not None
    left.stderr.readline()
    left.stderr.close()
    process(talk, "note", run, "something new").communicate(timeout=20)

    out, _ = left.communicate(timeout=20)
    stopped = json.loads(process(talk, "status", "--json").communicate(timeout=20)[0])["incidents"]
    process(talk, "done", run, "task").communicate(timeout=20)

    assert (130, "") == (left.returncode, out)
    assert [] == [one["run"] for one in stopped if one["run"] != run and one["alive"]]


def test_who_stops_watching_a_run_that_nobody_works_on_is_told_so(talk: Path) -> None:
    running = process(talk, "run", "ask", "--finding", "f.json", "--yes")
    run = asked(talk)
    said = []
    for _ in ("somebody works on it", "nobody does"):
        watching = process(talk, "watch", run)
        assert watching.stderr is not None
        watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        said.append(watching.communicate(timeout=20)[1])
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=20)

    assert "the run goes on without this terminal" in said[0]
    assert (
        f"nobody works on the run. Go on with:\n    $ responder --config responder.yaml --store r.db resume {run}"
        in said[1]
    )


def test_who_watches_a_run_is_told_once_when_the_last_who_worked_on_it_is_gone(talk: Path) -> None:
    running = process(talk, "run", "ask", "--finding", "f.json", "--yes")
    run = asked(talk)
    watching = process(talk, "watch", run)
    assert watching.stderr is not None
    before = []
    while "task" not in (line := watching.stderr.readline()):
        before.append(line)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    told = []
    while "resume" not in (line := watching.stderr.readline()):
        told.append(line)
    resumed = process(talk, "resume", run)
    time.sleep(1.5)
    process(talk, "done", run, "task").communicate(timeout=20)
    after = watching.communicate(timeout=20)[1]
    resumed.communicate(timeout=20)

    assert [] == [line for line in before if "Nobody" in line]
    assert ["Nobody works on the run now.\n"] == [line for line in told if "Nobody" in line]
    assert f"    $ responder --config responder.yaml --store r.db resume {run}\n" == line
    assert "Nobody" not in after
    assert 0 == watching.returncode


def test_three_terminals_work_on_one_run(talk: Path) -> None:
    detached = process(talk, "run", "ask", "--finding", "f.json", "--yes", "--detach")
    detached.communicate(timeout=20)
    run = asked(talk)
    watching = process(talk, "watch", run)
    time.sleep(0.3)
    answered = process(talk, "done", run, "task", "all", "done")
    answered.communicate(timeout=20)
    out, err = watching.communicate(timeout=20)

    assert (7, 0, 0) == (detached.returncode, answered.returncode, watching.returncode)
    assert "ended, contained" in out
    assert "task: ann answered: said all done" in err


def test_where_not_even_the_first_entry_can_be_written_it_says_what_to_do_by_hand(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESPONDER_SEALING_KEY", base64.b64encode(b"k" * 32).decode())
    (place / "state").write_text("no folder can be made here")

    result = typed(place, "run", "p", "--finding", report(place), "--yes")

    assert result.exit_code == 6
    assert "Contain it by hand" in result.stderr
    assert "1. credential.disable: shared (key, key k1) at cw (account acct-1 of clockwork)" in result.stderr
    assert "Nothing was begun" in result.stderr
    assert leaked_value() not in result.output
    assert not (place / "world" / "effects.jsonl").exists()


@pytest.mark.parametrize("full", [False, True], ids=["no folder can be made", "the disk is full"])
def test_where_not_even_the_key_of_a_record_can_be_made_it_says_what_to_do_by_hand(
    place: Path, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if full:
        monkeypatch.setattr("responder.sealing.os.fsync", no_space)
    else:
        (place / "state").write_text("no folder can be made here")

    result = typed(place, "run", "p", "--finding", report(place), "--yes")

    assert result.exit_code == 6
    assert "Contain it by hand" in result.stderr
    assert "Nothing was begun" in result.stderr
    assert "sealing key" in result.stderr
    assert ("No space left" if full else "sealing.key") in result.stderr
    assert leaked_value() not in result.output
    assert not (place / "world" / "effects.jsonl").exists()


def test_a_record_where_nobody_may_look_is_no_defect(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is somebody else's, who alone may look into it."""
    folder = str(place / "state")

    def refused(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if str(path).startswith(folder + "/"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return os.stat(path, follow_symlinks=follow_symlinks)  # noqa: PTH116 - what Path.stat itself calls

    monkeypatch.setattr(Path, "stat", refused)
    for words in (["status"], ["run", "p", "--finding", report(place), "--yes"], ["store", "check"]):
        result = typed(place, *words)

        assert 6 == result.exit_code, (words, result.output)
        assert "Permission denied" in result.output
        assert ("Contain it by hand" in result.stderr) == (words[0] == "run")


def test_where_the_record_cannot_be_read_resume_says_how_to_learn_what_to_do_by_hand(place: Path) -> None:
    nobody = "postgresql://127.0.0.1:1/record"

    resumed = typed(place, "resume", "run-123", store=nobody)

    assert resumed.exit_code == 6
    told = next(line.split("run ", 1)[1] for line in resumed.stderr.splitlines() if line.startswith("    $ "))
    assert "PLAYBOOK --finding FINDING.json" == told
    begun_anew = typed(place, "run", "p", "--finding", report(place), "--yes", store=nobody)
    assert "Contain it by hand" in begun_anew.stderr


def test_what_is_not_ours_is_not_for_a_persons_hands_either(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPONDER_SEALING_KEY", base64.b64encode(b"k" * 32).decode())
    path = Path(report(place))
    path.write_text(path.read_text().replace(leaked_value(), "somebody-elses-" + "z9Yx" * 5))
    (place / "state").write_text("no folder can be made here")

    result = typed(place, "run", "p", "--finding", str(path), "--yes")

    assert result.exit_code in {3, 6}
    assert "by hand" not in result.stderr
