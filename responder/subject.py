"""The credential that a run is about, and what an action on it is. The verbs are imported where a step has one."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from responder.action import Action
from responder.redaction import Secret

LEAVE_OPEN = "leave-open"
"""The option of a decision, for each door by its id, that lets the door stay open."""


class Subject(BaseModel):
    """The credential that a run is about, as actions get it."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = ""
    """Its id in the inventory."""
    kind: str = ""
    connection: str = ""
    key_id: str = ""
    fingerprint: str = ""
    value: Secret | None = None
    owner: str = ""
    """Whose it is, as this run has read it; once a credential is dead, some issuers do not say."""
    issued: tuple[str, ...] = ()
    """The ids of the credentials that this run has issued in its place."""
    left_open: Mapping[str, AwareDatetime] = Field(default_factory=dict)
    """The other ways into its identity that somebody decided to leave open, by id, and when."""


class CredentialAction(Action):
    """An action on the run's own credential. The runner fills `subject`; a playbook cannot."""

    verb: ClassVar[str]
    subject: Subject = Subject()
