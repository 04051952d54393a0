"""What tests share: an installation in a temporary folder, without the user's home, environment or network."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import clockwork
import pytest
from postgresql import Server, missing
from postgresql import server as private_server

from responder.app import App, open_app
from responder.clock import SystemClock
from responder.installation import login
from responder.registry import Registry

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell without job control starts what is to run in the background like that, and every process that a test
    # starts would inherit it: tests that interrupt one would wait in vain.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("RESPONDER_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def leaked_value() -> str:
    """Make a value that looks like nothing else and stands in no file."""
    return "leaked-" + "q7Zp" * 6


SETTINGS = """\
organisation: {{name: Lumen Labs, contact: security@lumen.example}}
people:
  ann: {{name: Ann, email: ann@lumen.example, os_user: {user}, roles: [oncall]}}
  carl: {{name: Carl, email: carl@lumen.example, roles: [commander, oncall]}}
  cora: {{name: Cora, email: cora@lumen.example, roles: [commander, comms]}}
  hal: {{name: Hal, email: hal@lumen.example, roles: [commander]}}
connections:
  cw: {{provider: clockwork, account: acct-1, folder: {folder}}}
inventory:
  - id: shared
    connection: cw
    key_id: k1
    known_by: env:LEAKED
    shared: true
    holders:
      - {{id: h1, name: Hal, email: hal@lumen.example, person: hal}}
      - {{id: h2, name: Hugo, email: hugo@out.example}}
  - {{id: second, connection: cw, known_by: env:SECOND}}
canaries: [canary-1]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with responder.yaml, and the world of the clockwork provider in `world/`."""
    (tmp_path / "world").mkdir()
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "world" / "planted").write_text("second-" + "w3Xk" * 6)
    (tmp_path / "responder.yaml").write_text(SETTINGS.format(user=login(), folder=tmp_path / "world"))
    return tmp_path


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A private PostgreSQL server, the same for the whole session."""
    if reason := missing():
        pytest.skip(reason)
    with private_server() as running:
        yield running


BOTH = ("sqlite", "postgres")
"""What `record` takes: `@pytest.mark.parametrize("record", BOTH, indirect=True)` runs a test on both stores."""


@pytest.fixture
def record(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the record is: a new file, or an empty database of the private server."""
    if getattr(request, "param", "sqlite") == "postgres":
        running: Server = request.getfixturevalue("server")
        return running.emptied()
    return str(tmp_path / "state" / "r.db")


OpenApp = Callable[..., App]


@pytest.fixture
def opened(place: Path, record: str) -> Iterator[OpenApp]:
    """Opens the installation, as often as wanted, as the person named."""
    apps: list[App] = []

    def open_as(person: str = "ann", **more: Any) -> App:
        environment: Mapping[str, str] = {
            "LEAKED": leaked_value(),
            "SECOND": "second-" + "w3Xk" * 6,
            "HOME": str(place),
        }
        usual: dict[str, Any] = {
            "config": place / "responder.yaml",
            "store": record,
            "registry": Registry({"clockwork": clockwork.PROVIDER}),
            "clock": SystemClock(),
            "environment": environment,
        }
        app = open_app(**{**usual, **more})
        app.person = person
        apps.append(app)
        return app

    yield open_as
    for app in apps:
        app.close()
