"""A personal token with which two programs push stands in a commit of a public repository, and GitHub has seen it."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.scenes.leak import LeakScene
from responder.drill.world.github import GitHub, Location
from responder.drill.world.hosted import Hosted
from responder.drill.world.leak import bearing
from responder.drill.world.system import Ground
from responder.drill.world.values import Leaked, drawn
from responder.errors import RequestError
from responder.finding import Exposure

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState

ORGANIZATION, REPOSITORY = "lumen-labs", "lumen-labs/handbook"
_PLACES = {"render-queue": ("lumen-labs/render", "DEPLOY_KEY"), "demo-site": ("lumen-labs/demo", "DEPLOY_KEY")}
_SHA = "5b1e" * 10
_LOCATIONS = (
    Location("commit", {"path": "config/prod.env", "start_line": 3, "commit_sha": _SHA, "blob_sha": _SHA}),
    Location("issue_body", {"issue_body_url": "https://api.github.com/repos/lumen-labs/handbook/issues/4"}),
)


class _Token(LeakScene):
    """A token that two programs share; each gets a deploy key of its own."""

    playbook: ClassVar[str] = "github-token"
    title: ClassVar[str] = "A personal token of ours is in a commit of a public repository."
    issuer: ClassVar[str] = "github"
    own: ClassVar[Mapping[str, str]] = {
        "GITHUB_ADMIN": "github-admin", "GITHUB_CONTROL": "github-control", "KNOWN_TOKEN": "leaked",
    }  # fmt: skip

    def minted(self, seed: int) -> dict[str, str]:
        """Return the token that leaked, a known-good one, and our own."""
        return {label: "ghp_" + drawn(seed, label, 36) for label in ("leaked", "github-admin", "github-control")}

    def populate(self, ground: Ground) -> Hosted:
        """Make an organisation with two repositories, and the alert. RequestError where PyNaCl is not installed."""
        host = GitHub(ground, ORGANIZATION)
        host.add_token("leaked", "lumen-bot", scopes=("repo",))
        host.add_token("github-control", "lumen-watch", scopes=())
        host.add_token("github-admin", "ada", scopes=("repo", "admin:org", "security_events"))
        host.add_member("ada", role="admin")
        host.add_member("lumen-bot")
        host.add_repository(REPOSITORY, private=False)
        for repository, name in _PLACES.values():
            host.add_repository(repository)
            host.boxes.keep(repository, name, ground.labels["leaked"], at=ground.clock.now())
        host.add_alert(REPOSITORY, "leaked", "github_personal_access_token", _LOCATIONS, publicly_leaked=True)
        return Hosted(
            ground, host, _PLACES, services=dict.fromkeys(_PLACES, "leaked"), leaked=["leaked"],
            names=lambda label: label, use=bearing(ground.labels["leaked"], "/user"),
        )  # fmt: skip

    def settings(self, stage: "Stage", *, live: bool) -> dict[str, Any]:
        """Let both programs read their deploy keys from Actions secrets."""
        made = super().settings(stage, live=live)
        consumers = [
            {"id": name, "connection": "issuer", "secret": ":".join(place), "owner": "kenji"}
            for name, place in _PLACES.items()
        ]
        return {**made, "inventory": [{**made["inventory"][0], "consumers": consumers}]}

    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the code host, on which new credentials are deploy keys."""
        if find_spec("nacl") is None:
            raise RequestError("What this drill needs is not installed", remedy="pip install 'responder[github]'")
        return {
            "issuer": {
                "provider": "github", "account": "ada", "secret": "env:GITHUB_ADMIN", "control": "env:GITHUB_CONTROL",
                "base_url": stage.urls["github"], "organization": ORGANIZATION, "issues": "deploy-key",
            },
        }  # fmt: skip

    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return the token; its value bears no id."""
        return {"id": "bot-token", "kind": "personal token", "known_by": "env:KNOWN_TOKEN"}

    def exposure(self, stage: "Stage") -> Exposure:
        """Return the commit."""
        url = f"https://github.com/{REPOSITORY}/commit/{_SHA}"
        return Exposure(url=url, place="config/prod.env of a public repository", kind="public")

    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the token; the world's ledger knows it by its label, for it has no id."""
        return [Leaked(self.leaked, self.leaked, (self.issuer,))]

    def inputs(self, stage: "Stage") -> Mapping[str, Any]:
        """Return the alert."""
        return {"repository": REPOSITORY, "alert": 1}


SCENE = _Token()
