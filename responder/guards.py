"""What no plan may do. A guard refuses; it never warns, and no option skips it."""

from responder.action import Effect, Identity
from responder.credential import CredentialAction
from responder.errors import PlanRefused, Problem
from responder.incident import Credential, Judgement, Ownership
from responder.playbook import Playbook, Step
from responder.redaction import Secret
from responder.resolve import Resolved
from responder.state import RunState

_ISSUER_NOTE = "close our own exposure, and tell its owner; presenting or revoking it is theirs alone"


def check_ownership(judgement: Judgement, playbook: Playbook) -> None:
    """Refuse to act on a credential that is not ours: no probe, no revocation, public endpoints included."""
    touching = [step.id for step in playbook.steps if step.action.startswith("credential.")]
    if judgement.ownership is Ownership.OURS or not touching:
        return
    what = {
        Ownership.CANARY: "This is a canary: presenting it would tell whoever laid it out",
        Ownership.THIRD_PARTY: "This credential belongs to somebody else",
        Ownership.UNKNOWN: "Nothing shows that this credential is ours",
    }[judgement.ownership]
    raise PlanRefused(
        f"{what}: {judgement.reason}. Refused: {', '.join(touching)}",
        where=judgement.credential.label,
        remedy=_ISSUER_NOTE
        if judgement.ownership is not Ownership.UNKNOWN
        else "if it is ours, add it to `inventory` in responder.yaml (by fingerprint or key id); if not: "
        + _ISSUER_NOTE,
    )


def step_problems(step: Step, effect: Effect, *, external: bool) -> list[Problem]:
    """Return what is wrong with a step's approval for what it does; lint and the runner both ask."""
    problems: list[Problem] = []
    place = f"step {step.id}"
    if step.approval is None:
        if effect is Effect.FINAL:
            problems.append(Problem("a final change needs an approval", place, "add `approval:`"))
        if external:
            problems.append(Problem("a text that leaves the house needs an approval", place, "add `approval:`"))
    elif step.approval.on_timeout == "proceed" and effect in {Effect.FINAL, Effect.MESSAGE}:
        problems.append(
            Problem(
                f"`on_timeout: proceed` is not for a {effect.value} effect: silence is no agreement",
                place,
                "use abort or escalate(role)",
            )
        )
    return problems


def check_change(
    step: Step, resolved: Resolved, state: RunState, identity: Identity, ours: Secret | None = None
) -> None:
    """Refuse a change that must not be. PlanRefused carries every reason at once.

    `ours` is the credential that we would act with.
    """
    effect = resolved.action.effect
    problems = step_problems(step, effect, external=bool(resolved.record.get("external")))
    problems += _account(resolved, identity)
    problems += _executor(resolved, identity, state.credential, ours)
    if isinstance(resolved.action, CredentialAction):
        problems += _target(step, state)
    if problems:
        raise PlanRefused(problems=tuple(problems))


def _account(resolved: Resolved, identity: Identity) -> list[Problem]:
    """Return whether the connection is, right now, the account that responder.yaml says."""
    connection = resolved.connection
    place = f"connection {connection.name}"
    if not connection.account:
        return [Problem("the connection does not say which account it is", place, "set `account:` in responder.yaml")]
    if identity.account != connection.account:
        return [
            Problem(
                f"the provider says that this is account {identity.account!r}, "
                f"responder.yaml says {connection.account!r}",
                place,
                "use the right connection, or correct `account:`",
            )
        ]
    return []


def _executor(resolved: Resolved, identity: Identity, leaked: Credential, ours: Secret | None) -> list[Problem]:
    """Return whether we would act with the very credential that leaked.

    It would cut our own hand off, or already has.
    """
    same_value = ours is not None and bool(leaked.fingerprint) and ours.fingerprint == leaked.fingerprint
    same_key = (
        bool(identity.key_id) and identity.key_id == leaked.key_id and resolved.connection.name == leaked.connection
    )
    if not same_value and not same_key:
        return []
    place = f"connection {resolved.connection.name}"
    return [
        Problem(
            "this connection acts with the leaked credential itself",
            place,
            "give the connection another `secret:`, one that did not leak",
        )
    ]


def _target(step: Step, state: RunState) -> list[Problem]:
    """Return whether an ending would hit a credential that this run has issued itself."""
    if step.action not in {"credential.disable", "credential.revoke", "credential.end_sessions"}:
        return []
    issued = {
        str(unit.facts.get("key_id"))
        for unit in state.units.values()
        if unit.planned.get("declared") == "credential.issue"
    }
    if state.credential.key_id and state.credential.key_id in issued:
        return [
            Problem("this key was issued by this very run", f"step {step.id}", "a response never ends the replacement")
        ]
    return []
