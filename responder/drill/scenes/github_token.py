"""A personal token of GitHub stands in a public repository, and in an issue; secret scanning has seen both."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.scenes.leak import LeakScene
from responder.drill.world.fleet import Stored
from responder.drill.world.github import GitHub, Location
from responder.drill.world.leak import Leak, bearing
from responder.drill.world.system import Ground
from responder.drill.world.values import SECRET_SHAPE, Leaked, drawn
from responder.finding import Exposure

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState
    from responder.unit import Ask

ORGANIZATION, REPOSITORY, SECRET = "lumen-labs", "lumen-labs/demo", "DEPLOY_KEY"
PUBLIC = "lumen-labs/examples"
"""Where the token was found; no secret is delivered into that repository, so that the services read another."""
OWNER = "lumen-build"
_SHA = "5b1e" * 10
_LOCATIONS = (
    Location("commit", {"path": "config/prod.env", "start_line": 3, "commit_sha": _SHA, "blob_sha": _SHA}),
    Location("issue_body", {"issue_body_url": f"https://api.github.com/repos/{PUBLIC}/issues/4"}),
)


class _Token(LeakScene):
    """A token with which a build and a service read a repository."""

    playbook: ClassVar[str] = "github-token"
    title: ClassVar[str] = "A personal token of our build's user stands in a commit of a public repository."
    issuer: ClassVar[str] = "github"
    own: ClassVar[Mapping[str, str]] = {
        "GITHUB_ADMIN": "github-admin", "GITHUB_CONTROL": "control", "KNOWN_TOKEN": "leaked",
    }  # fmt: skip
    services: ClassVar[tuple[str, ...]] = ("build", "mirror")
    watched: ClassVar[re.Pattern[str]] = re.compile(SECRET_SHAPE.pattern + r"|ghp_[A-Za-z0-9]{36}")
    libraries: ClassVar[Mapping[str, str]] = {"nacl": "github"}

    def minted(self, seed: int) -> dict[str, str]:
        """Return the token that leaked, a known-good one, and our own."""
        return {label: "ghp_" + drawn(seed, label, 36) for label in ("leaked", "control", "github-admin")}

    def populate(self, ground: Ground) -> Leak:
        """Make the organisation with its repository, the user of the build, and the alert."""
        host = GitHub(ground, ORGANIZATION)
        host.add_token("leaked", OWNER, scopes=("repo",))
        host.add_token("control", "lumen-watch")
        host.add_token("github-admin", "ada", scopes=("repo", "admin:org"))
        host.add_repository(REPOSITORY)
        host.add_repository(PUBLIC, private=False)
        for login in (OWNER, "lumen-watch"):
            host.add_member(login)
        host.add_member("ada", role="admin")
        host.ssh_keys[OWNER] = ["ssh-ed25519 " + drawn(ground.spec.seed, "ssh", 68)]
        host.add_alert(PUBLIC, "leaked", "github_personal_access_token", _LOCATIONS, publicly_leaked=True)
        long_ago = ground.clock.origin - timedelta(days=30)
        host.boxes.keep(REPOSITORY, SECRET, ground.labels["leaked"], at=long_ago)
        label_of = _labelled(host)
        return Leak(
            ground, [host], services=dict.fromkeys(self.services, "leaked"), leaked=["leaked"], accepts=host.accepts,
            use=bearing(ground.labels["leaked"], "/user"), elsewhere={"build": _kept(host)}, label_of=label_of,
            names=lambda label: host.deploy_keys.id_of(ground.labels[label]),
        )  # fmt: skip

    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the organisation, with an administrator's token and a known-good one."""
        return {
            "issuer": {
                "provider": "github", "account": "ada", "secret": "env:GITHUB_ADMIN", "control": "env:GITHUB_CONTROL",
                "base_url": stage.urls["github"], "organization": ORGANIZATION, "repositories": [REPOSITORY],
                "issues": "deploy-key",
            },
        }  # fmt: skip

    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return the token, which has no id that anybody could see."""
        return {"id": "build-token", "kind": "personal token", "known_by": "env:KNOWN_TOKEN"}

    def place(self, service: str) -> dict[str, Any]:
        """Return the secret of GitHub Actions, or the vault."""
        own = {"connection": "issuer", "secret": f"{REPOSITORY}:{SECRET}"}
        return own if service == "build" else super().place(service)

    def exposure(self, stage: "Stage") -> Exposure:
        """Return the line of the commit."""
        url = f"https://github.com/{PUBLIC}/blob/{_SHA}/config/prod.env#L3"
        return Exposure(url=url, place="a commit of a public repository", kind="public")

    def inputs(self, stage: "Stage") -> Mapping[str, Any]:
        """Return the alert."""
        return {"repository": PUBLIC, "alert": 1}

    def choice(self, state: "RunState", ask: "Ask") -> str:
        """Leave the SSH key of the build's user, which is its own."""
        return "leave-open" if "leave-open" in ask.options else super().choice(state, ask)

    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the token, which the world's ledger names by its label."""
        return [Leaked("leaked", "leaked", ("github",))]

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return the token's end, a new secret for each service, and the alert's end."""
        written = [Expected("secret_written", self.place(name)["secret"]) for name in self.services]
        return [Expected("key_revoked", OWNER, "leaked"), *written, Expected("alert_resolved", "revoked")]


def _labelled(host: GitHub) -> Callable[[str], str]:
    """Return what finds the label of a value; a new deploy key's private half gets one as soon as it is stored."""

    def label_of(value: str) -> str:
        labels = host.ground.labels
        known = labels.of(value) or ""
        if known not in ("", "unknown"):
            return known
        with host.lock:
            key_id = host.deploy_keys.id_of(value)
        if key_id:
            labels.add({f"deploy-key-{key_id}": value})
        return f"deploy-key-{key_id}" if key_id else ""

    return label_of


def _kept(host: GitHub) -> Callable[[], Stored | None]:
    def read() -> Stored | None:
        with host.lock:
            found = host.boxes.kept[REPOSITORY, SECRET]
            return Stored(found.value, found.changed_at) if found.value else None

    return read


SCENE = _Token()
