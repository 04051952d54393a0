"""GitLab: leaked personal, project and group access tokens.

A token's record tells when it was used last. Single uses are not read here, so there is no log to copy.
"""

import re

from responder.action import Access, Provider, Traits
from responder.providers.gitlab.client import Client, Options, identify, lacking
from responder.providers.gitlab.issuing import IssueProjectToken
from responder.providers.gitlab.tokens import InspectToken, ProveTokenDead, RevokeToken, UserDoors, keys

_VERBS = frozenset({"inspect", "revoke", "doors", "prove_dead"})

# Since GitLab 18 the value may end in a length, a version and a checksum, with dots between them.
_VALUE = r"[A-Za-z0-9_-]{20,}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?"


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


# No token can be switched off for a while, and none is known by its value without asking.
PROVIDER = Provider(
    name="gitlab",
    actions=(InspectToken, RevokeToken, UserDoors, ProveTokenDead, IssueProjectToken),
    connect=_connect,
    identify=identify,
    options=Options,
    offers=lambda options: _VERBS | ({"issue"} if options.project else set()),
    traits=lambda options: Traits(options.propagation.total_seconds()),
    shape=lambda options: rf"\b{re.escape(options.prefix)}{_VALUE}",
    keys=keys,
    lacking=lacking,
)
