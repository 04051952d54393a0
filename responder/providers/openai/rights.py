"""Which rights our own admin key lacks, as far as reading shows it."""

from collections.abc import Sequence

from responder.errors import Denied
from responder.providers.openai.client import READ, READ_AUDIT, READ_USAGE, Client

_HOUR = 3600


def lacking(client: Client, permissions: Sequence[str]) -> Sequence[str]:
    """Return which of these rights to read OpenAI denies us; rights to change are shown by no reading."""
    since = str(int(client.access.clock.now().timestamp()) - _HOUR)
    probes = {
        READ: ("/organization/projects", {"limit": "1"}),
        READ_USAGE: ("/organization/usage/completions", {"start_time": since, "limit": "1"}),
        READ_AUDIT: ("/organization/audit_logs", {"limit": "1"}),
    }
    missing = []
    for permission in permissions:
        if permission in probes:
            path, params = probes[permission]
            try:
                client.ask("GET", path, permission=permission, params=params, missing=True)
            except Denied:
                missing.append(permission)
    return missing
