"""The way back: no credential that a finding names works again, and a replacement reaches no further than it did."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from responder.action import changes
from responder.errors import Problem
from responder.guards.carried import handed_over
from responder.guards.case import Case, Moment, named_key, named_value
from responder.modes import NEVER
from responder.resolve import left_open
from responder.settings import same_account
from responder.state import RunState
from responder.subject import LEAVE_OPEN
from responder.unit import ENDED_WELL

if TYPE_CHECKING:
    from responder.credential import Issue

_REVIVING = frozenset({"enable", "restore"})
"""The verbs that make a credential work again that did not."""
_TAKEN_BACK = frozenset({"disable", "revoke", "fence", "end_sessions"})
"""The verbs whose taking back would make a credential work again."""


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse whatever would let a leaked credential work again, or its replacement do more than it could."""
    if case.on_credential and changes(case.resolved.action) and _revives(case):
        yield Problem(
            "it would make a credential work again that a finding names",
            case.place,
            "issue another one: a leaked credential never comes back",
        )
    if changes(case.resolved.action) and _revives_by_id(case):
        yield Problem(
            "it would make a key work again that a finding names",
            f"{case.place}.with.key_id",
            "issue another one: a leaked credential never comes back",
        )
    if any(named_value(value) in case.leaked() for value in handed_over(case)):
        yield Problem(
            "the value that it hands over is one that a finding names",
            case.place,
            "hand over a new one: the value of a step with credential.issue",
        )
    if case.on_credential:
        from responder.credential import Issue  # noqa: PLC0415 - only where a step has a verb

        if isinstance(case.resolved.action, Issue):
            yield from _wider(case, case.resolved.action)
            yield from _unanswered(case)


def _revives(case: Case) -> bool:
    """Tell whether it makes the run's own credential, which a finding names, work again."""
    verb = case.resolved.name.rpartition(".")[2]
    taken_back = case.step.id.partition("[")[0].endswith("~undo") and verb in _TAKEN_BACK
    return bool(verb in _REVIVING or taken_back) and bool(set(case.state.credential.identifiers) & case.leaked())


def _revives_by_id(case: Case) -> bool:
    """Tell whether a provider's own action makes a key work again that leaked, at this account, by any connection."""
    verb = case.resolved.name.rpartition(".")[2]
    key_id = str(getattr(case.resolved.action, "key_id", ""))
    if not key_id or case.on_credential or verb.partition("_")[0] not in _REVIVING:
        return False
    here = case.resolved.connection
    names = {here.name, *(name for name, one in case.connections.items() if same_account(one, here))}
    return any(named_key(name, key_id) in case.leaked() for name in names)


def _wider(case: Case, issue: "Issue") -> Iterator[Problem]:
    """Yield the problem of a replacement for which nothing shows that it is narrower, and nobody says why not."""
    if not issue.scopes or issue.wider.strip():
        return
    reach = _reach(case)
    more = [scope for scope in issue.scopes if scope not in reach]
    if more and reach:
        yield Problem(
            f"the replacement would reach more than the leaked credential did: {', '.join(more)}",
            f"{case.place}.with.scopes",
            f"leave that out (it reached: {', '.join(sorted(reach))}), or say why in `wider:`",
        )
    elif more and not (case.moment is Moment.PLAN and _will_be_read(case)):
        yield Problem(
            f"nothing shows that the replacement is narrower: {', '.join(more)}",
            f"{case.place}.with.scopes",
            "let a step with credential.inspect read what the leaked credential reaches, or say why in `wider:`",
        )


def _unanswered(case: Case) -> Iterator[Problem]:
    """Yield the problems of an identity into which other ways lead, or may lead, that nobody has answered for."""
    looks = [unit for unit in case.state.each() if unit.planned.get("action") == "credential.doors"]
    swept = [unit for unit in looks if unit.facts]
    if not swept:
        return
    newest = max(swept, key=lambda unit: unit.ended_at or NEVER)
    # A sweep knows what was decided before it began, and leaves that out itself, unless the door was changed since.
    left = {door for door, at in left_open(case.state).items() if at >= (newest.began_at or NEVER)}
    still = [str(door) for door in newest.facts.get("unresolved", ()) if str(door) not in left]
    if still:
        yield Problem(
            f"other ways lead into the same identity, and nobody has answered for them: {', '.join(still)}",
            case.place,
            f"shut them and look again, or decide `{LEAVE_OPEN}` for each of them by name",
        )
    unseen = [str(one) for one in newest.facts.get("unseen", ())]
    looked = _looked_at(case.state) if unseen else frozenset()
    dark = [one for one in unseen if one not in looked]
    if dark:
        yield Problem(
            "the look for other ways into the same identity was not complete, and nobody has answered for what it "
            f"could not look at: {'; '.join(dark)}",
            case.place,
            "let a person look there: a step with `human.task` and with `for_each` over the sweep's `unseen`",
        )


def _looked_at(state: RunState) -> frozenset[str]:
    """Return each text of a `for_each` for which a person has said what they did or chose."""
    found: set[str] = set()
    for unit in state.each():
        step, _, key = unit.address.partition("[")
        if key and unit.facts.get("by") and unit.status in ENDED_WELL and step in state.items:
            found.add(str(state.items[step].values.get(key[:-1])))
    return frozenset(found)


def _will_be_read(case: Case) -> bool:
    """Tell whether a step of this playbook will read what the leaked credential reaches."""
    return any(step.action == "credential.inspect" for step in case.state.playbook.steps)


def _reach(case: Case) -> frozenset[str]:
    """Return what the leaked credential reached, as the steps of this run have read it."""
    found: set[str] = set()
    for unit in case.state.each():
        if unit.planned.get("action") == "credential.inspect":
            found.update(map(str, unit.facts.get("reach") or ()))
    return frozenset(found)
