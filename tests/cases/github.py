"""A code host of the drill, empty but for what each case puts there; we act as a GitHub App of the organisation."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import Any

from cases.common import Gated, Take, a_ground, connection, standing
from cases.contracts import Contract, described
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from responder.action import Action
from responder.credential import Subject
from responder.drill.world.github import App, GitHub, Location
from responder.drill.world.github.site import asks_only
from responder.drill.world.values import drawn
from responder.providers import github
from responder.providers.github.alerts import AlertLocations, CloseAlert
from responder.providers.github.ending import DoorsOf, InspectCredential, ProveCredentialDead, RevokeCredential
from responder.providers.github.grants import RevokeFineGrainedPat
from responder.providers.github.hourly import IssueInstallationToken
from responder.providers.github.issuing import IssueDeployKey
from responder.providers.github.people import BlockUser, RemoveMember, RemoveOutsideCollaborator
from responder.providers.github.secrets import DeliverToActions
from responder.settings import Consumer
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Reply, Seen, changes

ORGANIZATION, REPOSITORY = "lumen-labs", "lumen-labs/demo"
PERMISSIONS = {
    "administration": "write", "secrets": "write", "environments": "write", "organization_secrets": "write",
    "members": "write", "organization_user_blocking": "write", "organization_personal_access_tokens": "write",
    "secret_scanning_alerts": "write",
}  # fmt: skip
CONTRACT = Contract(
    "github.json",
    beyond=[
        r"/app(/installations/\d+)?",  # docs.github.com/rest/apps/apps: whom an app's own note speaks for
        r"/installation/repositories",  # docs.github.com/rest/apps/installations: what an installation's token reaches
        r"/users/[^/]+/keys",  # docs.github.com/rest/users/keys: the public SSH keys of a user
        r"/orgs/[^/]+/actions/secrets/[^/]+/repositories",  # docs.github.com/rest/actions/secrets
    ],
)


if CONTRACT.is_there:
    # In an answer the number of an alert is read only; the description says so of the path as well, where that makes
    # every request wrong.
    described(CONTRACT.name)["components"]["schemas"]["alert-number"].pop("readOnly", None)


def value_of(kind: str, label: str) -> str:
    """Make a token's value; no file holds one."""
    return kind + drawn(7, label, 36)


