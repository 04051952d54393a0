"""Hugging Face: leaked tokens of the Hub, the Spaces that leak them or hold secrets, and an organisation's members.

An organisation's audit log is read to its oldest event; Hugging Face's documentation of audit logs names no time after
which events are dropped. A Space's commits are kept until somebody rewrites its history.
"""

from responder.action import Access, Provider, Traits
from responder.credential import Consumers, Used
from responder.providers.huggingface.audit import AuditLog, ConsumersInOrganization, UsedInOrganization
from responder.providers.huggingface.client import Client, Options, identify, lacking
from responder.providers.huggingface.commits import CommitLog
from responder.providers.huggingface.members import ListResourceGroups, SetMemberRole
from responder.providers.huggingface.spaces import (
    DeleteSecret,
    DeliverToSpace,
    PauseSpace,
    SetSecret,
    SetVisibility,
    SpaceInfo,
    look,
)
from responder.providers.huggingface.tokens import (
    CheckToken,
    InspectToken,
    ProveTokenDead,
    RevokeInOrganization,
    RevokeToken,
)
from responder.redaction import CREDENTIAL_SHAPES


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


_ACTIONS = (
    InspectToken,
    RevokeToken,
    ProveTokenDead,
    UsedInOrganization,
    ConsumersInOrganization,
    DeliverToSpace,
    RevokeInOrganization,
    CheckToken,
    SpaceInfo,
    PauseSpace,
    SetVisibility,
    SetSecret,
    DeleteSecret,
    CommitLog,
    AuditLog,
    SetMemberRole,
    ListResourceGroups,
)
_LOGGED = frozenset({Used.verb, Consumers.verb})


def _offers(options: Options) -> frozenset[str]:
    """Return the verbs of a connection: what was done with a token only an organisation's audit log tells."""
    verbs = frozenset(str(action.verb) for action in _ACTIONS if hasattr(action, "verb"))
    return verbs if options.organization else verbs - _LOGGED


# Tokens are not made or switched off by any API: `issue` and `disable` are for people, in the Hub's settings, and
# then `huggingface.check_token` looks at the new one.
PROVIDER = Provider(
    name="huggingface",
    actions=_ACTIONS,
    connect=_connect,
    identify=identify,
    options=Options,
    offers=_offers,
    traits=lambda options: Traits(options.propagation.total_seconds()),
    shape=lambda _: CREDENTIAL_SHAPES["huggingface"].pattern,
    place=look,
    lacking=lacking,
)
