"""The names in a scenario: each is one that its playbook has."""

from collections.abc import Iterator

from responder.errors import Problem
from responder.playbook import Playbook, Step
from responder.scenario.house import ALWAYS_CONNECTED
from responder.scenario.model import Scenario
from responder.scenario.stand_in import REACHING_NOTHING
from responder.scenario.world import LEAKED
from responder.source import Path, Source, nearest

CHANNEL_ACTIONS = ("email.send_message", "slack.post_message")
"""What a notice becomes."""
_RECORDED = "it is written into the record and goes well; what its approval is answered stands under `people`"


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
    answering = _answering(scenario, playbook)
    for name in scenario.answers:
        instead = "" if name in scenario.connections else written_instead(name, playbook)
        if instead:
            problems.append(Problem(f"no system answers {name!r}", source.key_place(("answers", name)), instead))
        else:
            check(name.partition("[")[0], answering, "step, action or connection", ("answers", name))
    return [*problems, *_unknown_findings(scenario, source)]


def written_instead(name: str, playbook: Playbook) -> str:
    """Return what to write instead of an answer that nothing would ever give; empty where a system gives it."""
    step = playbook.by_id.get(_step_of(name))
    if step is not None and step.playbook:
        return f"it is a sub-playbook: name its steps, such as {next(iter(playbook.inside(step.id))).id!r}"
    action = step.action if step is not None else name
    if action.partition(".")[0] == "human":
        return f"people do: write it under `people`, such as `{_step_of(name) if step else 'STEP'}: {_reply(step)}`"
    if action.partition(".")[0] in REACHING_NOTHING:
        return _RECORDED
    if action == "notice.draft":
        return "its text is kept, and nothing is sent: what it says comes from `facts` and `inputs`"
    if action == "notice.send" and step is None:
        return f"name its step, or what a notice becomes: {' or '.join(CHANNEL_ACTIONS)}"
    return ""


def _reply(step: Step | None) -> str:
    """Return something that a person may answer to a step that asks them."""
    options = step.with_.get("options") if step is not None else None
    return next(iter(options)) if isinstance(options, dict) and options else "done" if options is None else "OPTION"


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
    providers = {action.partition(".")[0] for action in actions} - {"", "credential", "notice"}
    return [*playbook.by_id, *sorted({*actions, *CHANNEL_ACTIONS, *ALWAYS_CONNECTED, *connections, *providers})]


def _unknown_findings(scenario: Scenario, source: Source) -> Iterator[Problem]:
    """Yield the credentials that something finds and nothing describes."""
    for key, acts in scenario.answers.items():
        for name in (name for act in acts for name in act.finds):
            if name != LEAKED and name not in scenario.others:
                place = source.place(("answers", key))
                yield Problem(f"there is no credential {name!r}", place, "describe it under `others`")
