"""The names in a scenario: each is one that its playbook has."""

from collections.abc import Iterator

from responder.errors import Problem
from responder.playbook import Playbook
from responder.scenario.house import ALWAYS_CONNECTED
from responder.scenario.model import Scenario
from responder.scenario.world import LEAKED
from responder.source import Path, Source, nearest

CHANNEL_ACTIONS = ("email.send_message", "slack.post_message")
"""What a notice becomes."""


def strangers(scenario: Scenario, source: Source, playbook: Playbook) -> list[Problem]:
    """Return the names in a scenario that its playbook does not have, each at its place."""
    problems: list[Problem] = []

    def check(name: str, known: list[str], what: str, path: Path) -> None:
        if name in known or name.partition("/")[0] in scenario.others:
            return
        near = nearest(name, known)
        remedy = f"did you mean {near!r}?" if near else f"known: {', '.join(known) or 'none'}"
        problems.append(Problem(f"the playbook has no {what} {name!r}", source.key_place(path), remedy))

    for path, name in _named_steps(scenario):
        check(_step_of(name), list(playbook.by_id), "step", path)
    for name in scenario.inputs:
        check(name, list(playbook.inputs), "input", ("inputs", name))
    for name in scenario.deadlines:
        check(name, list(playbook.deadlines), "deadline", ("deadlines", name))
    for name in scenario.answers:
        check(name.partition("[")[0], _answering(scenario, playbook), "step, action or connection", ("answers", name))
    return [*problems, *_unknown_findings(scenario, source)]


def _step_of(name: str) -> str:
    """Return the step that an address is about: without its event, its item, and what takes it back."""
    return name.partition(":")[0].partition("[")[0].removesuffix("~undo")


def _named_steps(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """Yield every place that names a step."""
    yield from ((("people", name), name) for name in scenario.people)
    yield from ((("status", name), name) for name in scenario.status)
    for number, order in enumerate(scenario.order):
        yield ("order", number), order.before
        yield ("order", number), order.after
    for number, never in enumerate(scenario.never):
        named = {"step": never.step, "before": never.before, "after": never.after}
        yield from ((("never", number, key), name) for key, name in named.items() if name)
    yield from (
        (("meanwhile", number, "retry"), one.retry) for number, one in enumerate(scenario.meanwhile) if one.retry
    )
    yield from ((("crash", point), step) for point, step in scenario.crash.points().items())


def _answering(scenario: Scenario, playbook: Playbook) -> list[str]:
    """Return everything under which an answer may stand."""
    actions = {step.action for step in playbook.steps}
    connections = {step.connection for step in playbook.steps if step.connection} | set(scenario.connections)
    providers = {action.partition(".")[0] for action in actions}
    return [*playbook.by_id, *sorted({*actions, *CHANNEL_ACTIONS, *ALWAYS_CONNECTED, *connections, *providers})]


def _unknown_findings(scenario: Scenario, source: Source) -> Iterator[Problem]:
    """Yield the credentials that something finds and nothing describes."""
    for key, acts in scenario.answers.items():
        for name in (name for act in acts for name in act.finds):
            if name != LEAKED and name not in scenario.others:
                place = source.place(("answers", key))
                yield Problem(f"there is no credential {name!r}", place, "describe it under `others`")
