"""The drill's OpenBao: its tokens, who is whose child, and until when each is taken."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from responder.drill.world.ledger import Effect
from responder.drill.world.system import Ground
from responder.drill.world.values import drawn
from responder.drill.world.web import Answer, Rejected

UNKNOWN = "permission denied"
"""What a token gets that nobody knows."""
NOT_ALLOWED = "1 error occurred:\n\t* permission denied\n\n"
"""What a token gets that is known, and may not do this."""


class Refused(Rejected):
    """The request is refused as the real server does it: with a list of errors."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status, "refused")
        self.answer = Answer(status, {"errors": list(errors)})


@dataclass
class Token:
    """A token of the server."""

    label: str
    value: str
    accessor: str
    policies: tuple[str, ...]
    made_at: datetime
    parent: str = ""
    """The accessor of the token that made it; empty for an orphan."""
    display_name: str = "token"
    entity: str = ""
    path: str = "auth/token/create"
    kind: str = "service"
    uses: int = 0
    """How many uses are left; 0 for no end."""
    meta: dict[str, str] | None = None
    dead_from: datetime | None = None

    def shown(self, *, with_value: bool) -> dict[str, Any]:
        """Return it as a lookup shows it; a lookup by accessor never shows the value."""
        return {
            "accessor": self.accessor,
            "creation_time": int(self.made_at.timestamp()),
            "display_name": self.display_name,
            "entity_id": self.entity,
            "expire_time": None,
            "id": self.value if with_value else "",
            "meta": self.meta,
            "num_uses": self.uses,
            "orphan": not self.parent,
            "path": self.path,
            "policies": list(self.policies),
            "ttl": 0,
            "type": self.kind,
        }


@dataclass
class Tokens:
    """All tokens. A batch token has no accessor, and cannot be revoked; a token's children end with it."""

    ground: Ground
    propagation: float = 0.0
    """Seconds for which a revoked token is still taken."""
    all: list[Token] = field(default_factory=list)

    def add(self, label: str, policies: Sequence[str] = ("default",), **more: Any) -> Token:
        """Make a token; its value is that of the label, or a new one. `parent` is an accessor."""
        batch = more.get("kind") == "batch"
        try:
            value = self.ground.labels[label]
        except KeyError:
            value = ("b.AAAA" + drawn(self.ground.spec.seed, label, 120)) if batch else self._drawn("s.", label)
            self.ground.labels.add({label: value})
        accessor = "" if batch else self._drawn("", f"accessor:{label}")
        made = Token(label, value, accessor, tuple(policies), self.ground.clock.now(), **more)
        self.all.append(made)
        return made

    def live(self) -> Iterator[Token]:
        """Yield those that are taken."""
        yield from (one for one in self.all if self.is_live(one))

    def is_live(self, token: Token) -> bool:
        """Tell whether a token is taken now."""
        return token.dead_from is None or self.ground.clock.now() < token.dead_from

    def by_value(self, value: str | None) -> Token | None:
        """Return the live token of a value."""
        return next((one for one in self.live() if value and one.value == value), None)

    def by_accessor(self, accessor: str) -> Token | None:
        """Return the live token of an accessor."""
        return next((one for one in self.live() if accessor and one.accessor == accessor), None)

    def present(self, value: str | None) -> Token:
        """Return the token that is presented, and spend a use of it. Refused (403) where there is none."""
        found = self.by_value(value)
        if found is None:
            raise Refused(403, UNKNOWN)
        if found.uses:
            found.uses -= 1
            if not found.uses:  # the last use is served still, and shows -1
                found.uses = -1
                found.dead_from = self.ground.clock.now()
        return found

    def revoke(self, token: Token) -> tuple[Effect, ...]:
        """End a token and all that was made with it, down to the last child."""
        token.dead_from = self.ground.clock.now() + timedelta(seconds=self.propagation)
        effects = [Effect("key_revoked", token.accessor, token.display_name)]
        for child in self.all:
            if token.accessor and child.parent == token.accessor and child.dead_from is None:
                effects += self.revoke(child)
        return tuple(effects)

    def _drawn(self, prefix: str, label: str) -> str:
        return prefix + drawn(self.ground.spec.seed, f"openbao:{label}", 24)
