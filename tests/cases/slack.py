"""A workspace of the drill's Slack: another app whose bot's token leaked, its control, a user group, an admin."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from cases.common import Gated, Take, a_world, connection
from cases.contracts import Contract

from responder.action import Action
from responder.credential import Subject
from responder.drill.world.slack import SCOPES, Slack
from responder.providers import slack
from responder.providers.slack.channels import OpenChannel
from responder.providers.slack.memberships import RemoveFromChannel, RemoveFromGroup, ResetSessions
from responder.providers.slack.messages import PostMessage, UpdateMessage
from responder.providers.slack.tokens import CheckInstalled, InspectToken, ProveTokenDead, RevokeToken
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Loopback, Reply, forwarding

# The description is of 2021. Slack's reference (docs.slack.dev/reference/methods) has these besides.
CONTRACT = Contract(
    "slack_web_oas3.json",
    prefix="/api",
    beyond=["/api/conversations[.]kick", "/api/usergroups[.]users[.]update", "/api/admin[.]users[.]session[.]list"],
)
_ADMIN = frozenset({"admin.users:read", "admin.users:write", "users:read"})


@contextlib.contextmanager
def a_workspace() -> Iterator[Gated]:
    denial = Reply(200, {"ok": False, "error": "missing_scope"})
    with a_world() as world, Loopback(forwarding(world.urls["slack"]), denial=denial) as gate:
        peopled(world.slack)
        bot = connection("slack", account="T0LUMEN", base_url=f"{gate.url}/api/", propagation="10s")
        labels = world.ground.labels
        yield Gated(gate, bot, world.ground.clock, "T0LUMEN", labels["slack-bot"], labels["watch-bot"], world)
        wrong = CONTRACT.problems(gate.seen)
        assert not wrong, "\n".join(wrong)


def peopled(chat: Slack) -> None:
    """Add what an incident at Slack is about."""
    chat.app.scopes = SCOPES | {"usergroups:read", "usergroups:write"}
    chat.add_bot("deploy-bot", "deploy", scopes=frozenset({"chat:write", "channels:read"}), channels=("incidents",))
    chat.add_bot("watch-bot", "watch", scopes=frozenset())
    chat.add_person_token("org-admin", "URUTH", scopes=_ADMIN, is_admin=True)
    chat.add_group("S0ONCALL", "oncall", ("UINES", "UTOMAS", "UKENJI"))
    chat.roster.terms.enterprise, chat.roster.terms.reset_seconds = True, 5.0
    for number, kind in ((1, "web"), (2, "mobile")):
        chat.add_session(number, "UTOMAS", kind)
    chat.add_session(3, "UINES")
    chat.workspace.find("incidents").members.append("UTOMAS")


def earlier_message(live: Gated, _: Take) -> Action:
    channel = next(each for each in live.world.slack.channels.values() if each.name == "incidents")
    stamp = "1777712400.000001"
    channel.messages.append({"type": "message", "user": "UBOT", "ts": stamp, "text": "before", "blocks": None})
    return UpdateMessage(channel="incidents", ts=stamp, text="after <https://lumen.example>")


def on_token(action: type[Any]) -> Callable[[Gated, Take], Action]:
    return lambda live, take: action(subject=Subject(id="deploy", value=take(live.value("deploy-bot"))))


def on_dead_token(live: Gated, take: Take) -> Action:
    live.world.slack.app.others["deploy-bot"].end = "account_inactive"
    return on_token(RevokeToken)(live, take)


def other_tokens(live: Gated) -> dict[str, bool]:
    return {label: live.world.slack.accepts(label) for label in ("slack-bot", "slack-app", "watch-bot", "org-admin")}


def as_admin(action: Action) -> Callable[[Gated, Take], Action]:
    """Act with a person's token: no bot may do what only the organisation's admins may."""

    def make(live: Gated, take: Take) -> Action:
        live.secret = live.value("org-admin")
        take(live.secret)
        return action

    return make


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
        ActionCase(on_token(InspectToken), "inspect", can_be_denied=False),
        ActionCase(on_token(RevokeToken), "revoke", gone=on_dead_token, spares=other_tokens, can_be_denied=False),
        ActionCase(on_token(ProveTokenDead), "prove_dead", can_be_denied=False),
        ActionCase(on_token(CheckInstalled), "check_installed"),
        ActionCase(
            lambda *_: RemoveFromChannel(channel="incidents", user="UTOMAS"), "remove_from_channel",
            gone=lambda *_: RemoveFromChannel(channel="incidents", user="USALMA"),
        ),
        ActionCase(
            lambda *_: RemoveFromGroup(group="@oncall", user="UTOMAS"), "remove_from_group",
            gone=lambda *_: RemoveFromGroup(group="oncall", user="USALMA"),
        ),
        ActionCase(
            as_admin(ResetSessions(user="UTOMAS")), "reset_sessions", gone=as_admin(ResetSessions(user="USALMA")),
            settle=lambda live: live.clock.move(6.0),
        ),
    ),
)  # fmt: skip
