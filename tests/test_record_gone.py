"""The record cannot be written any more: nothing more is done, and what was done is found again when it can."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import OpenApp
from test_crash import spawn
from test_run import begun, driven, effects, statuses, written

from responder.app import App
from responder.errors import RecordError
from responder.sqlite import SQLiteStore

COUNT = 12
STEPS = "".join(
    f"  - {{id: s{n}, phase: containment, action: clockwork.turn, with: {{key: k{n}}}"
    + (f", needs: [s{n - 1}]" if n else "")
    + "}\n"
    for n in range(COUNT)
)
KEYS = [f"k{n}" for n in range(COUNT)]
WAITING = """
  - {id: ask, phase: analysis, action: human.task, with: {role: oncall, instructions: look, within: 1h,
     on_timeout: abort}}
  - {id: turn, phase: containment, action: clockwork.turn, with: {key: a}, needs: [ask]}
"""


def full(store: SQLiteStore, place: Path) -> Callable[[], None]:
    """Let no page be added to the file, as on a full disk; return what makes room again."""
    used = store._all("PRAGMA page_count")[0][0]
    store._all(f"PRAGMA max_page_count = {used}")
    return lambda: None


def read_only(store: SQLiteStore, place: Path) -> Callable[[], None]:
    store._all("PRAGMA query_only = ON")
    return lambda: None


def moved_away(store: SQLiteStore, place: Path) -> Callable[[], None]:
    (place / "state").rename(place / "elsewhere")
    return lambda: restored(place)


def deleted(store: SQLiteStore, place: Path) -> Callable[[], None]:
    """Remove the file; what comes back is a copy of what it held at that moment, as a backup would be."""
    shutil.copytree(place / "state", place / "elsewhere")
    for path in (place / "state").glob("r.db*"):
        path.unlink()
    return lambda: restored(place)


def replaced(store: SQLiteStore, place: Path) -> Callable[[], None]:
    """Put another file in its place: an older state of it, as somebody who restores too early would."""
    shutil.copy(place / "state" / "r.db", place / "state" / "old")
    (place / "state" / "old").rename(place / "state" / "r.db")
    return lambda: None


def restored(place: Path) -> None:
    shutil.rmtree(place / "state", ignore_errors=True)
    (place / "elsewhere").rename(place / "state")


TROUBLES = [full, read_only, moved_away, deleted]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("point", ["before-apply", "after-apply", "after-record"])
def test_nothing_is_sent_after_the_record_failed_and_nothing_is_doubled_when_it_is_back(
    opened: OpenApp, place: Path, point: str, trouble: Callable[[SQLiteStore, Path], Callable[[], None]]
) -> None:
    run = begun(opened(), written(place, STEPS))
    mend: list[Callable[[], None]] = []
    app: App

    def hook(at: str, address: str) -> None:
        if (at, address) == (point, "s5"):
            store = app.means.store
            assert isinstance(store, SQLiteStore)
            mend.append(trouble(store, place))

    app = opened(hook=hook)
    with pytest.raises(RecordError):
        app.drive(run)
    app.close()

    done = effects(place)
    mend[0]()
    after = opened()
    intended = [entry.step for entry in after.timeline(after.row(run).incident) if entry.event == "intended"]
    assert done == [f"k{step[1:]}" for step in intended]
    assert len(done) == 6 if trouble is not full else 6 <= len(done) < COUNT  # pages have room left
    state = driven(after, run)
    assert ("ended", {"done"}) == (state.state, set(statuses(state).values()) - {"unchanged"})
    assert KEYS == effects(place)
    assert [] == after.verify(after.row(run).incident)


@pytest.mark.parametrize("point", ["before-apply", "after-apply", "after-record"])
def test_on_a_full_disk_the_process_leaves_and_another_finishes_when_there_is_room(
    opened: OpenApp, place: Path, record: str, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    app = opened()
    run = begun(app, written(place, STEPS))
    monkeypatch.setenv("FULL", "1")

    first = spawn(place, record, run, point, "s5")

    assert first.wait(30) == 6
    intended = [entry.step for entry in app.timeline(app.row(run).incident) if entry.event == "intended"]
    assert effects(place) == [f"k{step[1:]}" for step in intended] == KEYS[:6]
    second = spawn(place, record, run)
    assert second.wait(30) == 0
    assert KEYS == effects(place)
    assert [] == app.verify(app.row(run).incident)


def test_a_file_that_was_put_in_its_place_is_not_written_to(opened: OpenApp, place: Path) -> None:
    app = opened()
    run = begun(app, written(place, STEPS))
    store = app.means.store
    assert isinstance(store, SQLiteStore)
    replaced(store, place)

    with pytest.raises(RecordError, match="removed or replaced while it was open"):
        app.drive(run)

    assert [] == effects(place)


@pytest.mark.parametrize("trouble", [read_only, moved_away, deleted])
def test_a_run_that_waits_stops_within_seconds(
    opened: OpenApp, place: Path, trouble: Callable[[SQLiteStore, Path], Callable[[], None]]
) -> None:
    app = opened()
    run = begun(app, written(place, WAITING))
    store = app.means.store
    assert isinstance(store, SQLiteStore)
    mend: list[Callable[[], None]] = []

    def break_it() -> None:
        while not app.state(run).asks():
            time.sleep(0.02)
        mend.append(trouble(store, place))

    thread = threading.Thread(target=break_it)
    thread.start()
    with pytest.raises(RecordError):
        app.drive(run)
    thread.join()
    app.close()

    mend[0]()
    after = opened("carl")
    after.done(run, "ask", "looked")
    assert "done" == driven(after, run).status("turn")
    assert ["a"] == effects(place)
