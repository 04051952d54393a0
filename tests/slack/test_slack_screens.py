"""Every screen passes Slack's limits, is short enough for a phone, and makes what it quotes harmless."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from responder.deadlines import ClockView
from responder.drill.world.slack.blocks import length_problems, problems_of
from responder.errors import Problem, RequestError
from responder.plan import Plan, PlannedStep
from responder.playbook import Input, Playbook
from responder.progress import ItemsView, StepView
from responder.settings import Person
from responder.slack.blocks import cut, day, due, moment, readable, safe, typed
from responder.slack.card import card
from responder.slack.forms import finding_form, inputs_form, join_form, plan_form, refused, said, working
from responder.slack.preview import preview
from responder.slack.questions import answered, answering, handover, question
from responder.slack.words import HELP, happened, review, told
from responder.state import RunState
from responder.view import AskView, RunView

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 5, 2, 3, 0, tzinfo=UTC)
NASTY = "<!channel> <@UEVIL> & <https://evil.example|click> *x*"
LONG = f"{NASTY} " + "word " * 1500
IDS = {"ines": "UINES", "leo": "ULEO"}
MOST_BLOCKS = 12


def ask(text: str = "why", **more: Any) -> AskView:
    base = AskView(
        run="run-1", step="kill", title="Switch it off", kind="approval", role="commander",
        may_answer=("ines", "leo", "kim"), text=text, options={}, target=text, before=text, after=text, breaks=text,
        items=0, digest="ab" * 32, agreed=(), quorum=1, asked_at=NOW, due_at=NOW + timedelta(minutes=5),
        left_seconds=300, on_timeout="escalate(comms)", commands=(),
    )  # fmt: skip
    return base._replace(**more)


def step(text: str, number: int, status: str = "running") -> StepView:
    items = ItemsView(total=300, ended=97, failed=3)
    return StepView(f"s{number}", text, "recovery", "a.b", status, text, items, "", None, None, None)


def clock(text: str, number: int, state: str) -> ClockView:
    at = NOW + timedelta(hours=number)
    return ClockView(
        name=f"{text[:200]}-{number}", role="comms", owners=(), state=state, since="", due_at=at,
        awaits=(), left_seconds=1, met_at=at, met_by="x", proposed_due_at=None,
    )  # fmt: skip


def run(text: str, count: int = 1, **more: Any) -> RunView:
    states = ("running", "overdue", "late", "met", "pending")
    base = RunView(
        incident="inc-1", run="run-1", purpose="response", playbook="p", title=text, credential=text, severity="P1",
        mode="A1", suspect=(), requester="ruth", state="waiting", alive=True, executor="", contained=False,
        contained_at=None, aware_at=NOW, now=NOW, awaiting=tuple(ask(text, step=f"k{n}") for n in range(count)),
        clocks=tuple(clock(text, n, states[n % 5]) for n in range(count)),
        steps=tuple(step(text, n, ("running", "failed")[n % 2]) for n in range(count)), children=(), exit=(),
        failed=(), kind="", incomplete=False,
    )  # fmt: skip
    return base._replace(**more)


def plan(text: str, count: int, problems: tuple[Problem, ...] = ()) -> Plan:
    steps = tuple(
        PlannedStep(
            f"step-{n}", f"phase-{n % 6}", "human.task" if n % 5 == 0 else "a.b", text, text, text,
            ("final", "reversible", "message", "read")[n % 4], "commander within 1h, else abort", problems=problems,
            items=n,
        )
        for n in range(count)
    )  # fmt: skip
    row = {"name": "containment", "from": "aware_at", "due_at": NOW.isoformat(), "awaits": [], "role": "commander"}
    return Plan("p", text, text, text, steps, (row,) * 8)


def book(text: str) -> Playbook:
    kinds = ("string", "integer", "boolean", "person")
    inputs = {f"input_{n}": Input(type=kind, help=text, required=n % 2 == 0) for n, kind in enumerate(kinds)}
    return Playbook.model_construct(playbook="p", title=text, summary=text, version=1, inputs=inputs, steps=[])


def screens(text: str, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every screen with this text in every place that quotes."""
    people = {"ines": Person.model_validate({"name": "Ines", "email": "ines@lumen.example", "slack": "UINES"})}
    yield "begin", finding_form({"p": book(text)}, [], {})
    yield "from a message", finding_form({"p": book(text)}, [], {"held": "found-1", "url": "slack://x"})
    yield "inputs", inputs_form(book(text), people, {})
    yield "plan", plan_form(plan(text, count), {})
    yield "refused plan", plan_form(plan(text, 1, (Problem(text, text, text, "ownership"),)), {})
    yield "join", join_form("run-1", {})
    yield "working", working("Your answer", "one moment")
    yield "said", said("Recorded", cut(readable(text), 2900))
    yield "refused", refused(RequestError(text, where=text, remedy=text))
    options = {"restore": text, "hold": "short"}
    for kind in ("approval", "task", "decide", "gate", "unknown"):
        asking = ask(text, kind=kind, options=options if kind in {"decide", "gate", "unknown"} else {})
        yield f"question {kind}", {"blocks": question(asking, IDS)[1]}
        yield f"answer {kind}", answering(asking, "accept")
    yield "decline", answering(ask(text), "decline")
    yield "two", {"blocks": question(ask(text, quorum=2, agreed=("ines",), items=300), IDS)[1]}
    yield "answered", {"blocks": answered(cut(text, 400), cut(text, 400))[1]}
    yield "handover", {"blocks": handover(cut(text, 200), "leo", "inc-1", IDS)[1]}
    yield "card", {"blocks": card([run(text, count)], IDS, "ines", closed=False)[1]}
    ended = run(text, count, state="ended", contained=True, contained_at=NOW)
    yield "closed card", {"blocks": card([ended], IDS, "ines", closed=True)[1]}


