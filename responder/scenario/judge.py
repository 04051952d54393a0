"""Whether what came of a scenario is what it wants: everything that is not so, each at its place in the file."""

from collections.abc import Callable, Iterable, Iterator

from responder.entry import Entry
from responder.errors import Problem
from responder.scenario.model import Never, Notice, Order, Scenario
from responder.scenario.names import written_instead
from responder.scenario.play import Played
from responder.source import Path, Source
from responder.state import RunState
from responder.unit import ENDED_WELL, Unit
from responder.view import RunView

ExitCode = Callable[[Played], int]
"""What the shell would be told; only the command line knows."""
_ENDS = frozenset({"done", "verified", "reconciled", "unchanged", "skipped", "declined", "failed", "decided"})
_NOTHING_YET = frozenset(
    {"skipped", "planned", "expired", "agreed", "declined", "expanded", "failed", "retrying", "scheduled", "came_due"}
)
"""Events with which a step has done nothing to the world yet."""


class Judge:
    """Judges one scenario."""

    def __init__(self, scenario: Scenario, source: Source, played: Played, exit_code: ExitCode) -> None:
        self._scenario = scenario
        self._source = source
        self._played = played
        self._exit_code = exit_code
        self._entries = [(entry, self._name(entry)) for entry in played.entries]

    def _name(self, entry: Entry) -> str:
        """Return a step's address as the scenario says it: with the credential's name before it in another's run."""
        prefix = next((name for name, state in self._played.states.items() if state.run == entry.run), "")
        return f"{prefix}{entry.step}" if entry.step else ""

    def problems(self) -> list[Problem]:
        """Return everything that did not come out as the scenario wants it."""
        refusal = self._played.refusal
        if refusal is not None and self._scenario.expect.state != "refused":
            return [self._said(("expect",), f"the run was refused: {refusal}")]
        checks = [self._ending(), self._unsaid(), self._unheard()]
        if refusal is None:
            checks += [self._statuses(), self._orders(), self._nevers(), self._notices(), self._deadlines()]
        return [problem for check in checks for problem in check]

    def _said(self, path: Path, what: str, remedy: str = "") -> Problem:
        return Problem(what, self._source.place(path), remedy)

    # The end -----------------------------------------------------------------------------------------------------

    def _ending(self) -> Iterator[Problem]:
        wanted, seen = self._scenario.expect, self._played.seen
        state = seen.state if seen is not None else "refused"
        if wanted.state is not None and wanted.state != state:
            yield self._said(("expect", "state"), f"expected the run to be {wanted.state}; it is {state}", self._why())
        if wanted.contained is not None and seen is not None and wanted.contained != seen.contained:
            told = "contained" if wanted.contained else "not contained"
            yield self._said(("expect", "contained"), f"expected it to be {told}; it is the opposite", self._why())
        code = self._exit_code(self._played)
        if wanted.exit is not None and wanted.exit != code:
            yield self._said(("expect", "exit"), f"expected exit code {wanted.exit}; it is {code}", self._why())
        if wanted.says and wanted.says not in (told := self._told()):
            yield self._said(("expect", "says"), f"expected the words {wanted.says!r}", f"it says: {told}")

    def _told(self) -> str:
        """Return the refusal, or everything that keeps the run from having ended well."""
        if self._played.refusal is not None:
            return str(self._played.refusal)
        return self._why()

    def _why(self) -> str:
        """Return what did not go well, step by step, and which criteria do not hold."""
        seen = self._played.seen
        if seen is None:
            return str(self._played.refusal or "")
        steps = [f"{one.id} {one.status}: {one.note}" for one in seen.steps if one.status in {"failed", "declined"}]
        steps += [f"{ask.step} waits for {ask.role}" for ask in seen.awaiting]
        exits = [
            f"does not hold: {one.criterion}{f' ({one.why})' if one.why else ''}" for one in seen.exit if not one.held
        ]
        return "; ".join([*steps, *exits])

    def _unsaid(self) -> Iterator[Problem]:
        for key, why in self._played.unsaid:
            step = why.partition(":")[0]
            yield self._said((key, step.partition("[")[0]), f"nobody can say or do this: {why}")

    def _unheard(self) -> Iterator[Problem]:
        """Yield the answers to steps of another's run that nothing there would give; the reader knows not which run."""
        for address in self._scenario.answers:
            name, _, step = address.partition("/")
            state = self._played.states.get(f"{name}/") if name in self._scenario.others else None
            instead = written_instead(step, state.playbook) if state is not None else ""
            if instead:
                path = ("answers", address)
                yield Problem(f"no system answers {address!r}", self._source.key_place(path), instead)

    # Steps -------------------------------------------------------------------------------------------------------

    def _statuses(self) -> Iterator[Problem]:
        for address, wanted in self._scenario.status.items():
            unit = self._unit(address)
            status = unit.status if unit is not None else "waiting"
            if status != wanted:
                why = f": {unit.error}" if unit is not None and unit.error else ""
                yield self._said(("status", address), f"expected {address} to be {wanted}; it is {status}{why}")

    def _unit(self, address: str) -> Unit | None:
        for prefix, state in self._prefixed():
            if address.startswith(prefix):
                return state.units.get(address.removeprefix(prefix))
        return None

    def _prefixed(self) -> list[tuple[str, RunState]]:
        """Return the runs by what stands before their steps' names, the longest first."""
        return sorted(self._played.states.items(), key=lambda item: -len(item[0]))

    # Order -------------------------------------------------------------------------------------------------------

    def _orders(self) -> Iterator[Problem]:
        for number, order in enumerate(self._scenario.order):
            problem = self._order(order)
            if problem:
                yield self._said(("order", number), problem)

    def _order(self, order: Order) -> str:
        ended, began = self._end_of(order.before), self._beginning_of(order.after)
        if ended is None:
            return f"expected {order.before} to end before {order.after}; it never ended"
        if began is None:
            return f"expected {order.after} to begin after {order.before}; it never began"
        if ended.seq < began.seq:
            return ""
        times = f"entry {began.seq} at {began.at:%H:%M:%S}, and entry {ended.seq} at {ended.at:%H:%M:%S}"
        return f"expected {order.before} to end before {order.after} does anything; the other way round: {times}"

    def _end_of(self, name: str) -> Entry | None:
        """Return the entry with which a step ended, the last of its items where it has any; or its last such event."""
        step, _, event = name.partition(":")
        wanted = {event} if event else _ENDS
        return next(
            (entry for entry, at in reversed(self._entries) if _is_of(at, step) and entry.event in wanted), None
        )

    def _beginning_of(self, name: str) -> Entry | None:
        """Return the first entry of a step that was not skipped; or its first such event.

        A step with `start` is planned and asked about before its time; it begins when it comes due.
        """
        step, _, event = name.partition(":")
        own = [entry for entry, at in self._entries if _is_of(at, step)]
        if not event and any(entry.event == "scheduled" for entry in own):
            event = "came_due"
        return next((entry for entry in own if (entry.event == event if event else entry.event != "skipped")), None)

    # What does not happen ----------------------------------------------------------------------------------------

    def _nevers(self) -> Iterator[Problem]:
        for number, never in enumerate(self._scenario.never):
            for entry, name in self._between(never):
                if self._is(never, entry, name):
                    told = f"expected this never to happen; it did: {entry.event} {name} at {entry.at:%H:%M:%S}"
                    yield self._said(("never", number), told)
                    break

    def _between(self, never: Never) -> Iterable[tuple[Entry, str]]:
        """Return the entries among which it must not be: all, those before a step's end, or those after it."""
        end, start = (self._end_of(name) if name else None for name in (never.before, never.after))
        if never.after and start is None:
            return []  # what it would come after never ended
        last = end.seq if end is not None else len(self._entries)
        first = start.seq if start is not None else 0
        return [(entry, name) for entry, name in self._entries if first < entry.seq <= last]

    def _is(self, never: Never, entry: Entry, name: str) -> bool:
        unit = self._unit(name)
        planned = unit.planned if unit is not None else {}
        step = self._step_action(name)
        happens = entry.event == never.event if never.event else bool(name) and entry.event not in _NOTHING_YET
        if entry.event == "asked" and not never.event:
            happens = step.startswith("human.")
        if never.by:
            happens = entry.actor == never.by and (not never.event or entry.event == never.event)
        return (
            happens
            and (not never.step or _is_of(name, never.step))
            and (not never.action or never.action in {step, planned.get("action")})
            and (not never.template or planned.get("template") == never.template)
            and (not never.to or never.to in str(planned.get("to", "")))
            and (not never.says or never.says in f"{planned.get('subject', '')}\n{planned.get('text', '')}")
        )

    def _step_action(self, name: str) -> str:
        for prefix, state in self._prefixed():
            step = name.removeprefix(prefix).partition("[")[0]
            if name and name.startswith(prefix) and step in state.playbook.by_id:
                return state.playbook.by_id[step].action
        return ""

    # Messages and deadlines --------------------------------------------------------------------------------------

    def _notices(self) -> Iterator[Problem]:
        for number, wanted in enumerate(self._scenario.notices):
            yield from (self._said(("notices", number), what) for what in self._notice(wanted))

    def _notice(self, wanted: Notice) -> Iterator[str]:
        sent = [
            unit.planned
            for state in self._played.states.values()
            for unit in state.units.values()
            if unit.status in ENDED_WELL - {"skipped"}
            and unit.planned.get("template") == wanted.template
            and wanted.to in str(unit.planned.get("to", ""))
        ]
        named = f"{wanted.template}{f' to {wanted.to}' if wanted.to else ''}"
        if wanted.count is not None and len(sent) != wanted.count:
            yield f"expected {wanted.count} of {named}; there are {len(sent)}"
        elif wanted.count is None and not sent:
            yield f"expected {named}; it was never sent"
        for message in sent:
            to, subject, text = (str(message.get(part, "")) for part in ("to", "subject", "text"))
            if wanted.subject not in subject:
                yield f"expected the subject of {named} to contain {wanted.subject!r}; it is {subject!r}"
            for phrase in wanted.says:
                if phrase not in text:
                    yield f"expected {wanted.template} to {to or 'a person'} to say {phrase!r}; it does not"
            for phrase in wanted.never_says:
                if phrase in f"{subject}\n{text}":
                    yield f"expected {wanted.template} to {to or 'a person'} never to say {phrase!r}; it does"

    def _deadlines(self) -> Iterator[Problem]:
        seen: RunView | None = self._played.seen
        states = {clock.name: clock.state for clock in seen.clocks} if seen is not None else {}
        for name, wanted in self._scenario.deadlines.items():
            if name in states and states[name] != wanted:
                yield self._said(("deadlines", name), f"expected {name} to be {wanted}; it is {states[name]}")


def _is_of(name: str, step: str) -> bool:
    """Tell whether an address is a step, or an item of it."""
    return name == step or name.partition("[")[0] == step
