"""`doctor` at Slack: the app's tokens, what they may do, and the people who answer there."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result
from guests import Guest

from responder.app import open_app
from responder.cli.group import group
from responder.clock import ScaledClock
from responder.drill.world import World, WorldSpec
from responder.drill.world.slack import Slack
from responder.installation import login
from responder.slack.checkup import examine_slack
from responder.slack.scopes import SCOPES

SETTINGS = """\
people:
  ruth: {{name: Ruth, slack: URUTH, roles: [oncall, commander], os_user: "{login}"}}
  ines: {{name: Ines, slack: UINES, roles: [commander]}}
  anna: {{name: Anna, roles: [owner]}}
connections:
  chat: {{provider: slack, account: T0LUMEN, secret: "env:BOT", base_url: "{slack}"}}
slack: {{connection: chat, app_token: "env:APP", signing_secret: "env:SIGNING"}}
"""
LABELS = {"BOT": "slack-bot", "APP": "slack-app", "SIGNING": "slack-signing"}


class Office:
    """An installation with the world's Slack, in which the doctor is called."""

    def __init__(self, place: Path, guest: Guest) -> None:
        self.place = place
        self.guest = guest
        self.path = place / "responder.yaml"
        self.path.write_text(SETTINGS.format(slack=guest.world.urls["slack"], login=login()))
        self.environment = {name: guest.value(label) for name, label in LABELS.items()}

    @property
    def slack(self) -> Slack:
        return self.guest.world.slack

    def change(self, old: str, new: str) -> None:
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new))

    def called(self, *words: str) -> Result:
        where = ["--config", str(self.path), "--store", str(self.place / "r.db")]
        around = {"HOME": str(self.place), "RESPONDER_STORE": "", **self.environment}
        return CliRunner().invoke(group, [*where, *words, "doctor"], env=around)

    def looked(self) -> tuple[int, dict[str, str]]:
        """Return the exit code, and what is said of Slack, by name."""
        result = self.called("--json")
        found = [one for one in json.loads(result.stdout)["checks"] if one["about"] == "slack"]
        return result.exit_code, {one["name"]: f"{one['state']}: {one['said']} -> {one['remedy']}" for one in found}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    clock = ScaledClock.create(tmp_path / "clock.json", datetime.now(UTC), 1.0)
    spec = WorldSpec(dir=tmp_path / "w", clock=tmp_path / "clock.json", holders=2, public_rate=0)
    with World(spec, clock) as world, httpx.Client(timeout=10) as client:
        yield Office(tmp_path, Guest(world, client, tmp_path / "w" / "ledger.jsonl"))


def test_an_app_that_can_be_spoken_to_is_ready(office: Office) -> None:
    code, found = office.looked()

    assert 0 == code, found
    assert {"chat: the bot token", "chat: scopes", "people", "Socket Mode", "signing secret"} == found.keys()
    assert all(said.startswith("ok: ") for said in found.values())
    assert "T0LUMEN" in found["chat: the bot token"]
    assert f"all {len(SCOPES)} " in found["chat: scopes"]
    assert found["people"].startswith("ok: 2 have an account")


def test_nothing_is_changed_at_slack_and_no_ticket_is_shown(office: Office) -> None:
    result = office.called()

    methods = {one.name for one in office.slack.diary.sent()}
    assert {"auth.test", "users.info", "apps.connections.open"} == methods
    assert "ticket" not in result.output
    assert not any(value in result.output for value in office.environment.values())
    assert [] == office.slack.courier.board.open


def _revoked(office: Office) -> None:
    office.slack.app.revoked.add("slack-bot")


def _narrow(office: Office) -> None:
    office.slack.app.scopes = frozenset(SCOPES) - {"pins:write", "reactions:read"}


def _blind(office: Office) -> None:
    office.slack.app.scopes = frozenset(SCOPES) - {"users:read"}


def _bot_as_app(office: Office) -> None:
    office.environment["APP"] = office.environment["BOT"]


