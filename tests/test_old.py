"""Records that earlier formats wrote: each opens, verifies, and its open run goes on to its end."""

import shutil
import threading
import time
from collections import Counter
from pathlib import Path

import clockwork
import pytest
from conftest import OpenApp
from test_run import effects

from responder.app import App
from responder.errors import RequestError
from responder.registry import Registry

OLD = sorted((Path(__file__).parent / "old").glob("format-*"), key=lambda path: path.name)


@pytest.fixture(params=OLD, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an old installation, in a place of its own."""
    place = tmp_path / "old"
    shutil.copytree(request.param, place)
    (place / "sealing.key").chmod(0o600)
    config = place / "responder.yaml"
    config.write_text(config.read_text().replace("WORLD", str(place / "world")))
    return place


def reopened(opened: OpenApp, old: Path, person: str) -> App:
    return opened(
        person,
        config=old / "responder.yaml",
        store=str(old / "responder.db"),
        environment={"HOME": str(old)},
        registry=Registry({"clockwork": clockwork.PROVIDER}),
    )


def test_an_old_record_verifies_and_its_secrets_open(opened: OpenApp, old: Path) -> None:
    app = reopened(opened, old, "ann")
    (row,) = app.runs()

    assert [] == app.verify(row.incident)
    state = app.state(row.run)
    assert ["each[b]"] == [address for address, unit in state.units.items() if unit.in_flight]
    assert ["disable"] == [ask.unit for ask in state.asks()]
    (leaked,) = app.means.store.blobs(row.incident, "leaked")
    found = app.means.sealer.unseal(leaked.sealed, leaked.blob).fingerprint
    assert {found} == {entry.fingerprint for entry in app.means.settings.inventory}


def test_the_open_run_of_an_old_record_goes_on_to_its_end(opened: OpenApp, old: Path) -> None:
    app = reopened(opened, old, "ann")
    people = [reopened(opened, old, name) for name in ("cora", "carl")]
    (row,) = app.runs()

    people[0].approve(row.run, "disable")
    pause = answered_while_driven(app, row.run, people[1])

    state = app.state(row.run)
    assert ("ended", "ended", True) == (pause, state.state, state.contained)
    assert {"after": "done", "disable": "done", "each": "done", "loud": "skipped", "refused": "failed"} == {
        name: state.status(name) for name in ("after", "disable", "each", "loud", "refused")
    }
    once = Counter(effects(old))
    assert {1} == set(once.values()), "nothing is done twice"
    assert {"item-1", "item-2", "item-3", "after", "key next", "said of paste"} < once.keys()
    assert "reconciled" in {entry.event for entry in app.timeline(row.incident) if entry.step == "each[b]"}
    assert [] == app.verify(row.incident)


def answered_while_driven(app: App, run: str, person: App) -> str:
    """Drive a run; `person` chooses to go on as soon as that is asked."""

    def choose() -> None:
        for _ in range(400):
            unit = person.state(run).units.get("choose")
            if unit and unit.ask:
                try:
                    person.decide(run, "choose", "go")
                except RequestError:
                    continue
                return
            time.sleep(0.02)

    thread = threading.Thread(target=choose)
    thread.start()
    state = app.drive(run).state
    thread.join()
    return state