CASES = [
    pytest.param(name, shown, id=f"{name}, {told}")
    for told, text, count in (("short", NASTY, 2), ("long", LONG, 40))
    for name, shown in screens(text, count)
]


@pytest.mark.parametrize(("name", "shown"), CASES)
def test_slack_takes_every_screen(name: str, shown: dict[str, Any]) -> None:
    surface = "modal" if "title" in shown else "message"

    assert () == problems_of(shown["blocks"], surface)
    if surface == "modal":
        texts = [shown[part]["text"] for part in ("title", "submit", "close") if part in shown]
        assert [] == [found for text in texts for found in length_problems(text, name, 24, least=1)]


@pytest.mark.parametrize(("name", "shown"), CASES)
def test_no_screen_is_long_but_the_plan(name: str, shown: dict[str, Any]) -> None:
    most = MOST_BLOCKS * 2 if "plan" in name else MOST_BLOCKS

    assert len(shown["blocks"]) <= most


@pytest.mark.parametrize(("name", "shown"), CASES)
def test_nothing_that_is_quoted_calls_anybody(name: str, shown: dict[str, Any]) -> None:
    texts = [text for text in mrkdwn(shown["blocks"]) if text]

    assert [] == [text for text in texts if "<!channel" in text or "<@UEVIL" in text or "<https://evil" in text]


@pytest.mark.parametrize(
    "told",
    [
        question(ask(NASTY)._replace(title=NASTY), IDS)[0],
        answered(NASTY, NASTY)[0],
        card([run(NASTY, 2)], IDS, "ines", closed=False)[0],
    ],
)
def test_what_a_notification_quotes_calls_nobody(told: str) -> None:
    assert ("<" in told, ">" in told) == (False, False)


def mrkdwn(node: Any) -> Iterator[str]:
    """Yield every text in which Slack reads markup."""
    if isinstance(node, list):
        for one in node:
            yield from mrkdwn(one)
    elif isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            yield str(node["text"])
        for one in node.values():
            yield from mrkdwn(one)


def test_a_person_reads_no_digest_and_no_time_of_a_machine() -> None:
    text = f"2026-05-02: you are not accused [sha256:{'0af8' * 16}], last used at 2026-05-02T01:02:03.893850+00:00"

    shown = json.dumps(question(ask(text), IDS)[1][:-1], ensure_ascii=False)

    assert "sha256" not in shown
    assert "893850" not in shown
    assert "{date_short_pretty} {time}|2026-05-02 01:02Z" in shown


def test_a_digest_is_shown_short_and_signed_whole() -> None:
    view = answering(ask(), "accept")

    assert "`abababababab`" in json.dumps(view["blocks"])
    assert "ab" * 32 == json.loads(view["private_metadata"])["digest"]


def test_whoever_has_agreed_is_named_and_not_asked_again() -> None:
    shown = question(ask(quorum=2, agreed=("ines",)), IDS)[1][-2]["elements"]

    assert "commander: <@ULEO> or kim" == shown[0]["text"]
    assert "*1 of 2* have agreed: <@UINES>" == shown[2]["text"]


@pytest.mark.parametrize(
    ("on_timeout", "words"),
    [("proceed", "it goes on without"), ("abort", "it is not done"), ("escalate(comms)", "comms is asked")],
)
def test_what_happens_else_is_said_in_words(on_timeout: str, words: str) -> None:
    assert words in json.dumps(question(ask(on_timeout=on_timeout), IDS)[1])


