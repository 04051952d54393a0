"""The JSON Schema of the playbook language: what it lets through, what it refuses, and its words."""

from typing import Any

import jsonschema
import pytest
import yaml

from responder.library import Library
from responder.registry import Registry
from responder.schema import playbook_schema
from responder.skeleton import files

SCHEMA = playbook_schema(Registry())
STEP = {"id": "a", "phase": "analysis", "action": "credential.inspect"}


def problems(**step: Any) -> list[str]:
    data = {"playbook": "p", "title": "t", "version": 1, "steps": [{**STEP, **step}]}
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(data)]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", Library(None).playbook_paths())
def test_the_playbooks_that_ship_fit_it(name: str) -> None:
    data = yaml.safe_load(Library(None).path(name).read_text())

    assert [] == [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(data)]


def test_the_example_fits_it() -> None:
    data = yaml.safe_load(files("me")["playbooks/example.yaml"])

    assert [] == [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(data)]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param({"action": "credential.inspekt"}, id="unknown action"),
        pytest.param({"action": "human.task", "with": {"role": "x", "on_timeout": "abort"}}, id="missing argument"),
        pytest.param({"action": "human.task"}, id="no arguments at all"),
        pytest.param({"with": {"subject": {}}}, id="the subject is the runner's"),
        pytest.param({"with": {"wat": 1}}, id="unknown argument"),
        pytest.param({"action": "evidence.capture_page", "with": {"url": "https://x", "within": 5}}, id="wrong type"),
        pytest.param({"aproval": {}}, id="unknown key"),
    ],
)
def test_what_lint_refuses_the_schema_refuses(step: dict[str, Any]) -> None:
    assert [] != problems(**step)


def test_an_expression_may_stand_for_any_argument() -> None:
    assert [] == problems(action="credential.issue", **{"with": {"holder": "${{ item }}", "scopes": "${{ inputs.x }}"}})


def test_every_action_has_its_words() -> None:
    shown = SCHEMA["$defs"]["Step"]["properties"]["action"]["oneOf"]

    assert {action.name for action in Registry().actions()} <= {one["const"] for one in shown}
    assert all("Effect: " in one["description"] for one in shown)


def test_fields_bear_the_docstrings_that_stand_under_them() -> None:
    conditions = {one["if"]["properties"]["action"]["const"]: one["then"] for one in SCHEMA["$defs"]["Step"]["allOf"]}

    assert "Who may answer." == conditions["human.task"]["properties"]["with"]["properties"]["role"]["description"]
