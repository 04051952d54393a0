"""Ownership and canaries: what is not ours is neither presented nor ended."""

from collections.abc import Iterator

from responder.errors import Problem
from responder.guards.case import Case
from responder.incident import Judgement, Ownership
from responder.playbook import Playbook

_ISSUER_NOTE = "close our own exposure, and tell its owner; presenting or revoking it is theirs alone"
_WHAT = {
    Ownership.CANARY: "This is a canary: presenting it would tell whoever laid it out",
    Ownership.THIRD_PARTY: "This credential belongs to somebody else",
    Ownership.UNKNOWN: "Nothing shows that this credential is ours",
}


def at_start(judgement: Judgement, playbook: Playbook) -> Iterator[Problem]:
    """Refuse a run that would touch a credential that is not ours, public revocation endpoints included."""
    touching = [step.id for step in playbook.steps if step.action.startswith("credential.")]
    if touching:
        yield from _refused(
            judgement.ownership, judgement.reason, judgement.credential.label, f" Refused: {', '.join(touching)}"
        )


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse an action on a credential that the run's own beginning does not call ours, however the run came to be."""
    if case.on_credential:
        said = case.state.started.get("ownership", {})
        verdict = Ownership(said.get("verdict", Ownership.UNKNOWN))
        yield from _refused(verdict, str(said.get("reason", "the record does not say whose it is")), case.place)


def _refused(ownership: Ownership, reason: str, where: str, more: str = "") -> Iterator[Problem]:
    if ownership is Ownership.OURS:
        return
    unknown = "if it is ours, add it to `inventory` in responder.yaml (by fingerprint or key id); if not: "
    remedy = unknown + _ISSUER_NOTE if ownership is Ownership.UNKNOWN else _ISSUER_NOTE
    yield Problem(f"{_WHAT[ownership]}: {reason}.{more}", where, remedy)
