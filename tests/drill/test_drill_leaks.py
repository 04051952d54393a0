"""Every scene of a leak, drilled with one kill of the runner: contained, told truly, and without a secret anywhere."""

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from responder.drill.drill import Options, begin, carry_out
from responder.drill.report import read_ledger, report
from responder.drill.scenes import scene_called, scene_name
from responder.errors import RequestError
from responder.redaction import forms_of

PLAYBOOKS = {
    "aws-access-key": "crash:replace/new-key:after-apply",
    "github-token": "crash:contain/end:after-apply",
    "llm-api-key": "crash:contain/replace/new-key:after-apply",
}
"""The playbooks that have scenes of their own, and where the runner is killed."""


class Drilled(NamedTuple):
    """What a drill came to."""

    document: dict[str, Any]
    folder: Path
    playbook: str

    def effects(self) -> list[dict[str, Any]]:
        """Return what changed, with who changed it."""
        lines = read_ledger(self.folder / "world" / "ledger.jsonl")
        return [{**line["effect"], "actor": line["actor"]} for line in lines if line["effect"]]


def drill(playbook: str, folder: Path, *faults: str) -> Drilled:
    """Carry a drill out, quietly."""
    try:
        scene_called(scene_name(playbook)).check_installed()
    except RequestError as error:
        pytest.skip(f"{error}: {error.problems[0].where}")
    made = begin(Options(playbook, folder, speed=60, faults=faults, seconds=90))
    try:
        carry_out(made, lambda _: None)
        return Drilled(report(made), folder, playbook)
    finally:
        made.app.close()
        made.stage.close()


@pytest.fixture(scope="module", params=PLAYBOOKS)
def drilled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Drilled:
    return drill(request.param, tmp_path_factory.mktemp(request.param), PLAYBOOKS[request.param])


def test_it_ends_contained_and_the_record_agrees_with_the_ledger(drilled: Drilled) -> None:
    document = drilled.document

    assert document["contained"]
    assert (document["record"]["verified"], document["record"]["disagreements"]) == (True, [])
    assert {one["state"] for one in document["ledger"]["credentials"]} == {"dead"}
    assert document["ledger"]["order_violations"] == []
    assert document["score"]["total"] == 100


def test_the_kill_has_doubled_and_lost_nothing(drilled: Drilled) -> None:
    document = drilled.document

    assert [fault["happened"] for fault in document["faults"]] == [True]
    assert (document["ledger"]["effects_repeated"], document["ledger"]["effects_lost"]) == (0, 0)
    assert document["record"]["restarts"] == 1


def test_every_service_works_with_a_new_credential(drilled: Drilled) -> None:
    ledger = drilled.document["ledger"]

    assert ledger["consumers_moved"] == ledger["consumers"]


def test_no_secret_stands_outside_of_the_world(drilled: Drilled) -> None:
    """Every value, the issued ones too, and half of a pair by itself; in every form."""
    values = json.loads((drilled.folder / "world" / "secrets.json").read_text())
    parts = {part for value in values.values() for part in (value, *value.split(":")[1:]) if len(part) >= 16}
    forms = {form.encode() for part in parts for form in forms_of(part)}
    searched = 0
    for path in drilled.folder.rglob("*"):
        if not path.is_file() or drilled.folder / "world" in path.parents:
            continue
        data = path.read_bytes()
        data += gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b""
        assert not [form for form in forms if form in data], f"{path} holds a secret"
        searched += 1

    assert searched >= 8


def of(drilled: Drilled, playbook: str) -> Drilled:
    if drilled.playbook != playbook:
        pytest.skip("it is about another playbook")
    return drilled


def test_who_used_the_key_long_before_it_was_public_is_decided_about(drilled: Drilled) -> None:
    folder = of(drilled, "aws-access-key").folder
    entries = [json.loads(line) for line in (folder / "output" / "timeline.jsonl").read_text().splitlines()]

    decided = {one["step"]: one["facts"] for one in entries if one["event"] == "decided" and "/adopt[" in one["step"]}

    assert ["replace/adopt[10.0.0.31 rclone/1.66]"] == list(decided)
    assert "stops" == decided["replace/adopt[10.0.0.31 rclone/1.66]"]["facts"]["choice"]


def test_the_key_that_strangers_made_is_found_and_shut_and_our_own_are_not_asked_about(drilled: Drilled) -> None:
    effects = of(drilled, "aws-access-key").effects()
    door = next(one["id"] for one in effects if one["kind"] == "key_issued" and one["actor"] == "public")
    ours = {one["id"] for one in effects if one["kind"] == "key_issued" and one["actor"] == "responder"}
    asked = (drilled.folder / "output" / "timeline.jsonl").read_text()

    assert [one["actor"] for one in effects if (one["kind"], one["key"]) == ("key_revoked", door)] == ["person"]
    assert f"replace/door[{door}]" in asked
    assert not [key for key in ours if f"left-open[{key}]" in asked]


def test_the_alert_is_closed_and_every_new_key_opens_the_repository(drilled: Drilled) -> None:
    effects = of(drilled, "github-token").effects()

    assert [one["subject"] for one in effects if one["kind"] == "alert_resolved"] == ["revoked"]
    # Once the token is dead GitHub says no more whose it was; the run has read it while it lived.
    assert "contain/replace/door[lumen-build's SSH key 1]" in (drilled.folder / "output" / "timeline.jsonl").read_text()
    issued = [one["id"] for one in effects if one["kind"] == "key_issued"]
    assert sorted(issued) == sorted(set(issued))
    assert len(issued) == 2


@pytest.mark.parametrize(
    ("playbook", "module", "extra"), [("aws-access-key", "boto3", "aws"), ("github-token", "nacl", "github")]
)
def test_a_drill_says_at_once_what_is_not_installed(playbook: str, module: str, extra: str) -> None:
    scene = scene_called(scene_name(playbook))
    scene.check_installed(lambda _: object())
    with pytest.raises(RequestError) as caught:
        scene.check_installed(lambda _: None)

    assert caught.value.problems[0].where == module
    assert caught.value.problems[0].remedy == f"pip install 'responder[{extra}]'"


def test_no_world_begins_where_something_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_called("aws_access_key")
    monkeypatch.setattr(type(scene), "libraries", {"no_such_module": "aws"})

    with pytest.raises(RequestError, match="not installed"):
        begin(Options("aws-access-key", tmp_path))
    assert list(tmp_path.iterdir()) == []
