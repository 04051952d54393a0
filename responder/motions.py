"""What one person wants for the whole incident, and others must agree to: proposed, signed by digest, carried out."""

import hashlib
import json
from collections.abc import Mapping

from responder.approval import check_person, open_ask
from responder.entry import Draft
from responder.errors import RequestError
from responder.state import RunState

COMMANDER = "commander"
"""The role that decides for a whole incident."""


def proposed(
    state: RunState,
    name: str,
    effect: Draft,
    *,
    person: str,
    reason: str,
    change: Mapping[str, str],
    quorum: int = 1,
) -> Draft:
    """Return the entry with which a person proposes something. RequestError where no reason is given, or nobody may.

    `name` is what people approve (`incident.mode`), `effect` the entry that carries it out, and `change` what they
    are shown: `target`, `before`, `after`.
    """
    if not reason.strip():
        raise RequestError("There is no reason", where=name, remedy="say why: --reason TEXT")
    others = [one for one, known in state.people.items() if COMMANDER in known["roles"] and one != person]
    if len(others) < quorum:
        raise RequestError(
            f"{quorum} other {'person' if quorum == 1 else 'people'} with the role {COMMANDER} must agree",
            where=name,
            remedy=f"give somebody the role {COMMANDER} in responder.yaml; it counts from the next run on",
        )
    signed = json.dumps([name, effect.event, dict(effect.facts), reason], sort_keys=True, default=str)
    told = {
        "effect": effect.event,
        "facts": {**effect.facts, "reason": reason},
        "reason": reason,
        "role": COMMANDER,
        "quorum": quorum,
        "digest": hashlib.sha256(signed.encode()).hexdigest(),
        "change": dict(change),
    }
    return Draft("requested", told, step=name, actor=person)


def agreed(state: RunState, name: str, person: str, digest: str = "") -> list[Draft]:
    """Return the entries of a person's agreement to a motion, and of what follows when it is the last that counts."""
    ask = open_ask(state, name, ("approval",))
    check_person(state, ask, person)
    if digest and digest != ask.digest:
        raise RequestError("It is another proposal now than the one that you saw", where=name, remedy="look again")
    if person in ask.agreed:
        raise RequestError(f"{person} has agreed already; somebody else must", where=name)
    drafts = [Draft("agreed", {"digest": ask.digest, "role": ask.role}, step=name, actor=person)]
    if len(ask.agreed) + 1 >= ask.quorum:
        motion = state.standing.motions[name]
        by = [ask.by, *ask.agreed, person]
        drafts.append(Draft(motion.effect, {**motion.facts, "by": by}, actor=person))
    return drafts


def declined(state: RunState, name: str, person: str, reason: str) -> Draft:
    """Return the entry of a person's refusal of a motion."""
    ask = open_ask(state, name, ("approval",))
    check_person(state, ask, person)
    return Draft("declined", {"digest": ask.digest, "reason": reason}, step=name, actor=person)
