"""The names that a run's expressions may read, from its state."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from responder.anchors import CLOCKS
from responder.durations import duration
from responder.expressions import Unknown
from responder.means import Means
from responder.said import heard
from responder.state import RunState, outputs
from responder.unit import ENDED


class _Lookup:
    """Something that expressions read by name, computed when it is read."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[str], Any]) -> None:
        self._read = read

    def __getitem__(self, name: str) -> Any:
        return self._read(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return what stands under a name, else the default."""
        try:
            return self._read(name)
        except KeyError:
            return default


class _Names(Mapping[str, Any]):
    """Names that are looked up when the first of them is read: most steps have no expression."""

    def __init__(self, find: Callable[[], dict[str, Any]]) -> None:
        self._find = find

    @cached_property
    def _found(self) -> dict[str, Any]:
        return self._find()

    def __getitem__(self, name: str) -> Any:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def names(
    state: RunState, means: Means, item: Any = None, scope: str = "", *, early: bool = False
) -> Mapping[str, Any]:
    """Return everything that an expression of this run may read or call.

    `scope`: the step whose sub-playbook the expression stands in, so that its names mean its own steps and inputs.
    `early`: what it reads need not have ended; what is not there yet is null.
    """
    return _Names(partial(_names, state, means, item, scope, early=early))


def _names(state: RunState, means: Means, item: Any, scope: str, *, early: bool) -> dict[str, Any]:

    def own(step: str) -> str:
        return f"{scope}/{step}" if scope else step

    now = means.clock.now()
    started = state.started
    return {
        "inputs": state.inputs_of(scope),
        "incident": _Lookup(partial(incident_fact, state)),
        "connections": {
            name: {"account": one.account, "provider": one.provider} for name, one in means.settings.connections.items()
        },
        "steps": _Lookup(lambda step: outputs(state, state.playbook.by_id[own(step)], early=early)),
        "credential": {"can": _Lookup(lambda verb: can(state, means, verb)), "shape": shape(state, means)},
        "people": state.people,
        "audiences": started.get("audiences", {}),
        "organisation": started.get("organisation", {}),
        "facts": {**started.get("facts", {}), **{name: heard(value) for name, value in state.given.items()}},
        "item": item,
        "now": now,
        "always": lambda: True,
        "failed": lambda step: state.status(own(step)) == "failed",
        "children": lambda step: children(state, own(step)),
        "unknown": lambda reason, next_update_at: Unknown(str(reason), _moment(next_update_at)),
        "after": lambda start, span: _moment(start) + duration(span),
    }


def can(state: RunState, means: Means, verb: str) -> bool:
    """Tell whether the credential's issuer offers a verb here."""
    connection = state.credential.connection
    if connection not in means.settings.connections:
        return False
    return verb in means.registry.offers(means.settings.connections[connection])


def shape(state: RunState, means: Means) -> str:
    """Return the regular expression that finds credentials of this issuer in text; empty where there is none."""
    connection = means.settings.connections.get(state.credential.connection)
    if connection is None:
        return ""
    return means.registry.provider(connection.provider).shape(means.registry.options(connection))


def children(state: RunState, step: str) -> Mapping[str, Any]:
    """Return what became of the runs that a step opened; `dead` when every one of them is contained."""
    opened = [child for child in state.children.values() if child.step.partition("[")[0] == step]
    over = state.status(step) in ENDED
    return {
        "dead": over
        and step not in state.unanswered
        and all(child.state == "ended" and child.contained for child in opened),
        "count": len(opened),
        "open": sum(child.state != "ended" for child in opened),
    }


def incident_fact(state: RunState, name: str) -> Any:
    """Return one fact of the incident as expressions read it; times are times. KeyError where there is none."""
    if name == "credential":
        return state.credential_facts
    if name == "contained_at":
        return state.contained_at
    if name in {"mode", "mode_reason"}:
        return str(getattr(state.standing, name))
    if name == "lived_on":
        return state.run in state.standing.left_alive
    if name == "ownership":
        return str(state.started.get("ownership", {}).get("verdict", "unknown"))
    if name == "suspect":
        return sorted(state.standing.suspects)
    # A credential that was found on the way has clocks and a place of its own.
    own = state.started if state.started.get("parent") and name in {"aware_at", "exposure"} else state.incident
    value = own.get(name) if name in CLOCKS else own[name]
    return _moment(value) if name.endswith("_at") and isinstance(value, str) and value else value


def incident_facts(state: RunState) -> dict[str, Any]:
    """Return every fact of the incident as expressions read it."""
    return {
        name: incident_fact(state, name)
        for name in (*state.incident, *CLOCKS, "credential", "contained_at", "suspect", "mode", "lived_on")
    }


def contained_at(state: RunState) -> datetime | None:
    """Return the first refusal after the last acceptance, once death is proven; None until then."""
    return state.contained_at


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
