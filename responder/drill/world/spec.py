"""What a world is told before it starts: one JSON line, read strictly."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from responder.drill.faults import Fault, parse_faults


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Person(_Strict):
    """Somebody whom the world's chat knows by mail address."""

    id: str
    name: str
    email: str


class Propagation(_Strict):
    """How long each surface of the gateway accepts an ended key, in seconds of the drill's clock."""

    api: float = Field(default=20.0, ge=0, le=3600)
    edge: float = Field(default=30.0, ge=0, le=3600)

    def of(self, surface: str) -> float:
        """Return the seconds of `surface` (`api` or `edge`)."""
        return self.edge if surface == "edge" else self.api


class Delay(_Strict):
    """How long a person takes, at least and at most, in seconds of the drill's clock."""

    least: float = Field(default=5.0, ge=0)
    most: float = Field(default=90.0, ge=0)


class WorldSpec(_Strict):
    """Everything that a world needs to know; the same specification makes the same people, ids and values."""

    dir: Path
    """Where `ledger.jsonl` and `secrets.json` are written; made when missing."""
    clock: Path
    """The file of the drill's scaled clock."""
    scene: str = "founding"
    """The scene that is played: which systems there are, and what leaked."""
    seed: int = 7
    faults: tuple[str, ...] = ()
    holders: int = Field(default=300, ge=1, le=999)
    propagation_seconds: Propagation = Propagation()
    public_rate: float = Field(default=10.0, ge=0, le=15)
    """Requests that the public makes in a real second, over all its members; 0 for a silent public."""
    open_sessions: int = Field(default=5, ge=0, le=20)
    """Sessions that were opened with the shared token before the drill began."""
    claim_delay: Delay = Delay()
    """How long a holder takes from a mail with a claim address to the claim."""
    people: tuple[Person, ...] = ()
    """Members of staff whom the chat knows besides those of the inventory."""

    def parsed_faults(self) -> tuple[Fault, ...]:
        """Return the faults; raise InputError that names every wrong one."""
        return parse_faults(self.faults)
