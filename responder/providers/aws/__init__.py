"""AWS: leaked access keys of IAM users, with their sessions, their doors, and the stores that consumers read.

Uses are read from CloudTrail's event history, which keeps management events for 90 days (CloudTrail guide, "Working
with CloudTrail event history"). `kept_until` is counted from the oldest use that it shows.
"""

from responder.action import Access, Action, Provider, Traits
from responder.credential import Consumers, CredentialAction, Sessions, Used
from responder.providers.aws.client import Client, Options, identify
from responder.providers.aws.doors import CLOSING, ListDoors
from responder.providers.aws.ending import DisableKey, EnableKey, InspectKey, ProveKeyDead, RevokeKey
from responder.providers.aws.fencing import FenceUser, LiftFence, ProveUserFenced
from responder.providers.aws.issuing import IssueKey
from responder.providers.aws.keys import every_key
from responder.providers.aws.pair import SHAPE, key_id_in
from responder.providers.aws.policies import lacking
from responder.providers.aws.sessions import EndUserSessions, ListSessions
from responder.providers.aws.storing import DeliverSecret, TestUse, seen
from responder.providers.aws.tracing import ReadConsumers, ReadUses

_ACTIONS: tuple[type[Action], ...] = (
    InspectKey,
    ReadUses,
    ReadConsumers,
    ListDoors,
    FenceUser,
    ProveUserFenced,
    DisableKey,
    RevokeKey,
    ListSessions,
    EndUserSessions,
    IssueKey,
    DeliverSecret,
    TestUse,
    ProveKeyDead,
    EnableKey,
    LiftFence,
    *CLOSING,
)
_BY_TRAIL = {Used.verb, Consumers.verb, Sessions.verb}


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


def _offers(options: Options) -> frozenset[str]:
    verbs = frozenset(action.verb for action in _ACTIONS if issubclass(action, CredentialAction))
    return verbs if options.cloudtrail else verbs - _BY_TRAIL


PROVIDER = Provider(
    name="aws",
    actions=_ACTIONS,
    connect=_connect,
    identify=identify,
    options=Options,
    offers=_offers,
    traits=lambda options: Traits(options.propagation.total_seconds(), reversible=True),
    recognise=lambda _, value: key_id_in(value),
    shape=lambda _: SHAPE,
    keys=every_key,
    place=seen,
    lacking=lacking,
)
