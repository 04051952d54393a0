"""Findings that are left alone for a while: exactly one each, until a day, with the reason and where it was decided."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from responder.clock import show_time
from responder.entry import Draft
from responder.errors import RequestError
from responder.finding import Exposure, Finding
from responder.incident import Credential
from responder.state import RunState
from responder.store import Store

EVENT = "suppressed"


def suppressing(state: RunState, action: object, facts: Mapping[str, Any]) -> list[Draft]:
    """Return the entry that leaves a run's own finding alone, where the action that was applied says so."""
    from responder.providers.finding import Suppress  # noqa: PLC0415 - only where something was applied

    if not isinstance(action, Suppress):
        return []
    seen = Exposure.model_validate(state.started["exposure"])
    told = {"identifiers": list(state.credential.identifiers), "place": _place(seen)}
    return [Draft(EVENT, {**told, "until": facts["until"], "reason": facts["reason"]}, state.run)]


def check_not_suppressed(finding: Finding, credential: Credential, store: Store, now: datetime) -> None:
    """Refuse to respond by itself to a finding that is left alone. RequestError says until when, and why."""
    names, place = set(credential.identifiers), _place(finding.exposure)
    for incident in store.incidents():
        for row in store.rows(incident, 0, (EVENT,)):
            facts = json.loads(row.payload) if row.payload else {}
            same = names & set(facts.get("identifiers", ())) and facts.get("place") == place
            if same and now < datetime.fromisoformat(facts["until"]):
                until = show_time(datetime.fromisoformat(facts["until"]))
                raise RequestError(
                    f"This very finding is left alone until {until}: {facts['reason']}",
                    where=incident,
                    remedy="name a playbook to respond all the same: `responder run PLAYBOOK`",
                )


def _place(exposure: Exposure) -> list[str]:
    return [exposure.url, exposure.place]