@cache
def app_key() -> tuple[str, str]:
    """Make the private key of our app, and its public half, as PEM."""
    key = generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def ssh_pair() -> tuple[str, str]:
    """Make an SSH key: its private half, and its public half as one line."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def is_change(seen: Seen) -> bool:
    return changes(seen) and not asks_only(seen.method, seen.path, narrowed=bool(seen.body))


def settle(live: Gated) -> None:
    live.clock.move(5)


@contextlib.contextmanager
def a_host(contract: Contract | None = CONTRACT) -> Iterator[Gated]:
    """Run a host with our organisation on it, people in it, and a few tokens."""
    private, public = app_key()
    tokens = {
        "leaked": value_of("ghp_", "leaked"), "control": value_of("ghp_", "control"),
        "installation": value_of("ghs_", "installation"), "refresh": value_of("ghr_", "refresh"),
        "of-our-app": value_of("gho_", "of-our-app"), "admin": value_of("ghp_", "admin"),
        "fine": value_of("github_pat_", "fine"), "bystander": value_of("ghp_", "bystander"),
    }  # fmt: skip
    leaked, other = ssh_pair(), ssh_pair()
    client_secret = drawn(7, "client-secret", 40, "0123456789abcdef")
    values = {"app-key": private, "client-secret": client_secret, "deploy-key": leaked[0]}
    with a_ground(**tokens, **values) as ground:
        host = GitHub(ground, ORGANIZATION)
        with standing(host, contract, writes=is_change, denial=Reply(403, {"message": "Forbidden"})) as gate:
            host.apps["4711"] = App("4711", "responder", public, "99", ORGANIZATION, PERMISSIONS)
            host.oauth["Iv1.ours"] = "client-secret"
            host.add_token("leaked", "mallory", scopes=("repo", "admin:org"))
            host.add_token("control", "lumen-watch", scopes=())
            host.add_token("bystander", "mallory", scopes=("repo",))
            host.add_token("admin", "ada", scopes=("repo", "admin:org"))
            host.add_token("installation", ORGANIZATION, permissions={"contents": "read"})
            host.add_token("refresh", "mallory")
            host.add_token("of-our-app", "mallory", scopes=("read:user",), client_id="Iv1.ours")
            host.add_token("fine", "mallory", permissions={"contents": "write"})
            repository = host.add_repository(REPOSITORY, environments=("prod/eu",))
            host.add_repository("lumen-labs/site")
            host.deploy_keys.put(repository, "ci", leaked[1])
            host.deploy_keys.put(repository, "ci", other[1], read_only=False)
            host.add_member("ada", role="admin")
            host.add_member("mallory")
            host.add_member("bob", state="pending")
            host.outside.update({"carol", "dave"})
            host.add_grant("fine", "mallory", "laptop")
            host.add_grant("bystander", "ada", "ada's")
            host.add_alert(REPOSITORY, "leaked", "github_personal_access_token", LOCATIONS, publicly_leaked=True)
            host.boxes.keep(REPOSITORY, "OLD_TOKEN", "old", at=ground.clock.now() - timedelta(days=1))
            options = {
                "base_url": gate.url, "organization": ORGANIZATION, "app_id": "4711", "installation_id": "99",
                "issues": "deploy-key", "repositories": [REPOSITORY],
            }  # fmt: skip
            ours = connection("github", account=ORGANIZATION, **options)
            yield Gated(gate, ours, ground.clock, ORGANIZATION, private, tokens["control"], host)


SHA = "5b1e" * 10
LOCATIONS = (
    Location("commit", {"path": "config/prod.env", "start_line": 3, "commit_sha": SHA, "blob_sha": SHA}),
    Location("issue_body", {"issue_body_url": "https://api.github.com/repos/lumen-labs/demo/issues/4"}),
)


def first_key(live: Gated) -> str:
    return f"{REPOSITORY}#{min(live.world.repositories[REPOSITORY].keys)}"


def on_token(action: type[Any], label: str = "leaked", **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda live, take: action(subject=Subject(id="bot", value=take(live.value(label))), **fields)


def on_deploy_key(action: type[Any], **fields: Any) -> Callable[[Gated, Take], Action]:
    return lambda live, take: action(
        subject=Subject(id="ci", key_id=first_key(live), value=take(live.value("deploy-key"))), **fields
    )


def dead(label: str) -> Callable[[Gated, Take], Action]:
    def make(live: Gated, take: Take) -> Action:
        live.world.tokens[label].dies_at = live.clock.now()
        return on_token(RevokeCredential, label)(live, take)

    return make


def removed_key(live: Gated, take: Take) -> Action:
    made = on_deploy_key(RevokeCredential)(live, take)
    live.world.repositories[REPOSITORY].keys.pop(min(live.world.repositories[REPOSITORY].keys))
    return made


def others_than(label: str) -> Callable[[Gated], Any]:
    return lambda live: {
        **{
            one: live.world.accepts(one)
            for one in live.world.tokens
            if one != label and not one.endswith(tuple("0123456789"))
        },
        "keys": [list(one.keys) for one in live.world.repositories.values()],
    }


def other_keys(live: Gated) -> Any:
    keys = list(live.world.repositories[REPOSITORY].keys.values())
    return [one.number for one in keys if one.read_only is False], others_than("")(live)["leaked"]


SITE = Consumer(id="site", connection="github", secret=f"{REPOSITORY}:DEPLOY_KEY")


JOB = Consumer(id="job", connection="github", secret=f"{REPOSITORY}:TOKEN", short_lived=True)
NARROW = (REPOSITORY, "secrets:read")


def hourly(
    scopes: tuple[str, ...] = NARROW, consumer: Consumer = JOB, **fields: Any
) -> Callable[[Gated, Take], Action]:
    def make(live: Gated, _: Take) -> Action:
        options = {**live.connection.options, "issues": "installation-token"}
        live.connection = connection("github", account=ORGANIZATION, **options)
        return IssueInstallationToken(subject=Subject(id="bot"), consumer=consumer, scopes=scopes, **fields)

    return make


def pass_time(live: Gated, seconds: float) -> None:
    live.clock.move(seconds)


def living(live: Gated) -> set[str]:
    """Return the tokens for others that the host accepts now; an app's own sign-ins are none."""
    return {label for label, one in live.world.tokens.items() if one.repositories and live.world.accepts(label)}


