"""OpenBao and HashiCorp Vault: leaked tokens, secret ids and leases, and the store that new values go into.

Who used what, only the audit devices know. No API reads back what they have written, and how long it is kept, whoever
runs the server decides.
"""

from responder.action import Access, Provider, Traits
from responder.providers.openbao.client import Client, Options, identify, lacking
from responder.providers.openbao.credentials import (
    EndRoleSessions,
    InspectCredential,
    ListSessions,
    OpenDoors,
    RevokeCredential,
    keys,
)
from responder.providers.openbao.databases import RotateStaticRole
from responder.providers.openbao.issuing import IssueCredential
from responder.providers.openbao.leases import RevokeLease, RevokePrefix
from responder.providers.openbao.proof import ProveCredentialDead
from responder.providers.openbao.storing import DeliverToStore, DestroyOldVersions, seen_place

# Service, batch and recovery tokens: of HashiCorp's since 1.10, and of OpenBao; behind the second dot a namespace.
_SHAPE = r"\b(?:hv[sbr]\.[A-Za-z0-9_-]{24,}|s\.[A-Za-z0-9]{24}(?:\.[A-Za-z0-9]{5,6})?|b\.[A-Za-z0-9_-]{80,})\b"


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


# Nothing here is switched off so that it could be switched on again.
PROVIDER = Provider(
    name="openbao",
    actions=(
        InspectCredential,
        RevokeCredential,
        ListSessions,
        EndRoleSessions,
        OpenDoors,
        ProveCredentialDead,
        IssueCredential,
        DeliverToStore,
        DestroyOldVersions,
        RevokeLease,
        RevokePrefix,
        RotateStaticRole,
    ),
    connect=_connect,
    identify=identify,
    options=Options,
    traits=lambda options: Traits(options.propagation.total_seconds()),
    shape=lambda _: _SHAPE,
    keys=keys,
    place=seen_place,
    lacking=lacking,
)
