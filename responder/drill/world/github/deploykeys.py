"""Deploy keys: SSH keys that open one repository; a public half opens one door only, wherever it is."""

import base64
import binascii
from typing import TYPE_CHECKING, Any

from responder.drill.world.github.state import DeployKey, Refusal, Repository, not_found, shown_at
from responder.drill.world.ledger import Effect
from responder.drill.world.web import Answer, Request, Route, route

if TYPE_CHECKING:
    from responder.drill.world.github.site import GitHub

_REPO = "/repos/{owner}/{repo}"
_PERMISSION = "administration"


class DeployKeys:
    """The part that knows deploy keys."""

    def __init__(self, site: "GitHub") -> None:
        self._site = site

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked."""
        return (
            route("GET", _REPO + "/keys", self.list_all),
            route("POST", _REPO + "/keys", self.add),
            route("GET", _REPO + "/keys/{id}", self.one),
            route("DELETE", _REPO + "/keys/{id}", self.remove),
        )

    def list_all(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the keys of a repository, page by page."""
        repository = self._seen(request, parts, "read")
        return self._site.page(request, [_shown(one, repository) for one in repository.keys.values()])

    def add(self, request: Request, parts: dict[str, str]) -> Answer:
        """Add a public key; a title twice is fine, a key twice is not, in whatever repository it is."""
        repository = self._seen(request, parts, "write")
        if not repository.deploy_keys_allowed:
            raise Refusal(422, "Deploy keys are disabled for this repository")
        algorithm, _, rest = str(request.fields.get("key", "")).partition(" ")
        body = rest.split(" ")[0]
        if not _is_public(algorithm, body):
            told = {
                "resource": "PublicKey",
                "field": "key",
                "message": "key is invalid. You must supply a key in OpenSSH public key format",
            }
            raise Refusal(422, "Validation Failed", errors=[{**told, "code": "custom"}])
        key = f"{algorithm} {body}"
        taken = [one.key for each in self._site.repositories.values() for one in each.keys.values()]
        if key in [*taken, *(one for keys in self._site.ssh_keys.values() for one in keys)]:
            told = {"resource": "PublicKey", "field": "key", "message": "key is already in use"}
            raise Refusal(422, "Validation Failed", errors=[{**told, "code": "custom"}])
        made = self.put(repository, str(request.fields.get("title", "")), key, bool(request.fields.get("read_only")))
        effect = Effect("key_issued", made.title, made.title, {"id": f"{repository.name}#{made.number}"})
        return Answer(201, _shown(made, repository), (effect,))

    def put(self, repository: Repository, title: str, key: str, read_only: bool = True) -> DeployKey:
        """Keep a key."""
        now = self._site.ground.clock.now()
        made = DeployKey(self._site.number(), title, key, read_only, now, "lumen-admin")
        repository.keys[made.number] = made
        return made

    def one(self, request: Request, parts: dict[str, str]) -> Answer:
        """Show one key."""
        repository = self._seen(request, parts, "read")
        return Answer(body=_shown(_of(repository, parts), repository))

    def remove(self, request: Request, parts: dict[str, str]) -> Answer:
        """Remove a key: it opens nothing from here on."""
        repository = self._seen(request, parts, "write")
        gone = _of(repository, parts)
        del repository.keys[gone.number]
        return Answer(204, "", (Effect("key_deleted", f"{repository.name}#{gone.number}", gone.title),))

    def opens(self, private_key: str) -> str:
        """Return the repository that a private key opens over SSH; empty where it opens none."""
        return self.id_of(private_key).partition("#")[0]

    def id_of(self, private_key: str) -> str:
        """Return the id of the deploy key that a private key belongs to, `owner/repo#123`; empty if none."""
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - slow to import
            Encoding,
            PublicFormat,
            load_ssh_private_key,
        )

        try:
            public = load_ssh_private_key(private_key.encode(), None).public_key()
        except ValueError:
            return ""
        key = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        for repository in self._site.repositories.values():
            for one in repository.keys.values():
                if one.key == key and one.enabled:
                    return f"{repository.name}#{one.number}"
        return ""

    def _seen(self, request: Request, parts: dict[str, str], level: str) -> Repository:
        self._site.need(request, _PERMISSION, level, "repo")
        return self._site.repository(parts)


def _of(repository: Repository, parts: dict[str, str]) -> DeployKey:
    found = repository.keys.get(int(parts["id"])) if parts["id"].isdigit() else None
    if found is None:
        raise not_found()
    return found


def _shown(one: DeployKey, repository: Repository) -> dict[str, Any]:
    return {
        "id": one.number,
        "key": one.key,
        "url": f"https://api.github.com/repos/{repository.name}/keys/{one.number}",
        "title": one.title,
        "verified": True,
        "created_at": shown_at(one.made_at),
        "read_only": one.read_only,
        "added_by": one.added_by,
        "last_used": None,
        "enabled": one.enabled,
    }


def _is_public(algorithm: str, body: str) -> bool:
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(body) and data[4 : 4 + len(algorithm)] == algorithm.encode()
