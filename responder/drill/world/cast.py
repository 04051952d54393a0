"""What a scene puts into the world besides its chat, its mail and its people at work."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from responder.drill.world.ledger import Effect, Line
from responder.drill.world.mail import Mail
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Rejected

if TYPE_CHECKING:
    from responder.drill.world.slack import Slack


class Actor(Protocol):
    """Somebody in the world who does something by themselves, in a thread of their own."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """Go home."""


class Cast(ABC):
    """The systems of a scene, those who use them, and what is known of them in the end."""

    systems: Sequence[System]
    """In the order in which they open."""
    actors: Sequence[Actor] = ()
    listeners: Sequence[Callable[[Mail], None]] = ()
    """Who reads the mail that arrives for people outside the company."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def meet(self, chat: "Slack") -> None:  # noqa: B027 - most scenes have nothing of their own there
        """Put into the chat what the scene has there, before anything opens."""

    def act(self, name: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002 - others need it
        """Do by hand what a task asks of a person, as the scene names it; raises Rejected (404, 409)."""
        raise Rejected(404, f"nobody_can_{name}")

    def state(self) -> dict[str, Any]:
        """Tell how the world is now; `claims_pending` is how many people still want to collect something."""
        return {"claims_pending": 0}

    def errand(self, fields: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: ARG002 - for casts that have some
        """Let a person do something at one of the systems; return status and body. Rejected where nobody does such."""
        raise Rejected(404, "errand_unknown")

    @abstractmethod
    def probe(self) -> list[dict[str, Any]]:
        """Present every leaked value from outside, count sessions, and write each finding to the ledger."""

    def did(self, system: str, *effects: Effect, actor: str = "person") -> None:
        """Write to the ledger what somebody did by hand where no request shows it."""
        self.ground.ledger.write(Line(system, actor=actor, outcome="served", write=True), *effects)

    def found(self, key: str, system: str, **facts: Any) -> dict[str, Any]:
        """Write one finding of the final probes to the ledger, and return it."""
        effect = Effect("final_probe", key, system, facts)
        self.ground.ledger.write(Line(system, actor="score", outcome="served"), effect)
        return effect.shown()
