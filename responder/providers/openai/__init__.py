"""OpenAI: leaked keys of an organisation, the people in it, and what it spends.

The audit log has no fixed retention: OpenAI keeps it as long as it can, promises nothing, and tells its customers to
store copies (help article 9687866, "Admin and Audit Logs API for the API Platform"). For usage by the hour its
documentation names no time either. So `kept_until` is empty: copy both early.
"""

from responder.action import Access, Provider, Traits
from responder.providers.openai.client import Client, Options
from responder.providers.openai.ending import InspectKey, ProveKeyDead, RevokeKey
from responder.providers.openai.fencing import FenceProject, RestoreSpendLimit
from responder.providers.openai.issuing import IssueKey
from responder.providers.openai.keys import identify, seen
from responder.providers.openai.people import DeleteInvite, RemoveProjectMember, RemoveUser
from responder.providers.openai.rights import lacking
from responder.providers.openai.traces import AuditLog, ConsumersOfKey, DoorsOfOwner, Usage, UsedKey


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


# No key can be disabled, and OpenAI stores nothing for consumers: no `disable`, no `deliver`, no `test_consumer`.
PROVIDER = Provider(
    name="openai",
    actions=(
        InspectKey,
        UsedKey,
        ConsumersOfKey,
        DoorsOfOwner,
        FenceProject,
        RestoreSpendLimit,
        RevokeKey,
        IssueKey,
        ProveKeyDead,
        RemoveUser,
        RemoveProjectMember,
        DeleteInvite,
        AuditLog,
        Usage,
    ),
    connect=_connect,
    identify=identify,
    options=Options,
    traits=lambda options: Traits(options.propagation.total_seconds()),
    # The longer prefixes of other issuers (`sk-ant-`, `sk-or-`) are not OpenAI's. No value bears its key's id.
    shape=lambda _: r"\bsk-(?!ant-|or-)(?:(?:proj|svcacct|service|admin)-)?[A-Za-z0-9_-]{20,}",
    keys=seen,
    lacking=lacking,
)
