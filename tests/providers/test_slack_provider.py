"""Channels and messages, against the drill's chat."""

from collections.abc import Iterator
from typing import Any

import pytest
from provider_bench import bench_of

from responder.action import Change, Unchanged
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.providers.slack import PROVIDER
from responder.providers.slack.channels import OpenChannel
from responder.providers.slack.messages import PostMessage, UpdateMessage
from responder.testing.bench import Bench
from responder.testing.loopback import Reply, Seen, Trouble

OPEN = OpenChannel(channel="inc-1", invite=("ines@lumen.example", "UTOMAS"))
POST = PostMessage(channel="incidents", text="We look into it.")


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("slack") as made:
        yield made


def act(bench: Bench, action: Any) -> Any:
    change = action.plan(bench.client())
    assert isinstance(change, Change)
    return action.apply(bench.client(may_write=True), change)


def called(bench: Bench) -> list[str]:
    return [seen.path.rpartition("/")[2] for seen in bench.live.gate.effective]


def channel(bench: Bench, name: str) -> Any:
    return next(each for each in bench.live.world.slack.channels.values() if each.name == name)


def answering(answer: dict[str, Any], status: int = 200) -> Any:
    return lambda seen: Reply(status, answer)


def test_a_workspace_is_known_by_its_id(bench: Bench) -> None:
    assert PROVIDER.identify(bench.client()).account == "T0LUMEN"


def test_a_channel_is_opened_marked_and_filled(bench: Bench) -> None:
    outcome = act(bench, OPEN)
    made = channel(bench, "inc-1")

    assert made.private
    assert set(made.members) >= {"UINES", "UTOMAS"}
    assert outcome.facts == {"channel": made.id, "name": "inc-1"}


def test_opening_takes_few_requests_however_many_are_invited(bench: Bench) -> None:
    change = OPEN.plan(bench.client())
    before = len(bench.live.gate.seen)
    OPEN.apply(bench.client(may_write=True), change)

    assert [seen.path.rpartition("/")[2] for seen in bench.live.gate.seen[before:]] == [
        "conversations.list",
        "conversations.create",
        "chat.postMessage",
        "conversations.invite",
    ]


def test_somebody_whose_account_is_closed_costs_nobody_the_channel(bench: Bench) -> None:
    bench.live.world.slack.deactivate("UTOMAS")
    act(bench, OPEN)

    members = channel(bench, "inc-1").members
    assert ("UINES" in members, "UTOMAS" in members) == (True, False)
    assert isinstance(OPEN.plan(bench.client()), Unchanged)


@pytest.mark.parametrize("nobody", ["UTYPO00", "typo@lumen.example"])
def test_somebody_whom_nobody_knows_costs_nobody_the_channel(bench: Bench, nobody: str) -> None:
    opening = OpenChannel(channel="inc-1", invite=("ines@lumen.example", nobody))
    outcome = act(bench, opening)

    assert "UINES" in channel(bench, "inc-1").members
    assert "inc-1" == outcome.facts["name"]
    assert isinstance(opening.plan(bench.client()), Unchanged)


@pytest.mark.parametrize("method", ["conversations.create", "chat.postMessage", "conversations.invite"])
def test_wherever_opening_stopped_it_is_finished_and_nothing_is_done_twice(bench: Bench, method: str) -> None:
    change = OPEN.plan(bench.client())
    real = bench.live.gate._answer

    def losing(seen: Seen) -> Reply:
        if seen.path.endswith(method):
            bench.live.gate.trouble = Trouble.ANSWER_LOST
        return real(seen)

    bench.live.gate._answer = losing
    with pytest.raises(OutcomeUnknown):
        OPEN.apply(bench.client(may_write=True), change)
    bench.live.gate._answer = real
    bench.live.misbehave(Trouble.NONE)
    found = OPEN.plan(bench.client())
    if isinstance(found, Change):
        assert found.digest("a", "b", OPEN.effect) == change.digest("a", "b", OPEN.effect)
        OPEN.apply(bench.client(may_write=True), found)

    assert isinstance(OPEN.plan(bench.client()), Unchanged)
    assert sorted(called(bench)) == ["chat.postMessage", "conversations.create", "conversations.invite"]


def test_a_failure_after_the_channel_was_made_is_not_nothing(bench: Bench) -> None:
    change = OPEN.plan(bench.client())
    real = bench.live.gate._answer
    bench.live.gate._answer = lambda seen: Reply(429, {}) if seen.path.endswith("chat.postMessage") else real(seen)
    with pytest.raises(OutcomeUnknown, match="The channel was created"):
        OPEN.apply(bench.client(may_write=True), change)


@pytest.mark.parametrize("name", ["general", "press"])
def test_somebody_elses_channel_is_left_alone(bench: Bench, name: str) -> None:
    channel(bench, name).messages.append({"ts": "1777712400.000001", "text": "Lunch?", "user": "UINES"})
    with pytest.raises(ProviderError) as caught:
        OpenChannel(channel=name).plan(bench.client())

    assert "choose another name" in caught.value.remedy
    assert called(bench) == []


