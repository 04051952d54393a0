"""GitHub: leaked tokens and deploy keys, secrets of Actions, an organisation's people, and secret scanning alerts.

Who used a token, only the audit log of an organisation on GitHub Enterprise Cloud tells, by the token's hash; it is not
read here. GitHub's documentation of that log says that it keeps events for 180 days, but Git events, such as clones,
for seven: whoever needs them exports those first.
"""

from collections.abc import Iterator, Sequence

from responder.action import Access, Action, KeySeen, Provider, Traits
from responder.credential import Issue
from responder.providers.github.alerts import AlertLocations, CloseAlert
from responder.providers.github.client import Client, identify
from responder.providers.github.deploykeys import keys_of
from responder.providers.github.ending import DoorsOf, InspectCredential, ProveCredentialDead, RevokeCredential
from responder.providers.github.grants import RevokeFineGrainedPat, list_all
from responder.providers.github.hourly import IssueInstallationToken
from responder.providers.github.issuing import IssueDeployKey
from responder.providers.github.options import Options
from responder.providers.github.people import BlockUser, RemoveMember, RemoveOutsideCollaborator
from responder.providers.github.permissions import lacking_app, lacking_classic, lacking_fine_grained
from responder.providers.github.secrets import DeliverToActions, seen
from responder.providers.github.tokens import kind_of
from responder.redaction import CREDENTIAL_SHAPES

_SCOPES = "x-oauth-scopes"


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


def _fits(options: Options, action: type[Action]) -> bool:
    """Choose between the two that issue by what the connection makes."""
    made = {"deploy-key": IssueDeployKey, "installation-token": IssueInstallationToken}
    return not issubclass(action, Issue) or options.issues is None or action is made[options.issues]


def _keys(client: Client) -> Iterator[KeySeen]:
    """List the deploy keys of the named repositories; an app is shown the fine-grained tokens of members as well."""
    for repository in client.options.repositories:
        for key in keys_of(client, repository):
            yield KeySeen(str(key.id), key.state, key.title, key.added_by, key.last_used_at)
    if client.options.app_id and client.options.organization:
        for one in list_all(client, client.options.organization):
            yield KeySeen(one.key_id, "live", one.name, one.owner, one.last_used_at)


def _lacking(client: Client, permissions: Sequence[str]) -> Sequence[str]:
    """Say what we lack: an installation's permissions and a classic token's scopes are told, nobody else's are."""
    if client.options.client_id:
        return ()
    token = client.our_token()
    if client.permissions is not None:
        return lacking_app(permissions, client.permissions)
    answer = client.ask("GET", "/rate_limit", permission="a valid credential")
    if _SCOPES not in answer.headers:
        return lacking_fine_grained(permissions) if kind_of(client, token) == "github_pat_" else ()
    return lacking_classic(permissions, [one.strip() for one in answer.headers[_SCOPES].split(",")])


# Users' tokens are made, and switched off for a while, by nobody but their users: `issue` makes deploy keys and an
# installation's tokens, and there is no `disable`.
PROVIDER = Provider(
    name="github",
    actions=(
        InspectCredential,
        DoorsOf,
        RevokeCredential,
        IssueDeployKey,
        IssueInstallationToken,
        DeliverToActions,
        ProveCredentialDead,
        RemoveMember,
        RemoveOutsideCollaborator,
        BlockUser,
        RevokeFineGrainedPat,
        CloseAlert,
        AlertLocations,
    ),
    connect=_connect,
    identify=identify,
    options=Options,
    offers=Options.verbs,
    fits=_fits,
    traits=lambda options: Traits(options.propagation.total_seconds()),
    shape=lambda _: CREDENTIAL_SHAPES["github"].pattern,
    keys=_keys,
    place=seen,
    lacking=_lacking,
)
