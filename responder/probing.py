"""Presenting a leaked value once more, after the run: a person asks for it, and it is written down."""

from collections.abc import Mapping
from dataclasses import dataclass

from responder.app import App
from responder.credential import Probe, ProveDead
from responder.entry import Draft
from responder.errors import PlanRefused, PlaybookError, RequestError
from responder.incident import Ownership
from responder.resolve import subject
from responder.state import RunState


@dataclass(frozen=True)
class Looked:
    """What one presentation of a run's leaked value showed."""

    run: str
    credential: str
    surfaces: Mapping[str, str]
    """Each surface, and `accepted`, `refused` or `unknown`."""
    reason: str = ""
    """Why there are no surfaces."""

    @property
    def dead(self) -> bool:
        """Whether every surface refused it."""
        return bool(self.surfaces) and set(self.surfaces.values()) == {Probe.REFUSED.value}


def present(app: App, run: str) -> Looked:
    """Present the leaked value of a run to its issuer, once, and write down what came of it.

    RequestError where this login speaks for nobody; PlanRefused where the credential is not ours to present.
    """
    state = app.state(run)
    if not app.person:
        raise RequestError(
            "This login speaks for nobody in responder.yaml; it may only look",
            remedy="set `os_user:` of a person",
        )
    ownership = state.started.get("ownership", {})
    if ownership.get("verdict") != Ownership.OURS.value:
        raise PlanRefused(
            f"This credential is not ours to present: {ownership.get('reason')}", where=state.credential.label
        )
    held = subject(state, app.means)
    if held.value is None:
        return Looked(
            run,
            state.credential.label,
            {},
            "its value is not kept here: only an id was known, or it was shredded",
        )
    action = _proof(app, state).model_validate({"subject": held})
    connection = app.means.connection(state.credential.connection)
    look = action.observe(app.means.client(app.means.access(connection, run, "verify")), ())
    surfaces = {str(name): str(probe) for name, probe in look.facts.get("surfaces", {}).items()}
    incident = app.row(run).incident
    app.dispatcher.timeline(incident).append(
        Draft("presented", {"surfaces": surfaces, "sessions": look.facts.get("sessions")}, run, actor=app.person)
    )
    return Looked(run, state.credential.label, surfaces)


def _proof(app: App, state: RunState) -> type[ProveDead]:
    """Return the issuer's own way to prove death."""
    kind = app.means.registry.verb(app.means.connection(state.credential.connection).provider, ProveDead.verb)
    if not issubclass(kind, ProveDead):
        raise PlaybookError(f"{kind.name} does not present anything", where=state.credential.connection)
    return kind