def delivered(place: str) -> Callable[[Gated, Take], Action]:
    def make(live: Gated, take: Take) -> Action:
        value = "new-" + "vQ8x" * 7
        live.world.ground.labels.add({"delivered": value})
        if place.startswith("orgs/") and ("orgs/lumen-labs", "SHARED") not in live.world.boxes.kept:
            at = live.clock.now() - timedelta(days=1)
            live.world.boxes.keep("orgs/lumen-labs", "SHARED", "old", at=at, visibility="selected", selected=(5, 6))
        consumer = Consumer(id="site", connection="github", secret=place)
        return DeliverToActions(consumer=consumer, value=take(value))

    return make


def the_grant(live: Gated, _: Take) -> Action:
    number = next((one.number for one in live.world.grants.values() if one.label == "fine"), 1)
    return RevokeFineGrainedPat(pat_id=str(number))


def closed_alert(live: Gated, _: Take) -> Action:
    alert = live.world.alerts[REPOSITORY, 1]
    alert.state, alert.resolution = "resolved", "revoked"
    return CloseAlert(repository=REPOSITORY, alert=1, comment="dead")


def blocked(live: Gated, _: Take) -> Action:
    live.world.blocked.add("carol")
    return BlockUser(login="carol")


CASE = ProviderCase(
    github.PROVIDER,
    a_host,
    (
        ActionCase(on_token(InspectCredential), "inspect", can_be_denied=False),
        ActionCase(on_token(InspectCredential, "installation"), "inspect, an installation's", can_be_denied=False),
        ActionCase(on_deploy_key(InspectCredential), "inspect, a deploy key"),
        ActionCase(on_token(DoorsOf), "doors", can_be_denied=False),
        ActionCase(on_deploy_key(DoorsOf), "doors, of a deploy key"),
        ActionCase(
            on_token(RevokeCredential), "revoke", gone=dead("leaked"), spares=others_than("leaked"),
            settle=settle, can_be_denied=False,
        ),
        ActionCase(
            on_token(RevokeCredential, "installation"), "revoke, an installation's", gone=dead("installation"),
            spares=others_than("installation"), can_be_denied=False,
        ),
        ActionCase(on_deploy_key(RevokeCredential), "revoke, a deploy key", gone=removed_key, spares=other_keys),
        ActionCase(on_deploy_key(IssueDeployKey, consumer=SITE), "issue", leaves_orphan=True),
        ActionCase(
            hourly(), "issue, an installation's token", living=living, wait=pass_time,
        ),
        # A lost answer leaves a secret whose value nobody can see: the next plan says when it was written, and by
        # whom it cannot tell.
        ActionCase(delivered(f"{REPOSITORY}:NEW"), "deliver", leaves_orphan=True, settle=settle),
        ActionCase(delivered(f"{REPOSITORY}:OLD_TOKEN"), "deliver, anew", leaves_orphan=True, settle=settle),
        ActionCase(
            delivered(f"{REPOSITORY}/environments/prod/eu:NEW"), "deliver, to an environment",
            leaves_orphan=True, settle=settle,
        ),
        ActionCase(
            delivered("orgs/lumen-labs:SHARED"), "deliver, to an organisation", leaves_orphan=True, settle=settle,
        ),
        ActionCase(on_token(ProveCredentialDead), "prove_dead", can_be_denied=False),
        ActionCase(
            lambda *_: RemoveMember(login="mallory"), "remove_member", gone=lambda *_: RemoveMember(login="eve"),
            spares=lambda live: sorted({*live.world.members} - {"mallory"}),
        ),
        ActionCase(
            lambda *_: RemoveMember(login="bob"), "remove_member, invited",
            spares=lambda live: sorted({*live.world.members} - {"bob"}),
        ),
        ActionCase(
            lambda *_: RemoveOutsideCollaborator(login="carol"), "remove_outside_collaborator",
            gone=lambda *_: RemoveOutsideCollaborator(login="eve"),
            spares=lambda live: sorted(live.world.outside - {"carol"}),
        ),
        ActionCase(lambda *_: BlockUser(login="carol"), "block_user", gone=blocked),
        ActionCase(
            the_grant, "revoke_fine_grained_pat", gone=lambda *_: RevokeFineGrainedPat(pat_id="1"),
            spares=lambda live: [one.label for one in live.world.grants.values() if one.label != "fine"],
        ),
        ActionCase(
            lambda *_: CloseAlert(repository=REPOSITORY, alert=1, comment="Refused on every surface for 60 s."),
            "close_alert", gone=closed_alert,
        ),
        ActionCase(lambda *_: AlertLocations(repository=REPOSITORY, alert=1, key_id="k"), "alert_locations"),
    ),
)  # fmt: skip