def test_a_message_is_found_again_by_its_marker(bench: Bench) -> None:
    outcome = act(bench, POST)
    for number in range(450):
        channel(bench, "incidents").messages.append({"ts": f"1777712500.{number:06d}", "text": "talk"})
    found = POST.plan(bench.client())

    assert isinstance(found, Unchanged)
    assert found.facts["ts"] == outcome.facts["ts"]


def test_a_reply_is_found_in_its_thread(bench: Bench) -> None:
    root = act(bench, PostMessage(channel="press", text="root")).facts["ts"]
    reply = PostMessage(channel="press", text="more", thread=root)
    bench.live.world.slack.channels[channel(bench, "press").id].messages[0]["metadata"]["event_payload"]["marker"] = "x"
    act(bench, reply)

    assert isinstance(reply.plan(bench.client()), Unchanged)
    assert channel(bench, "press").messages[-1]["thread_ts"] == root


def test_a_message_tells_marker_and_template_in_its_metadata(bench: Bench) -> None:
    act(bench, PostMessage(channel="incidents", text="hello", template="internal-alert"))
    metadata = channel(bench, "incidents").messages[-1]["metadata"]

    assert metadata["event_type"] == "responder_message"
    assert metadata["event_payload"]["marker"] == "run-1f2e3d4c5b6a/step[item]"
    assert metadata["event_payload"]["template"] == "internal-alert"


def test_an_update_keeps_the_marker_and_knows_its_text_however_slack_writes_it(bench: Bench) -> None:
    stamp = act(bench, POST).facts["ts"]
    update = UpdateMessage(channel="incidents", ts=stamp, text="Contained & proven: https://lumen.example")
    act(bench, update)
    message = channel(bench, "incidents").messages[-1]
    message["text"] = "Contained &amp; proven: <https://lumen.example>"

    assert isinstance(update.plan(bench.client()), Unchanged)
    assert message["metadata"]["event_payload"]["marker"] == "run-1f2e3d4c5b6a/step[item]"


def test_a_message_that_is_gone_cannot_be_updated(bench: Bench) -> None:
    act(bench, POST)
    stamp = channel(bench, "incidents").messages[-1]["ts"]
    channel(bench, "incidents").messages.clear()
    channel(bench, "incidents").messages.append({"ts": "1777712400.000009", "text": "x", "thread_ts": stamp})
    with pytest.raises(ProviderError, match="There is no message"):
        UpdateMessage(channel="incidents", ts=stamp, text="x").plan(bench.client())


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(lambda take: {"text": "it is hf_" + "Ab" * 17}, id="in the text"),
        pytest.param(lambda take: {"text": "x", "blocks": ({"text": "sk-" + "Ab" * 17},)}, id="in a block"),
        pytest.param(lambda take: {"text": "x", "blocks": ({"a": [take("v" * 20)]},)}, id="a secret passed whole"),
    ],
)
def test_what_seems_to_hold_a_credential_is_never_posted(bench: Bench, message: Any) -> None:
    with pytest.raises(ProviderError, match="seems to hold a credential"):
        PostMessage(channel="incidents", **message(bench.secret)).plan(bench.client())

    assert bench.live.gate.seen == []


@pytest.mark.parametrize(
    ("code", "reading", "writing"),
    [
        ("missing_scope", Denied, Denied),
        ("not_in_channel", Denied, Denied),
        ("invalid_auth", Denied, Denied),
        ("ratelimited", Unavailable, Unavailable),
        ("internal_error", Unavailable, OutcomeUnknown),
        ("fatal_error", Unavailable, OutcomeUnknown),
        ("channel_not_found", ProviderError, ProviderError),
        ("something_new", ProviderError, ProviderError),
    ],
)
def test_a_200_that_is_a_failure_says_what_may_be_done_next(
    bench: Bench, code: str, reading: type[Exception], writing: type[Exception]
) -> None:
    bench.live.gate._answer = answering({"ok": False, "error": code})
    with pytest.raises(reading) as read:
        bench.client().read("conversations.list", "channels:read")
    with pytest.raises(writing) as written:
        bench.client(may_write=True).write("chat.postMessage", "chat:write", channel="C1")

    assert type(read.value) is reading
    assert type(written.value) is writing


def test_the_scope_that_slack_asks_for_is_named(bench: Bench) -> None:
    bench.live.gate._answer = answering({"ok": False, "error": "missing_scope", "needed": "groups:read"})
    with pytest.raises(Denied) as caught:
        bench.client().read("conversations.list", "channels:read")

    assert "groups:read" in caught.value.remedy


def test_how_long_to_wait_is_passed_on(bench: Bench) -> None:
    bench.live.gate._answer = lambda seen: Reply(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "7"})
    with pytest.raises(Unavailable) as caught:
        POST.plan(bench.client())

    assert caught.value.retry_after == 7


def test_an_answer_that_is_not_slacks_is_no_success(bench: Bench) -> None:
    bench.live.gate._answer = lambda seen: Reply(200, "<html>a proxy</html>")
    with pytest.raises(Unavailable):
        bench.client().read("auth.test", "")
    with pytest.raises(OutcomeUnknown):
        bench.client(may_write=True).write("chat.postMessage", "chat:write", channel="C1")
