"""The channel of an incident: the one that its playbook opens, else one that is opened in a run of its own."""

from collections.abc import Iterable, Sequence
from typing import Any

from responder.means import Means
from responder.playbook import Playbook
from responder.sending import begin
from responder.start import Start
from responder.state import NOTICE, RunState
from responder.suspicion import is_suspect
from responder.unit import ENDED

ACTION = "slack.open_channel"
ROOM = "room"
PREFIX = "inc-"


def channel_of(states: Iterable[RunState]) -> str:
    """Return the id of the channel that a run of an incident has opened; empty where none has."""
    for state in states:
        for step in state.playbook.steps:
            if step.action == ACTION and state.status(step.id) in {"done", "unchanged"}:
                return str(state.unit(step.id).facts.get("channel") or "")
    return ""


def awaited(states: Iterable[RunState]) -> bool:
    """Tell whether a run may still open a channel."""
    return any(
        step.action == ACTION and state.status(step.id) not in ENDED and state.state != "ended"
        for state in states
        for step in state.playbook.steps
    )


def tried(states: Iterable[RunState]) -> bool:
    """Tell whether a run of its own was begun for it."""
    return any(state.purpose == NOTICE and ROOM in state.playbook.by_id for state in states)


def room(means: Means, main: RunState, connection: str, person: str) -> Start:
    """Return the run that opens a private channel for an incident, with everybody in it who has a role."""
    with_: dict[str, Any] = {
        "channel": f"{PREFIX}{main.incident['codename']}",
        "private": True,
        "invite": invited(main),
    }
    step = {
        "id": ROOM,
        "title": "Open a channel that the leaked credential cannot read",
        "phase": "communication",
        "action": ACTION,
        "connection": connection,
        "with": with_,
    }
    playbook = Playbook.model_validate(
        {"playbook": NOTICE, "title": "The channel of the incident", "version": 1, "steps": [step]}
    )
    return begin(means, main, "", playbook, person)


def invited(main: RunState) -> Sequence[str]:
    """Return the Slack ids of everybody who has a role in a response, less those who are suspect."""
    roles = set(main.playbook.roles)
    concerned = {
        str(person.get("slack") or "")
        for name, person in main.people.items()
        if (roles & set(person["roles"]) or name == main.started.get("requester")) and not is_suspect(main, name)
    }
    return sorted(concerned - {""})
