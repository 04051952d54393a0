"""What tells everybody at once that the glass was broken: an ordinary notice, in a run of its own."""

from typing import Any

from responder.errors import RequestError
from responder.means import Means
from responder.notice import SendNotice
from responder.playbook import Playbook
from responder.sending import begin
from responder.start import Start
from responder.state import NOTICE, RunState
from responder.suspicion import is_suspect

TEMPLATE = "broke-glass"


def alarm(means: Means, main: RunState, person: str, step: str, reason: str) -> Start:
    """Return the run that tells everybody who has a role in a run, or is on the list. RequestError if nobody can be."""
    recipients = _recipients(means, main)
    if not recipients:
        raise RequestError(
            "Nobody could be told that the glass was broken: nobody has an address that a connection reaches",
            where=main.run,
            remedy="tell them yourself, now; give people an `email` or `slack` in responder.yaml",
        )
    fields = {
        "who": str(main.people.get(person, {}).get("name") or person),
        "reason": reason,
        "what": f"the step {step}" if step else "all containment of this run",
    }
    told: dict[str, Any] = {
        "id": TEMPLATE,
        "title": "The glass was broken",
        "phase": "communication",
        "action": SendNotice.name,
        "for_each": recipients,
        "with": {"template": TEMPLATE, "to": "${{ item.to }}", "fields": fields},
    }
    playbook = Playbook.model_validate(
        {"playbook": NOTICE, "title": "Notice: the glass was broken", "version": 1, "steps": [told]}
    )
    return begin(means, main, TEMPLATE, playbook, person)


def _recipients(means: Means, main: RunState) -> list[dict[str, str]]:
    """Return each person with a role of the playbook, or on the list, with where a message reaches them."""
    providers = {connection.provider for connection in means.settings.connections.values()}
    roles = set(main.playbook.roles)
    listed = set(main.started.get("break_glass") or ())
    found: list[dict[str, str]] = []
    for name, person in main.people.items():
        concerned = name in listed or roles & set(person["roles"])
        way = person.get("email") if "email" in providers and person.get("email") else ""
        way = way or (person.get("slack") if "slack" in providers else "")
        if concerned and way and not is_suspect(main, name):
            found.append({"id": name, "to": str(way)})
    return found
