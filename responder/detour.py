"""A notice's way around a channel that leaked: over which connection, and to whom, the same text goes instead."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from responder.errors import Denied, PlanRefused, Problem
from responder.guards import Moment, case_of, executor
from responder.means import Means
from responder.notice import SendNotice
from responder.playbook import Step
from responder.resolve import Resolved, email_record, rebuild, slack_record
from responder.settings import Connection
from responder.state import RunState
from responder.suspicion import is_suspect, overheard, suspects_among, was_checked

RESPONDERS = "responders"
"""The audience that, where responder.yaml lists no address for it, is everybody with a role in the playbook."""
_WHY = "it acts with what leaked"
_TOLD = ("template", "audience", "external", "subject", "text")


class _Way(NamedTuple):
    """One other way to the same people."""

    connection: Connection
    to: tuple[str, ...]


def around(resolved: Resolved, step: Step, state: RunState, means: Means) -> Resolved:
    """Return a notice as it may go: over another channel where its own acts with what leaked, else unchanged.

    The value is compared first, without any request, so a leaked token of ours is not even used to read. PlanRefused
    where the people have no other channel.
    """
    if step.action != SendNotice.name or not _acts_with_leaked(resolved, step, state, means):
        return resolved
    for way in _ways(resolved, state, means):
        found = _taken(way, resolved, step, state, means)
        try:
            if not _acts_with_leaked(found, step, state, means):
                return found
        except Denied:  # a channel that does not let us in is no way
            continue
    name, audience = resolved.connection.name, resolved.record.get("audience", "")
    raise PlanRefused(
        problems=(
            Problem(
                "this connection acts with the leaked credential itself, or with one that was made from it, and "
                f"{resolved.record['to']} has no other channel",
                f"connection {name}",
                "give the connection another `secret:`, one that did not leak; or tell them yourself, or by "
                f"`notice send` to an address; with a connection of mail and `audiences: {audience}` it goes by itself",
                executor.NAME,
            ),
        )
    )


def _acts_with_leaked(resolved: Resolved, step: Step, state: RunState, means: Means) -> bool:
    """Ask the executor guard: by the value alone, then by whom the provider takes us for."""
    if resolved.provider is None:
        return False
    access = means.access(resolved.connection, state.run, step.id)
    case = case_of(step, resolved, state, means, Moment.CHANGE, ours=access.secret)
    if any(executor.of_step(case)):
        return True
    return any(executor.of_step(case._replace(identity=means.identity(resolved.provider, access))))


def _ways(resolved: Resolved, state: RunState, means: Means) -> Iterator[_Way]:
    """Yield the other ways in the order of responder.yaml: mail first, then other connections of the same kind."""
    here, to = resolved.connection, str(resolved.record["to"])
    mailed = resolved.name == "email.send_message"
    people = (to, *resolved.record["with"].get("cc", ())) if mailed else _addresses(to, resolved.record, state)
    open_ones = [one for one in means.settings.connections.values() if one.name != here.name]
    for one in open_ones:
        if one.provider == "email" and people and not _heard(one, people, state, means):
            yield _Way(one, people)
    for one in open_ones:
        same = (one.provider, one.account) == (here.provider, here.account)
        if not mailed and same and not _heard(one, (to,), state, means):
            yield _Way(one, (to,))


def _heard(connection: Connection, to: tuple[str, ...], state: RunState, means: Means) -> bool:
    """Tell whether the leaked credential may listen there."""
    listens = overheard(state.standing, means.settings.connections, connection)
    return listens and not was_checked(state.standing, [connection.name, *to])


def _addresses(channel: str, record: Mapping[str, Any], state: RunState) -> tuple[str, ...]:
    """Return the mail addresses of those whom a channel stands for, as the run knows them; suspects are left out.

    A text for outsiders goes to one address or to none: in a mail to several each would read the others'.
    """
    audience = str(record.get("audience") or "")
    known = [str(one) for one in state.started.get("audiences", {}).get(audience, ())]
    own = [str(one.get("email") or "") for one in state.people.values() if one.get("slack") == channel]
    if any(own):
        known = own
    elif not any("@" in one for one in known) and audience == RESPONDERS and not record.get("external"):
        roles = set(state.playbook.roles)
        known = [
            str(person.get("email") or "")
            for name, person in state.people.items()
            if roles & set(person["roles"]) and not is_suspect(state, name)
        ]
    suspects = suspects_among(state, known)
    found = tuple(dict.fromkeys(one for one in known if "@" in one and one not in suspects))
    return () if record.get("external") and len(found) > 1 else found


def _taken(way: _Way, resolved: Resolved, step: Step, state: RunState, means: Means) -> Resolved:
    """Return the same text on another way, and how the timeline writes that it switched."""
    old = resolved.record
    told = {name: old[name] for name in _TOLD if name in old}
    name = way.connection.name
    if way.connection.provider == "email":
        subject = str(resolved.record["with"].get("subject") or step.title or told["template"])
        record = email_record(told, way.to, subject, name)
    else:
        record = slack_record(told, way.to[0], name)
    switched = {
        "from": f"{old['to']} by {resolved.connection.name}",
        "to": f"{record['to']} by {name}",
        "why": _WHY,
    }
    return rebuild({**record, "switched": switched}, step, state, means)
