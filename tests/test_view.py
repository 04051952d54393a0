"""What there is to see of a run: questions, clocks, notes, children; and how it looks in a terminal."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from responder.chain import GENESIS
from responder.cli.drive import conclusion, outcome
from responder.cli.exits import Exit
from responder.cli.screen import screen
from responder.entry import Entry
from responder.fold import _OWN, apply, fold
from responder.lines import _SENTENCES, Lines, sentence
from responder.progress import span
from responder.state import RunState
from responder.view import RunView, view
from responder.words import headline

START = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
PLAYBOOK: dict[str, Any] = {
    "playbook": "p",
    "title": "A key is public",
    "version": 1,
    "roles": {"commander": {}, "comms": {}},
    "deadlines": {
        "told": {"from": "incident.aware_at", "within": "1h", "role": "comms"},
        "public": {"from": "incident.public_coverage_at", "within": "1h", "role": "comms"},
        "partner": {
            "from": "incident.aware_at",
            "within": "1h",
            "role": "comms",
            "if": "${{ inputs.partner }}",
        },
    },
    "steps": [
        {"id": "look", "phase": "analysis", "action": "credential.inspect"},
        {
            "id": "kill",
            "phase": "containment",
            "action": "credential.disable",
            "needs": ["look"],
            "approval": {"role": "commander", "within": "5m", "on_timeout": "proceed"},
        },
        {
            "id": "tell",
            "phase": "communication",
            "action": "notice.send",
            "needs": ["kill"],
            "for_each": ["a", "b"],
            "with": {"template": "t", "to": "${{ item }}"},
            "meets": "told",
        },
        {
            "id": "ask",
            "phase": "review",
            "action": "human.decide",
            "if": "${{ failed('tell') }}",
            "on_error": "continue",
            "with": {"role": "commander", "question": "?", "options": {}, "on_timeout": "abort"},
        },
    ],
}
PEOPLE = {
    "ann": {"name": "Ann", "roles": ["commander"], "email": ""},
    "ben": {"name": "Ben", "roles": ["commander"], "email": "ben@x.example"},
    "hal": {"name": "Hal", "roles": ["commander"], "email": ""},
}


class Record:
    """A chain of entries, one a minute, for a run."""

    def __init__(self, **started: Any) -> None:
        self.entries: list[Entry] = []
        self.add("opened", run="", severity="P1", aware_at=START.isoformat(), public_coverage_at=None)
        facts = {
            "playbook": PLAYBOOK,
            "credential": {"id": "shared", "holders": [{"id": "h", "person": "hal"}]},
            "people": PEOPLE,
            "requester": "ann",
            "inputs": {"partner": None},
            "facts": {},
        }
        self.add("started", actor="ann", **{**facts, **started})

    def add(
        self, event: str, step: str = "", *, run: str = "run-1", actor: str = "responder", **facts: Any
    ) -> "Record":
        seq = len(self.entries) + 1
        at = START + timedelta(minutes=seq - 1)
        self.entries.append(Entry(seq, at, "inc-1", run, event, step, actor, facts, 0, GENESIS, GENESIS))
        return self

    def planned(self, step: str, digest: str = "d1") -> "Record":
        return self.add(
            "planned",
            step,
            digest=digest,
            target="key k-7",
            before="live",
            after="disabled",
            breaks="the site",
        )

    def asked(self, step: str, **more: Any) -> "Record":
        due = (self.now + timedelta(minutes=5)).isoformat()
        facts: Mapping[str, Any] = {
            "kind": "approval",
            "role": "commander",
            "due_at": due,
            "on_timeout": "proceed",
            "digest": "d1",
            "text": "kill, then ask",
        }
        return self.add("asked", step, **{**facts, **more})

    @property
    def now(self) -> datetime:
        return START + timedelta(minutes=len(self.entries) - 1)

    @property
    def state(self) -> RunState:
        return fold("run-1", self.entries)

    def seen(self, minutes: float = 0, **more: Any) -> RunView:
        return view(self.state, self.now + timedelta(minutes=minutes), **{"alive": True, **more})


def shown(seen: RunView, **more: Any) -> str:
    return "\n".join(line.plain for line in screen(seen, **more))


def waiting() -> Record:
    return Record().add("done", "look", facts={"state": "live"}).planned("kill").asked("kill")


# Questions ----------------------------------------------------------------------------------------


def test_a_question_says_what_who_until_when_and_what_to_type() -> None:
    [ask] = waiting().seen().awaiting

    assert ("kill", "approval", "key k-7", "live", "disabled", "the site") == (
        ask.step,
        ask.kind,
        ask.target,
        ask.before,
        ask.after,
        ask.breaks,
    )
    assert ("ben",) == ask.may_answer
    assert 240 == ask.left_seconds
    assert ("responder approve run-1 kill", "responder decline run-1 kill --reason TEXT") == ask.commands


@pytest.mark.parametrize(
    ("kind", "options", "commands"),
    [
        (
            "decide",
            {"yes": "go on", "not now": "wait"},
            ("decide run-1 kill yes", "decide run-1 kill 'not now'"),
        ),
        ("task", {}, ("done run-1 kill",)),
        (
            "unknown",
            {"happened": "", "not-happened": ""},
            ("decide run-1 kill happened", "decide run-1 kill not-happened"),
        ),
    ],
)
def test_each_kind_of_question_is_answered_by_its_own_command(
    kind: str, options: dict[str, str], commands: tuple[str, ...]
) -> None:
    [ask] = Record().asked("kill", kind=kind, options=options).seen(program="responder --store x").awaiting

    assert tuple(f"responder --store x {command}" for command in commands) == ask.commands


def test_an_item_s_address_is_quoted_for_the_shell() -> None:
    [ask] = Record().asked("tell[a]", kind="task").seen().awaiting

    assert ("responder done run-1 'tell[a]'",) == ask.commands


def test_one_question_for_many_items_shows_how_many_and_the_first() -> None:
    record = (
        Record().add("expanded", "tell", items={"a": 1, "b": 2}).planned("tell[a]").planned("tell[b]").asked("tell")
    )

    [ask] = record.seen().awaiting

    assert (2, "key k-7") == (ask.items, ask.target)
    assert "2 items, the first: key k-7: live -> disabled" in shown(record.seen())


def test_the_questions_of_a_run_that_it_opened_are_shown_too() -> None:
    child = waiting()
    child_state = fold("run-1", child.entries)
    child_state.run = "run-2"

    seen = Record().seen(offspring=[child_state])

    assert ["run-2"] == [ask.run for ask in seen.awaiting]
    assert "approve kill of run-2" in shown(seen)
    assert "responder approve run-2 kill" in shown(seen)


def test_an_answered_question_is_gone() -> None:
    record = waiting().add("agreed", "kill", actor="ben", digest="d1")

    assert () == record.seen().awaiting


# Clocks -------------------------------------------------------------------------------------------


def clock(record: Record, name: str = "told", minutes: float = 0) -> tuple[str, int | None]:
    found = next(one for one in record.seen(minutes).clocks if one.name == name)
    return found.state, found.left_seconds


def test_a_clock_runs_then_is_overdue() -> None:
    record = Record()

    assert ("running", 59 * 60) == clock(record)
    assert ("overdue", -60) == clock(record, minutes=60)


def test_a_clock_whose_anchor_has_not_happened_is_pending_until_somebody_says_when() -> None:
    record = Record()
    assert ("pending", None) == clock(record, "public")

    record.add("set", run="", of="incident", field="public_coverage_at", old=None, new=START.isoformat())

    assert ("running", 58 * 60) == clock(record, "public")


@pytest.mark.parametrize(("minutes", "state"), [(0, "met"), (90, "late")])
def test_a_deadline_is_met_by_the_step_that_says_so(minutes: int, state: str) -> None:
    record = Record().add("expanded", "tell", items={"a": 1})
    record.entries += [
        Entry(
            9,
            START + timedelta(minutes=minutes),
            "inc-1",
            "run-1",
            "done",
            "tell",
            "r",
            {},
            0,
            GENESIS,
            GENESIS,
        )
    ]

    found = next(one for one in record.seen().clocks if one.name == "told")

    assert (state, "tell") == (found.state, found.met_by)


def test_a_skipped_step_meets_no_deadline() -> None:
    assert "running" == clock(Record().add("skipped", "tell", reason="x"))[0]


@pytest.mark.parametrize(("partner", "state"), [(None, "off"), ({"name": "P"}, "running")])
def test_a_deadline_counts_only_where_its_condition_holds(partner: Any, state: str) -> None:
    record = Record(inputs={"partner": partner})

    assert state == clock(record, "partner")[0]
    assert ("partner" in shown(record.seen())) == (state != "off")


def test_the_most_urgent_clock_stands_first() -> None:
    record = Record(inputs={"partner": {"name": "P"}})
    record.add(
        "set",
        run="",
        of="incident",
        field="public_coverage_at",
        old=None,
        new=(START - timedelta(hours=2)).isoformat(),
    )

    lines = [line for line in shown(record.seen()).splitlines() if line.startswith("◷")]

    assert lines[0].startswith("◷ public: OVERDUE by 1h 2m")


# Steps and state ----------------------------------------------------------------------------------


def note(record: Record, step: str) -> str:
    return next(one.note for one in record.seen().steps if one.id == step)


def test_a_step_says_what_it_waits_for_or_why_it_ended() -> None:
    record = Record()
    assert "after look" == note(record, "kill")

    record.add("done", "look", facts={"state": "live"})
    assert ("live", "after kill") == (note(record, "look"), note(record, "tell"))

    record.add("failed", "kill", error="it is down\nsecond line", kind="unavailable")
    assert ("it is down", "blocked: kill failed") == (note(record, "kill"), note(record, "tell"))


def test_a_step_that_looks_again_says_what_it_saw_and_when_it_looks_next() -> None:
    record = Record()
    record.add("observed", "look", verdict="refused", next_at=(record.now + timedelta(minutes=3)).isoformat())
    record.add("observed", "look", verdict="refused", next_at=(record.now + timedelta(minutes=3)).isoformat())

    assert "look 2: refused, again in 2m" == note(record, "look")


def test_items_are_counted_with_those_that_failed() -> None:
    record = (
        Record()
        .add("expanded", "tell", items={"a": 1, "b": 2})
        .add("done", "tell[a]")
        .add("failed", "tell[b]", error="no", kind="denied")
    )

    [items] = [one.items for one in record.seen().steps if one.items]

    assert (2, 2, 1) == (items.total, items.ended, items.failed)
    assert "2/2 1 failed" in shown(record.seen())


@pytest.mark.parametrize(
    ("record", "alive", "state", "words"),
    [
        pytest.param(Record().add("began", "look"), True, "running", "running", id="working"),
        pytest.param(
            Record().add("began", "look"),
            False,
            "running",
            "running, but nobody works on it",
            id="left alone",
        ),
        pytest.param(waiting(), True, "waiting", "waiting for commander", id="waiting"),
        pytest.param(waiting().add("began", "ask"), True, "running", "running", id="asking while it works"),
        pytest.param(
            Record().add("expanded", "tell", items={"a": 1}).asked("tell[a]", kind="task"),
            True,
            "waiting",
            "waiting for commander",
            id="every item waits",
        ),
        pytest.param(
            Record().add("failed", "look", error="x", kind="denied").add("halted", failed=["look"], kind="denied"),
            True,
            "halted",
            "halted: look failed",
            id="halted",
        ),
        pytest.param(Record().add("ended", contained=True, exit=[]), True, "ended", "ended, contained", id="contained"),
        pytest.param(
            Record().add("ended", contained=False, exit=[]),
            True,
            "ended",
            "ended, NOT CONTAINED",
            id="not contained",
        ),
    ],
)
def test_the_state_is_said_in_a_few_words(record: Record, alive: bool, state: str, words: str) -> None:
    seen = record.seen(alive=alive)

    assert (state, words) == (seen.state, headline(seen))


@pytest.mark.parametrize(
    ("record", "code"),
    [
        pytest.param(Record().add("ended", contained=True, exit=[]), Exit.OK, id="contained"),
        pytest.param(
            Record().add("skipped", "ask", reason="false").add("ended", contained=True, exit=[]),
            Exit.OK,
            id="a condition skipped a step",
        ),
        pytest.param(
            Record().add("skipped", "tell", reason="left").add("ended", contained=True, exit=[]),
            Exit.NOT_CONTAINED,
            id="a step was left out",
        ),
        pytest.param(
            waiting().add("declined", "kill", digest="d1", reason="no").add("ended", contained=True, exit=[]),
            Exit.NOT_CONTAINED,
            id="declined",
        ),
        pytest.param(Record().add("ended", contained=False, exit=[]), Exit.NOT_CONTAINED, id="not contained"),
        *[
            pytest.param(
                Record().add("failed", "look", error="x", kind=kind).add("halted", failed=["look"], kind=kind),
                code,
                id=kind,
            )
            for kind, code in {
                "unavailable": Exit.PROVIDER,
                "denied": Exit.PROVIDER,
                "verification": Exit.UNKNOWN,
                "unknown": Exit.UNKNOWN,
                "refused": Exit.REFUSED,
                "defect": Exit.NOT_CONTAINED,
            }.items()
        ],
        pytest.param(
            Record().add("failed", "ask", error="x", kind="denied").add("ended", contained=True, exit=[]),
            Exit.OK,
            id="a failure that the playbook lives with",
        ),
        pytest.param(waiting(), Exit.WAITING, id="waiting"),
    ],
)
def test_the_exit_code_follows_from_how_it_stands(record: Record, code: Exit) -> None:
    assert code == outcome(record.seen())


def test_the_last_words_say_what_did_not_hold_and_what_to_do() -> None:
    record = (
        Record()
        .add("failed", "kill", error="it is down", kind="unavailable")
        .add("halted", failed=["kill"], kind="unavailable")
    )

    words = "\n".join(conclusion(record.seen(), "responder"))

    assert "kill: failed, it is down" in words
    assert "next: responder retry run-1 kill" in words


def test_criteria_that_do_not_hold_are_named() -> None:
    exits = [{"criterion": "${{ steps.kill.status == 'done' }}", "held": False, "why": ""}]

    assert any(
        "does not hold: ${{ steps.kill" in line
        for line in conclusion(Record().add("ended", contained=False, exit=exits).seen(), "responder")
    )


# The picture --------------------------------------------------------------------------------------


def test_everything_but_commands_fits_the_width() -> None:
    seen = waiting().seen(program="responder --config /a/very/long/path/to/a/responder.yaml")

    lines = [line.plain for line in screen(seen, ["x" * 200], width=60)]

    assert all(len(line) <= 60 for line in lines if "/a/very" not in line)
    assert "x" * 59 + "…" in lines


def test_the_picture_obeys_nobody_s_control_characters() -> None:
    lines = screen(waiting().seen(), ["a\x1b[2Jb\x9bc\u202ed"], width=60)

    assert lines[-1].plain == "a\ufffd[2Jb\ufffdc\ufffdd"
    assert lines[-1].style == "dim"


def test_a_command_is_never_cut_but_goes_on_below() -> None:
    text = shown(waiting().seen(program="responder --config /somewhere/responder.yaml"), width=50)

    joined = text.replace(" \\\n       ", "")

    assert "responder --config /somewhere/responder.yaml approve run-1 kill" in joined
    assert "--reason TEXT" in text


def test_a_word_of_a_command_that_is_wider_than_the_terminal_is_whole() -> None:
    path = "/a/folder/with/a/very/long/name/responder.yaml"

    assert path in shown(waiting().seen(program=f"responder --config {path}"), width=30)


@pytest.mark.parametrize(
    ("height", "entries", "waiting_steps"), [(40, True, True), (24, False, True), (21, False, False)]
)
def test_a_low_terminal_loses_entries_or_phases_and_never_the_question(
    height: int, entries: bool, waiting_steps: bool
) -> None:
    text = shown(waiting().seen(), last=["an entry"] * 5, width=80, height=height)

    assert "$ responder approve run-1 kill" in text
    assert (entries, waiting_steps) == ("an entry" in text, "after kill" in text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (95, "1m 35s"),
        (600, "10m"),
        (3599, "59m"),
        (3600, "1h"),
        (5400, "1h 30m"),
        (90000, "1d 1h"),
        (-95, "1m 35s"),
    ],
)
def test_spans_are_said_as_people_say_them(seconds: int, words: str) -> None:
    assert words == span(timedelta(seconds=seconds))


# Lines --------------------------------------------------------------------------------------------


def lines_of(record: Record) -> list[str]:
    return [line.partition(" ")[2] for line in Lines("run-1").of(record.entries, record.state)]


def test_three_hundred_items_are_ten_lines() -> None:
    record = Record().add("expanded", "tell", items={str(n): n for n in range(300)})
    told = Lines("run-1")
    state = RunState("run-1")
    shown_lines: list[str] = []
    for number in range(300):
        record.add("planned", f"tell[{number}]", digest="d").add("verified", f"tell[{number}]", target="x", after="y")
    for entry in record.entries:
        apply(state, entry)
        shown_lines += told.of([entry], state)

    progress = [line for line in shown_lines if "of 300" in line]

    assert [f"tell: {30 * n} of 300" for n in range(1, 11)] == [line.partition(" ")[2] for line in progress]
    assert len(shown_lines) < 20


def test_an_item_that_fails_is_told_by_itself() -> None:
    record = (
        Record()
        .add("expanded", "tell", items={"a": 1})
        .add("failed", "tell[a]", error="no such mailbox", kind="refused")
    )

    assert "tell[a]: FAILED, no such mailbox" in lines_of(record)


def test_the_same_look_is_told_once() -> None:
    record = Record()
    for verdict in ("refused", "refused", "alive", "refused"):
        record.add("observed", "look", verdict=verdict, next_at=START.isoformat())

    assert ["look: refused", "look: alive", "look: refused"] == [
        line for line in lines_of(record) if line.startswith("look")
    ]


def test_the_lines_of_a_child_bear_its_name() -> None:
    record = Record().add(
        "opened_child", "look", child="run-2", credential="other", exposure={"url": "https://x.example/1"}
    )
    record.add("done", "end", run="run-2").add("done", "end", run="run-3")

    assert "look: found other; now run-2: https://x.example/1" in lines_of(record)
    assert ["(run-2) end: done"] == [line for line in lines_of(record) if "run-2)" in line or "run-3" in line]


def test_a_long_text_is_cut_in_a_line() -> None:
    entry = Record().add("noted", actor="ann", text="word " * 200).entries[-1]

    assert len(sentence(entry)) <= 300


def test_every_event_of_the_runner_has_words_or_is_left_out_on_purpose() -> None:
    assert set(_OWN) - set(_SENTENCES) == {"began", "planned", "intended", "applied", "not_sent"}
