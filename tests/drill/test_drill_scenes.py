"""Every playbook with a scene of its own, drilled and killed once: the same good end, and no secret anywhere."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from responder.cli.drill import score_lines
from responder.drill.drill import Drill, Options, begin, carry_out, finding
from responder.drill.report import report
from responder.errors import PlanRefused, RequestError
from responder.redaction import forms_of

SPEED = 40.0
PLAYBOOKS = [
    ("slack-token", "crash:contain/end:after-apply"),
    ("huggingface-token", "crash:pause-space:after-apply"),
    ("responder-own-credential", "crash:pause:before-apply"),
    ("third-party-key", "crash:snapshot:after-record"),
    ("false-positive", "crash:close:after-apply"),
]
"""Each playbook, and where its runner is killed."""
SWITCHED = (
    "from #incidents by chat to ines@lumen.example, leo@lumen.example, ruth@lumen.example by mail, "
    "because it acts with what leaked"
)


@contextmanager
def drilled(playbook: str, folder: Path, *faults: str, scene: str = "") -> Iterator[tuple[Drill, dict[str, Any]]]:
    """Drill a playbook to its end; the world and the record are open until the test is over."""
    drill = begin(Options(playbook, folder, faults=faults, scene=scene, speed=SPEED, seconds=120))
    try:
        carry_out(drill, lambda _: None)
        yield drill, report(drill)
    finally:
        drill.app.close()
        drill.stage.close()


def assert_no_secret(folder: Path) -> None:
    """Look for every value of the world, the issued ones too, in everything that is not the world's own."""
    values = json.loads((folder / "world" / "secrets.json").read_text())
    forms = {form.encode() for value in values.values() for form in (*forms_of(value), value[::-1]) if len(form) >= 8}
    paths = [path for path in folder.rglob("*") if path.is_file() and (folder / "world") not in path.parents]
    assert len(paths) >= 8
    for path in paths:
        data = path.read_bytes()
        data += gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b""
        assert not [form for form in forms if form in data], f"{path} holds a secret"


@pytest.mark.parametrize(("playbook", "fault"), PLAYBOOKS, ids=[name for name, _ in PLAYBOOKS])
def test_a_killed_run_comes_to_a_good_end(tmp_path: Path, playbook: str, fault: str) -> None:
    with drilled(playbook, tmp_path, fault) as (_, document):
        ledger = document["ledger"]

    assert document["contained"] is True
    assert document["record"]["disagreements"] == []
    assert document["record"]["verified"] is True
    assert (0, 0) == (ledger["effects_repeated"], ledger["effects_lost"])
    assert [] == ledger["order_violations"]
    assert 100 == document["score"]["total"], document["score"]["parts"]
    assert [True] == [fault["happened"] for fault in document["faults"]]
    assert_no_secret(tmp_path)


def test_a_finding_that_is_left_alone_opens_nothing_until_its_day(tmp_path: Path) -> None:
    with drilled("false-positive", tmp_path) as (drill, document):
        found = finding(drill.stage, drill.app)
        with pytest.raises(RequestError) as refused:
            drill.app.playbook_for(found)
        elsewhere = found.model_copy(
            update={"exposure": found.exposure.model_copy(update={"url": "https://x.example/"})}
        )

        assert document["contained"] is True
        assert "left alone until" in refused.value.message
        assert "it was revoked when the programme moved" in refused.value.message
        assert drill.app.playbook_for(elsewhere).playbook


def test_a_value_that_is_not_ours_is_never_carried_though_our_own_provider_would_take_it(tmp_path: Path) -> None:
    with drilled("third-party-key", tmp_path) as (drill, document), pytest.raises(PlanRefused) as refused:
        drill.app.plan(drill.app.library.load("leaked-credential"), finding(drill.stage, drill.app), {})

    seen = document["ledger"]["handed_over"]
    assert (0, True, True) == (seen["touched"], seen["hidden"], seen["acknowledged"])
    assert [{"label": "foreign-token", "state": "alive"}] == document["ledger"]["credentials"]
    assert [True] == ["Nothing shows that this credential is ours" in one.what for one in refused.value.problems]


def test_what_is_our_own_is_ended_by_another_identity_alone(tmp_path: Path) -> None:
    with drilled("responder-own-credential", tmp_path):
        lines = [json.loads(line) for line in (tmp_path / "world" / "ledger.jsonl").read_text().splitlines()]
    ours = [line for line in lines if line["actor"] == "responder" and line["system"] == "issuer"]

    assert {"proof"} == {line["step"] for line in ours if line["credential"] == "issuer-admin"}
    assert {"spare-admin"} == {line["credential"] for line in ours if line["effect"]}


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param((), id="nothing fails"),
        pytest.param(("crash:alert:after-apply",), id="killed when the mail is out, and nothing says so"),
        pytest.param(("crash:end:after-apply",), id="killed when the token is revoked"),
    ],
)
def test_where_the_token_of_our_own_notices_leaked_they_go_by_mail(tmp_path: Path, faults: tuple[str, ...]) -> None:
    with drilled("responder-own-credential", tmp_path, *faults, scene="our-channel") as (_, document):
        lines = [json.loads(line) for line in (tmp_path / "world" / "ledger.jsonl").read_text().splitlines()]
    ledger, (notice,) = document["ledger"], document["notices"]
    by_leaked = [one for one in lines if one["credential"] == "slack-bot" and one["actor"] == "responder"]
    page = "\n".join(score_lines(document))

    assert document["contained"] is True
    assert 100 == document["score"]["total"], document
    assert [True] * len(faults) == [fault["happened"] for fault in document["faults"]]
    assert len(faults) == document["record"]["restarts"]
    assert (3, True, [SWITCHED]) == (notice["recipients"], notice["on_time"], notice["switched"])
    assert 0 == ledger["said_with_leaked"]
    assert {"token_revoked"} == {one["effect"]["kind"] for one in by_leaked if one["effect"]}
    assert {"look", "end", "proof"} == {one["step"] for one in by_leaked}
    assert [] == [one for one in lines if one["effect"] and one["effect"]["kind"] == "message_posted"]
    assert f"channel switched        internal-alert {SWITCHED}" in page
    assert "said with what leaked   nothing after we knew" in page
    assert_no_secret(tmp_path)


def test_a_scene_is_one_of_its_playbook(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refused:
        begin(Options("responder-own-credential", tmp_path, scene="founding"))

    assert "responder-own-credential is not practised in a scene 'founding'" == refused.value.message
    assert "known: responder-own-credential, our-channel" == refused.value.remedy
