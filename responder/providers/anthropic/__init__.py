"""Anthropic: leaked keys of an organisation, and the people in it.

Anthropic's documentation of the Usage and Cost API names no time after which the report drops an hour. So
`kept_until` is empty: copy it early.
"""

from responder.action import Access, Provider, Traits
from responder.providers.anthropic.client import Client, Options, identify
from responder.providers.anthropic.ending import DisableKey, InspectKey, ProveKeyDead, RevokeKey
from responder.providers.anthropic.keys import seen
from responder.providers.anthropic.people import DeleteInvite, RemoveUser
from responder.providers.anthropic.traces import ConsumersOfKey, DoorsOfMaker, UsedKey
from responder.redaction import CREDENTIAL_SHAPES


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


# Keys are made by people in the Console alone: no `issue`.
PROVIDER = Provider(
    name="anthropic",
    actions=(
        InspectKey,
        UsedKey,
        ConsumersOfKey,
        DoorsOfMaker,
        DisableKey,
        RevokeKey,
        ProveKeyDead,
        RemoveUser,
        DeleteInvite,
    ),
    connect=_connect,
    identify=identify,
    options=Options,
    traits=lambda options: Traits(options.propagation.total_seconds(), reversible=True),
    shape=lambda _: CREDENTIAL_SHAPES["anthropic"].pattern,
    keys=seen,
)
