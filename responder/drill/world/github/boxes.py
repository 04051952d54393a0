"""Secrets of GitHub Actions: sealed for the key of their own place, opened here, and shown to nobody."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from responder.drill.world.github.state import Kept, Refusal, not_found, shown_at
from responder.drill.world.ledger import Effect
from responder.drill.world.web import Answer, Request, Route, route

if TYPE_CHECKING:
    from responder.drill.world.github.site import GitHub

_REPO = "/repos/{owner}/{repo}"
_PLACES = ("/orgs/{org}/actions/secrets", _REPO + "/actions/secrets", _REPO + "/environments/{environment}/secrets")
_MOST = 48 * 1024


@dataclass
class _Box:
    """A place's key pair; the private half is a function of the seed."""

    place: str
    turn: int = 0

    def private(self, seed: int, turn: int) -> bytes:
        return hashlib.sha256(f"{seed}:{self.place}:{turn}".encode()).digest()

    def key_id(self, turn: int) -> str:
        return str(int.from_bytes(hashlib.sha256(f"{self.place}:{turn}".encode()).digest()[:7], "big"))


class Boxes:
    """The part that keeps secrets; needs PyNaCl to hand out keys and open what was sealed."""

    def __init__(self, site: "GitHub") -> None:
        self._site = site
        self._boxes: dict[str, _Box] = {}
        self.kept: dict[tuple[str, str], Kept] = {}
        """By place and name: `owner/repo`, `owner/repo/environments/ENV`, or `orgs/ORG`."""

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked: the same for all three kinds of places."""
        return tuple(
            one
            for base in _PLACES
            for one in (
                route("GET", base, self.list_all),
                route("GET", base + "/public-key", self.public_key),
                route("GET", base + "/{name}/repositories", self.selected),
                route("GET", base + "/{name}", self.one),
                route("PUT", base + "/{name}", self.put),
                route("DELETE", base + "/{name}", self.remove),
            )
        )

    def turn_key(self, place: str) -> None:
        """Give a place a new key; what is sealed for the old one is refused from here on."""
        self._box(place).turn += 1

    def keep(self, place: str, name: str, value: str, at: datetime, **about: Any) -> Kept:
        """Put a secret into a place, as its people did at some moment."""
        self.kept[place, name] = Kept(value, at, at, **about)
        return self.kept[place, name]

    def label_in(self, place: str, name: str) -> str:
        """Return the label of the value that a secret holds; empty where there is none or it cannot be used."""
        found = self.kept.get((place, name))
        return (self._site.ground.labels.of(found.value) or "") if found and found.value else ""

    def list_all(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the secrets of a place, without values."""
        place = self._place(request, parts, "read")
        shown = [_shown(name, kept) for (where, name), kept in self.kept.items() if where == place]
        return Answer(body={"total_count": len(shown), "secrets": shown})

    def public_key(self, request: Request, parts: dict[str, str]) -> Answer:
        """Give the key that secrets of this place are sealed with."""
        from nacl.public import PrivateKey  # noqa: PLC0415 - an extra

        box = self._box(self._place(request, parts, "read"))
        public = PrivateKey(box.private(self._site.ground.spec.seed, box.turn)).public_key
        return Answer(body={"key_id": box.key_id(box.turn), "key": base64.b64encode(bytes(public)).decode()})

    def one(self, request: Request, parts: dict[str, str]) -> Answer:
        """Tell name and times of a secret."""
        place = self._place(request, parts, "read")
        found = self.kept.get((place, parts["name"].upper()))
        if found is None:
            raise not_found()
        shown = _shown(parts["name"].upper(), found)
        return Answer(body=shown | ({"visibility": found.visibility} if place.startswith("orgs/") else {}))

    def selected(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the repositories that an organisation's secret is for."""
        found = self.kept.get((self._place(request, parts, "read"), parts["name"].upper()))
        if found is None:
            raise not_found()
        shown = [{"id": number} for number in found.selected]
        return Answer(body={"total_count": len(shown), "repositories": shown})

    def put(self, request: Request, parts: dict[str, str]) -> Answer:
        """Keep what was sealed; names are kept in capitals, and an old key of the place is refused."""
        place = self._place(request, parts, "write")
        name = parts["name"].upper()
        if name.startswith("GITHUB_") or not name.isidentifier():
            raise Refusal(422, "Secret names can only contain alphanumeric characters or underscores.")
        sealed, key_id = request.fields.get("encrypted_value"), request.fields.get("key_id")
        if not isinstance(sealed, str) or not isinstance(key_id, str):
            raise Refusal(422, 'Invalid request.\n\n"key_id" wasn\'t supplied.')
        value = self._opened(place, sealed, key_id)
        old, now = self.kept.get((place, name)), self._site.ground.clock.now()
        made = Kept(value, old.made_at if old else now, now)
        if place.startswith("orgs/"):
            made.visibility = str(request.fields.get("visibility", ""))
            made.selected = tuple(int(one) for one in request.fields.get("selected_repository_ids") or ())
            if made.visibility not in {"all", "private", "selected"}:
                raise Refusal(422, 'Invalid request.\n\n"visibility" wasn\'t supplied.')
        self.kept[place, name] = made
        effect = Effect("secret_written", self.label_in(place, name) or "unusable", f"{place}:{name}")
        return Answer(204, "", (effect,)) if old else Answer(201, {}, (effect,))

    def remove(self, request: Request, parts: dict[str, str]) -> Answer:
        """Take a secret away."""
        place, name = self._place(request, parts, "write"), parts["name"].upper()
        if self.kept.pop((place, name), None) is None:
            raise not_found()
        return Answer(204, "", (Effect("secret_deleted", name, place),))

    def _place(self, request: Request, parts: dict[str, str], level: str) -> str:
        if "org" in parts:
            self._site.need(request, "organization_secrets", level, "admin:org")
            self._site.ours(parts)
            return f"orgs/{parts['org']}"
        permission = "environments" if "environment" in parts else "secrets"
        self._site.need(request, permission, level, "repo")
        repository = self._site.repository(parts)
        if "environment" not in parts:
            return repository.name
        environment = parts["environment"]
        if environment not in repository.environments:
            raise not_found()
        return f"{repository.name}/environments/{environment}"

    def _box(self, place: str) -> _Box:
        return self._boxes.setdefault(place, _Box(place))

    def _opened(self, place: str, sealed: str, key_id: str) -> str | None:
        """Open a sealed box. What was sealed for another place is taken and unusable (cli/cli#3831)."""
        from nacl.exceptions import CryptoError  # noqa: PLC0415 - an extra
        from nacl.public import PrivateKey, SealedBox  # noqa: PLC0415

        box = self._box(place)
        old = {box.key_id(turn) for turn in range(box.turn)}
        if key_id in old or not key_id.isdigit():
            raise Refusal(422, "The key_id does not belong to the current public key")
        try:
            data = base64.b64decode(sealed, validate=True)
            value = SealedBox(PrivateKey(box.private(self._site.ground.spec.seed, box.turn))).decrypt(data).decode()
        except (binascii.Error, CryptoError, ValueError):
            return None
        if len(value) > _MOST:
            raise Refusal(422, "Secret value is too large")
        return value


def _shown(name: str, kept: Kept) -> dict[str, Any]:
    return {"name": name, "created_at": shown_at(kept.made_at), "updated_at": shown_at(kept.changed_at)}