def test_a_time_on_another_day_is_shown_with_its_day() -> None:
    assert moment(NOW) == due(NOW, NOW + timedelta(hours=3))
    assert day(NOW) == due(NOW, NOW + timedelta(hours=24))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a word", "a word", id="short"),
        pytest.param("one two three", "one two…", id="between words"),
        pytest.param("onetwothreefour", "onetwothr…", id="no word's end near"),
        pytest.param("one <@UINES> x", "one…", id="not within a mention"),
        pytest.param("one two &amp; x", "one two…", id="not within an escape"),
    ],
)
def test_text_is_cut_where_that_does_not_hurt(text: str, shown: str) -> None:
    assert shown == cut(text, 10)


def test_a_plan_shows_every_step_however_many_a_phase_has() -> None:
    steps = tuple(one._replace(phase="containment", effect="final") for one in plan("a target & more", 60).steps)
    blocks = plan_form(plan("x", 1)._replace(steps=steps), {})["blocks"]

    shown = "\n".join(mrkdwn(blocks))
    assert [] == [one.id for one in steps if f"*{one.id}*" not in shown]
    assert () == problems_of(blocks, "modal")


@pytest.mark.parametrize("line", ["a <b> & c " * 8, "&" * 3000, "short"])
def test_a_message_is_seen_whole_before_it_is_signed(line: str) -> None:
    text = "\n".join([f"{line} {n}." for n in range(3000 // len(line))] + ["the end"])
    state = RunState("run-1")
    state.unit("kill").planned = {"effect": "message", "text": text}
    blocks = preview(ask(), state)

    quoted = [line.removeprefix("> ") for block in blocks[1:] for line in block["text"]["text"].splitlines()]
    assert safe("".join(text.splitlines())) == "".join(quoted)
    assert () == problems_of(blocks, "modal")


def test_of_many_people_each_can_be_chosen() -> None:
    people = {f"p{n}": Person.model_validate({"name": f"Person {n}"}) for n in range(250)}
    blocks = inputs_form(book("x"), people, {})["blocks"]

    groups = next(one["element"]["option_groups"] for one in blocks if "option_groups" in one.get("element", {}))
    assert [one["value"] for group in groups for one in group["options"]] == list(people)
    assert () == problems_of(blocks, "modal")


def test_of_many_options_each_can_be_chosen() -> None:
    for count in (2, 10, 12, 60):
        options = {f"option-{n}": "what it means" for n in range(count)}
        blocks = answering(ask("which one?", kind="decide", options=options), "accept")["blocks"]

        assert [one["value"] for one in blocks[-1]["element"]["options"]] == list(options)
        assert () == problems_of(blocks, "modal")


def test_a_card_names_who_is_awaited_before_the_clocks_and_the_next_clock_first() -> None:
    texts = list(mrkdwn(card([run("x", 5)], IDS, "ines", closed=False)[1]))
    awaited, clocks = (next(n for n, text in enumerate(texts) if word in text) for word in ("*Awaited*", "in time:"))

    assert awaited < clocks
    assert ["x 0", "x 1", "x 2", "x 4"] == [line.split(":")[0][2:] for line in texts[clocks].splitlines()[:4]]


def test_a_card_shows_a_bar_for_many_items_alone() -> None:
    one = step("Tell them", 1)._replace(items=ItemsView(total=1, ended=0, failed=0))
    shown = json.dumps(
        card([run("x", steps=(one, step("Issue", 2)), awaiting=())], IDS, "", closed=False)[1], ensure_ascii=False
    )

    assert "Issue\\n▓▓▓░░░░░░░ 97 of 300, *3 failed*" in shown
    assert "0 of 1" not in shown


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt; as it is written", "&lt; as it is written"),
        ("see <https://evil.example/a?b=1&amp;c=2|evil.example/a>", "see https://evil.example/a?b=1&c=2"),
        ("write to <mailto:ines@lumen.example|ines@lumen.example>", "write to ines@lumen.example"),
        ("to <@UINES> &lt;@ULEO&gt;", "to <@UINES> <@ULEO>"),
    ],
)
def test_what_somebody_wrote_is_read_as_they_typed_it(told: str, meant: str) -> None:
    assert meant == typed(told)


def test_words_are_short_and_harmless() -> None:
    for text in (HELP, told(RequestError(NASTY)), happened([(NOW, NASTY)] * 3), review(f"# {LONG}\n| a | b |\n")):
        assert len(text) <= 2900
        assert "<!channel>" not in text
        assert "<@UEVIL>" not in text
    assert 1 == len(happened([(NOW, "dead: alive")] * 3).splitlines())


def test_every_picture_is_there_small_and_told_of() -> None:
    index = (ROOT / "docs" / "slack" / "index.md").read_text(encoding="utf-8")
    pictures = sorted((ROOT / "docs" / "slack").glob("*.png"))

    assert pictures
    assert [] == [path.name for path in pictures if f"({path.name})" not in index]
    assert [] == [path.name for path in pictures if path.stat().st_size >= 60_000]
