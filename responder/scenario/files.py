"""The files of scenarios: where they stand, how one is read, and their schema for editors."""

from pathlib import Path
from typing import Any

from responder.errors import PlaybookError
from responder.playbook import Playbook
from responder.scenario.model import MODELS, Scenario
from responder.scenario.names import strangers
from responder.schema import explain
from responder.source import Source, read


def scenario_files(playbook: Path) -> list[Path]:
    """Return the scenarios of a playbook's file: `tests/NAME/*.yaml` beside it."""
    return sorted((playbook.parent / "tests" / playbook.stem).glob("*.yaml"))


def load_scenario(path: Path, playbook: Playbook) -> tuple[Scenario, Source]:
    """Read a scenario. PlaybookError carries every problem, with its place."""
    name = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaybookError(f"The scenario cannot be read: {type(error).__name__}", where=str(path)) from None
    source = read(text, name, PlaybookError)
    if not isinstance(source.data, dict):
        raise PlaybookError("A scenario is a mapping", where=f"{name}:1:1", remedy="begin with `scenario: TITLE`")
    scenario, problems = source.check(Scenario)
    if scenario is not None:
        problems += strangers(scenario, source, playbook)
    if scenario is None or problems:
        raise PlaybookError(problems=tuple(problems))
    return scenario, source


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario."""
    schema = Scenario.model_json_schema(by_alias=True)
    for part, model in MODELS.items():
        explain(schema if model is Scenario else schema["$defs"][part], model)
    return {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A scenario of a playbook"}
