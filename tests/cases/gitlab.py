"""The drill's GitLab, with an administrator of ours and a user whose token leaks. No description of it is at hand."""

import contextlib
from collections.abc import Iterator
from typing import Any

from cases.common import Gated, Take, a_ground, connection, standing

from responder.action import Action
from responder.credential import Subject
from responder.drill.world.gitlab import GitLab
from responder.providers import gitlab
from responder.providers.gitlab.issuing import IssueProjectToken
from responder.providers.gitlab.tokens import InspectToken, ProveTokenDead, RevokeToken, UserDoors
from responder.settings import Consumer
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Reply

PROJECT = "lumen/site"
ACCOUNT = "gitlab.example/responder"
CONSUMER = Consumer(id="site", connection="gitlab", secret="x")


@contextlib.contextmanager
def a_gitlab() -> Iterator[Gated]:
    with a_ground() as ground:
        system = GitLab(ground)
        filled(system)
        with standing(system, denial=Reply(403, {"message": "403 Forbidden"})) as gate:
            yield Gated(
                gate, connection("gitlab", account=ACCOUNT, base_url=f"{gate.url}/api/v4", project=PROJECT),
                ground.clock, ACCOUNT, ground.labels["gitlab-admin"],
                ground.labels["gitlab-control"], system,
            )  # fmt: skip


def filled(system: GitLab) -> None:
    system.projects.add(PROJECT)
    system.add_user("responder", admin=True)
    system.add_user("ann")
    system.add_user("watch")
    system.add_token("gitlab-admin", "responder")
    system.add_token("leaked", "ann", ("api", "read_user"))
    system.add_token("ann-second", "ann", ("read_api",))
    system.add_token("gitlab-control", "watch", ("read_user",))


def leaked(live: Gated, take: Take, *, value: bool = True, key_id: bool = True) -> Subject:
    token = next(one for one in live.world.tokens if one.label == "leaked")
    return Subject(
        id="ci", connection="gitlab", key_id=str(token.id) if key_id else "",
        value=take(token.value) if value else None,
    )  # fmt: skip


def on(action: type[Any], *, value: bool = True, key_id: bool = True, **fields: Any) -> Any:
    return lambda live, take: action(subject=leaked(live, take, value=value, key_id=key_id), **fields)


def on_revoked(action: type[Any], **how: bool) -> Any:
    def make(live: Gated, take: Take) -> Action:
        next(one for one in live.world.tokens if one.label == "leaked").revoked = True
        made: Action = on(action, **how)(live, take)
        return made

    return make


def others(live: Gated) -> dict[str, bool]:
    return {one.label: live.world.accepts(one.label) for one in live.world.tokens if one.label != "leaked"}


CASE = ProviderCase(
    gitlab.PROVIDER,
    a_gitlab,
    (
        ActionCase(on(InspectToken), "inspect, value", can_be_denied=False),
        ActionCase(on(InspectToken, value=False), "inspect, id"),
        ActionCase(
            on(RevokeToken), "revoke, value", gone=on_revoked(RevokeToken), spares=others, can_be_denied=False
        ),
        ActionCase(
            on(RevokeToken, value=False), "revoke, id", gone=on_revoked(RevokeToken, value=False), spares=others
        ),
        ActionCase(on(UserDoors), "doors"),
        ActionCase(on(ProveTokenDead), "prove_dead", can_be_denied=False),
        ActionCase(on(IssueProjectToken, consumer=CONSUMER, scopes=("read_api",)), "issue", leaves_orphan=True),
    ),
)  # fmt: skip
