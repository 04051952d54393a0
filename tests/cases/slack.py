"""A workspace of the drill's Slack."""

import contextlib
from collections.abc import Iterator

from cases.common import Gated, Take, a_world, connection

from responder.action import Action
from responder.providers import slack
from responder.providers.slack.channels import OpenChannel
from responder.providers.slack.messages import PostMessage, UpdateMessage
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Loopback, Reply, forwarding


@contextlib.contextmanager
def a_workspace() -> Iterator[Gated]:
    denial = Reply(200, {"ok": False, "error": "missing_scope"})
    with a_world() as world, Loopback(forwarding(world.urls["slack"]), denial=denial) as gate:
        bot = connection("slack", account="T0LUMEN", base_url=f"{gate.url}/api/")
        yield Gated(gate, bot, world.ground.clock, "T0LUMEN", world.ground.labels["slack-bot"], world=world)


def earlier_message(live: Gated, _: Take) -> Action:
    channel = next(each for each in live.world.slack.channels.values() if each.name == "incidents")
    stamp = "1777712400.000001"
    channel.messages.append({"type": "message", "user": "UBOT", "ts": stamp, "text": "before", "blocks": None})
    return UpdateMessage(channel="incidents", ts=stamp, text="after <https://lumen.example>")


CASE = ProviderCase(
    slack.PROVIDER,
    a_workspace,
    (
        ActionCase(lambda *_: OpenChannel(channel="inc-1", invite=("ines@lumen.example", "UTOMAS")), "open_channel"),
        ActionCase(
            lambda *_: PostMessage(channel="incidents", text="We look into it.", template="internal-alert"),
            "post_message",
        ),
        ActionCase(earlier_message, "update_message"),
    ),
)
