"""Any API of your own: described in responder.yaml, it gets the `credential` verbs without Python."""

from responder.action import Access, Provider, Traits
from responder.providers.http.client import Client, identify, key_id_in
from responder.providers.http.ending import (
    DisableKey,
    EndKeySessions,
    InspectKey,
    ListSessions,
    ProveKeyDead,
    RevokeKey,
)
from responder.providers.http.issuing import IssueKey
from responder.providers.http.listing import keys, place
from responder.providers.http.options import Options
from responder.providers.http.storing import DeliverSecret, TestUse


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


def _traits(options: Options) -> Traits:
    return Traits(options.keys.propagation.total_seconds(), reversible=options.keys.disable is not None)


PROVIDER = Provider(
    name="http",
    actions=(
        InspectKey,
        DisableKey,
        RevokeKey,
        ListSessions,
        EndKeySessions,
        IssueKey,
        DeliverSecret,
        TestUse,
        ProveKeyDead,
    ),
    connect=_connect,
    identify=identify,
    options=Options,
    offers=Options.verbs,
    traits=_traits,
    recognise=key_id_in,
    shape=lambda options: options.keys.shape,
    keys=keys,
    place=place,
)