def _app_narrow(office: Office) -> None:
    office.slack.app.app_scopes = frozenset()


def _elsewhere(office: Office) -> None:
    office.change("account: T0LUMEN", "account: T0OTHER")


def _unnamed(office: Office) -> None:
    office.change("account: T0LUMEN, ", "")


def _unset(office: Office) -> None:
    del office.environment["APP"]


def _deaf(office: Office) -> None:
    office.change(', app_token: "env:APP", signing_secret: "env:SIGNING"', "")


def _misspelt(office: Office) -> None:
    office.change("UINES", "UNOBODY")


def _left(office: Office) -> None:
    office.slack.deactivate("ines")


def _no_connection(office: Office) -> None:
    office.change("provider: slack", "provider: huggingface")


@pytest.mark.parametrize(
    ("happen", "name", "said"),
    [
        pytest.param(_revoked, "chat: the bot token", "not accepted: it was revoked", id="a revoked token"),
        pytest.param(
            _elsewhere, "chat: the bot token", "workspace T0LUMEN, and responder.yaml says T0OTHER", id="team"
        ),
        pytest.param(_unnamed, "chat: the bot token", "responder.yaml says nothing", id="no team in responder.yaml"),
        pytest.param(_narrow, "chat: scopes", "lacks pins:write (pins the card", id="scopes are lacking"),
        pytest.param(_blind, "chat: scopes", "lacks users:read (", id="people cannot be looked up"),
        pytest.param(_bot_as_app, "Socket Mode", "a token of another kind", id="the bot token as the app token"),
        pytest.param(_app_narrow, "Socket Mode", "lacks a permission, connections:write", id="an app token for less"),
        pytest.param(_unset, "Socket Mode", "env:APP is missing", id="an app token that is not there"),
        pytest.param(_deaf, "listening", "neither an app token nor a signing secret", id="no way in"),
        pytest.param(_misspelt, "ines", "UNOBODY is not known in this workspace", id="a person of a wrong id"),
        pytest.param(_left, "ines", "UINES is deactivated", id="a person who left"),
        pytest.param(_no_connection, "chat", "no connection chat of Slack", id="a connection to something else"),
    ],
)
def test_what_is_missing_is_said(office: Office, happen: Callable[[Office], None], name: str, said: str) -> None:
    happen(office)

    code, found = office.looked()

    assert 4 == code
    assert found[name].startswith("missing: ")
    assert said in found[name]
    assert not found[name].endswith("-> ")


def test_every_scope_that_is_lacking_is_named_with_what_it_is_for(office: Office) -> None:
    _narrow(office)

    said = office.looked()[1]["chat: scopes"]

    assert all(f"{scope} ({SCOPES[scope]})" in said for scope in ("pins:write", "reactions:read"))
    assert "chat:write" not in said


def test_where_responder_yaml_says_nothing_of_slack_nothing_is_asked(office: Office) -> None:
    office.path.write_text(office.path.read_text().partition("slack: {connection")[0])

    assert {} == office.looked()[1]
    assert "apps.connections.open" not in {one.name for one in office.slack.diary.sent()}


def test_where_what_listens_is_not_installed_that_is_a_note(office: Office) -> None:
    around = {"HOME": str(office.place), **office.environment}
    app = open_app(config=office.path, store=str(office.place / "r.db"), environment=around)
    try:
        checks = examine_slack(app.means, lambda _: None)
    finally:
        app.close()

    assert ("slack_bolt, websockets", "note") == (checks[0].name, checks[0].state)
    assert "pip install 'responder[slack]'" in checks[0].remedy
    assert {"ok"} == {check.state for check in checks[1:]}


def test_slack_that_is_away_is_missing_and_nothing_breaks(office: Office) -> None:
    office.slack.go_down(60)

    code, found = office.looked()

    assert 4 == code
    assert "cannot be reached" in found["chat: the bot token"] + found["Socket Mode"]
