"""What no API can do: a person decides, or a person does something and says so."""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from responder.action import Access, Action, Effect, Identity, Provider
from responder.durations import Duration, OnTimeout

_Role = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


class _Asking(Action):
    """Something that waits for a person; the runner asks, and the answer is the outcome."""

    effect: ClassVar[Effect] = Effect.READ
    role: _Role
    """Who may answer."""
    within: Duration = timedelta(days=1)
    """How long to wait; what then follows is `on_timeout`."""
    on_timeout: OnTimeout


class Decide(_Asking):
    """Ask a person to choose one of several options; facts: `choice`, `by`."""

    name: ClassVar[str] = "human.decide"
    question: str
    options: Annotated[dict[str, str], Field(min_length=2)]
    """Each option, and what it means."""


class Task(_Asking):
    """Ask a person to do what no API can do, and to say when it is done; facts: `by`, `said`."""

    name: ClassVar[str] = "human.task"
    instructions: str


class _NoOptions(BaseModel):
    model_config = ConfigDict(defer_build=True, extra="forbid")


def _connect(access: Access) -> Access:
    return access


PROVIDER = Provider(
    name="human",
    actions=(Decide, Task),
    connect=_connect,
    identify=lambda _: Identity(""),
    options=_NoOptions,
)
