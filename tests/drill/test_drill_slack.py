"""The founding drill at Slack alone: begun, answered, handed over and closed there, with the listener killed, too."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from responder.cli import outputs
from responder.cli.drill import score_lines
from responder.drill.chat import check_installed
from responder.drill.drill import Drill, Options, begin, carry_out
from responder.drill.report import report
from responder.drill.world.slack import Person, through_control
from responder.errors import RequestError
from responder.redaction import forms_of

PLAYBOOK = "shared-access-token-public"
HOLDERS = 4
MOST_SECONDS = 55.0


class Drilled:
    """A drill that is over, its world still there."""

    def __init__(self, drill: Drill, told: list[str], seconds: float) -> None:
        self.drill = drill
        self.told = told
        self.seconds = seconds
        self.document = report(drill)
        self.control = drill.stage.urls["control"]

    def sent(self, **asked: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.control}/slack/sent", params=asked, timeout=10).json()
        return list(answer["sent"])

    def asked(self) -> set[str]:
        """Return the steps of the run of which the incident's channel showed a question."""
        posted = [one["arguments"].get("metadata") for one in self.sent(name="chat.postMessage")]
        read = [json.loads(one) if isinstance(one, str) else one for one in posted if one]
        markers = [str(one["event_payload"].get("marker", "")).split(":") for one in read]
        return {parts[2] for parts in markers if parts[0] == "ask" and parts[1] == self.drill.run}


@contextmanager
def drilled(folder: Path, slack: str, *faults: str, playbook: str = PLAYBOOK) -> Iterator[Drilled]:
    options = Options(playbook, folder, faults=faults, holders=HOLDERS, speed=50.0, seconds=MOST_SECONDS, slack=slack)
    told: list[str] = []
    since = time.monotonic()
    drill = begin(options, told.append)
    try:
        carry_out(drill, told.append)
        yield Drilled(drill, told, time.monotonic() - since)
    finally:
        drill.app.close()
        drill.stage.close()


@pytest.mark.parametrize(
    ("slack", "fault", "restarts"),
    [
        pytest.param("socket", (), 0, id="nothing fails"),
        pytest.param("socket", ("crash:kill:after-apply",), 1, id="the listener is killed when the token is off"),
        pytest.param("http", ("crash:room:before-apply",), 1, id="by HTTP, killed before there is a channel"),
    ],
)
def test_a_drill_at_slack_alone_ends_well(tmp_path: Path, slack: str, fault: tuple[str, ...], restarts: int) -> None:
    with drilled(tmp_path, slack, *fault) as it:
        document, ledger = it.document, it.document["ledger"]
        told = "\n".join(it.told)

        assert document["contained"], told
        assert (0, 0) == (ledger["effects_repeated"], ledger["effects_lost"])
        assert [] == ledger["order_violations"]
        assert (restarts, True) == (document["record"]["restarts"], document["record"]["verified"])
        assert all(one["happened"] for one in document["faults"])
        assert it.seconds < MOST_SECONDS

        entries = it.drill.app.timeline(it.drill.incident)
        asked = {entry.step for entry in entries if entry.event == "asked" and entry.run == it.drill.run}
        assert asked
        assert asked == it.asked()
        assert document["slack"]["answers_at_a_terminal"] == 0
        assert document["slack"]["answers"] >= len(asked)

        assert ("ines", True, True) == tuple(document["slack"][name] for name in ("lead", "postmortem", "closed"))
        assert "ruth types '/responder', and a form opens" in told
        assert "ines presses 'Take over'" in told
        _validate(document)
        _no_secret_was_sent(it)


def _validate(document: dict[str, Any]) -> None:
    schema = json.loads((outputs.FOLDER / "drill.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert "ines leads, postmortem shown, closed" in "\n".join(score_lines(document))


def _no_secret_was_sent(it: Drilled) -> None:
    values = json.loads((it.drill.stage.folder / "world" / "secrets.json").read_text())
    assert len(values) > HOLDERS
    everything = json.dumps(it.sent(), ensure_ascii=False)
    assert it.drill.incident in everything  # the search would find what is there

    assert [] == [
        label
        for label, value in values.items()
        for form in (*forms_of(value), value[::-1])
        if len(form) >= 8 and form in everything
    ]


def test_what_people_saw_stays_in_the_channel(tmp_path: Path) -> None:
    with drilled(tmp_path, "socket", playbook="leaked-credential") as it:
        ines = Person("ines", through_control(int(it.control.rsplit(":", 1)[1])))
        channel = next(one["id"] for one in ines.channels() if one["name"].startswith("inc-"))
        shown = json.dumps([*ines.messages(channel), *ines.pins(channel)])

        assert it.document["contained"], it.told
        assert it.document["slack"]["closed"]
        assert "agreed by ines" in shown
        assert '"answer:accept"' not in shown


def test_a_listener_that_is_left_dead_leaves_the_run_open(tmp_path: Path) -> None:
    options = Options(
        "leaked-credential", tmp_path, faults=("crash:pause:after-apply",), holders=2, speed=50.0, seconds=MOST_SECONDS,
        slack="socket", restart=False,
    )  # fmt: skip
    told: list[str] = []
    drill = begin(options, told.append)
    try:
        carry_out(drill, told.append)
        row = drill.app.row(drill.run)

        assert "open" == row.state
        assert ["crash:pause:after-apply"] == drill.crashes
        assert "It is not restarted: what it left undone stays undone, and the score says so." in told
    finally:
        drill.app.close()
        drill.stage.close()


@pytest.mark.parametrize("gone", ["slack_bolt", "websockets", "wsproto"])
def test_what_is_not_installed_is_said_once_with_the_command_that_installs_it(gone: str) -> None:
    def found(name: str) -> ModuleSpec | None:
        return None if name == gone else find_spec(name)

    with pytest.raises(RequestError) as error:
        check_installed(found)

    assert (gone, "pip install 'responder[slack,drill]'") == (error.value.where, error.value.remedy)


@pytest.mark.parametrize("more", [{"live": True}, {"workers": 2}])
def test_who_answers_at_slack_answers_everything(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="the listener advances the run"):
        begin(Options(PLAYBOOK, tmp_path / "d", slack="socket", **more))

    assert not (tmp_path / "d").exists()
