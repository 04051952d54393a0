"""A private PostgreSQL server on a free loopback port: started once for a test session, stopped by its process id."""

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

USER = "responder"
_SECONDS = 30


def missing() -> str:
    """Return why no server can be started here; empty where one can."""
    if _binaries() is None:
        return "PostgreSQL is not installed: `make servers` installs it"
    try:
        import psycopg  # noqa: F401, PLC0415 - what is asked is whether it is there
    except ImportError:
        return "psycopg is not installed: pip install 'responder[postgres]'"
    return "" if _user() != "root" else "PostgreSQL does not run as root, and there is no other user to run it as"


def _binaries() -> Path | None:
    """Return the folder of the server's programs."""
    asked = shutil.which("pg_config")
    if asked:
        folder = Path(subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=True).stdout.strip())
        if (folder / "initdb").exists():
            return folder
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    found += [Path(path).parent for path in [shutil.which("initdb")] if path]
    return max(found, key=str, default=None)


def _user() -> str:
    """Return as whom the server can run: it refuses root."""
    if os.geteuid():
        return getpass.getuser()
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), "root")


@dataclass
class Server:
    """A running server."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    settings: dict[str, str] = field(default_factory=dict)
    made: int = 0
    shared: str = ""

    def url(self, database: str = "postgres", user: str = USER) -> str:
        """Return the URL of a database; everybody on this machine is let in, without a password."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """Make a new, empty database, and return its URL."""
        import psycopg  # noqa: PLC0415 - only where a server runs

        self.made += 1
        name = f"test{self.made}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def emptied(self) -> str:
        """Return the URL of the one database that tests use in turn, empty; quicker than a new one."""
        import psycopg  # noqa: PLC0415 - only where a server runs

        if not self.shared:
            self.shared = self.database()
        with psycopg.connect(self.shared, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute(
                "DROP SCHEMA IF EXISTS responder, responder_queue CASCADE;"
                " DROP SCHEMA public CASCADE; CREATE SCHEMA public"
            )
        return self.shared

    def start(self) -> None:
        """Start it, and wait until it answers."""
        user = _user() if not os.geteuid() else None
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self.settings,
        }
        words = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        binaries = _binaries()
        assert binaries is not None
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [binaries / "postgres", "-D", self.folder / "data", *words],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", user=user,
            )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        import psycopg  # noqa: PLC0415 - only where a server runs

        until = time.monotonic() + _SECONDS
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self.process is not None
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends every session, SIGQUIT is a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(_SECONDS)
            self.process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """Run a server of one's own, in a new folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="responder-pg-"))
    made = Server(folder, _free_port(), settings=settings)
    binaries = _binaries()
    assert binaries is not None
    try:
        user = _user() if not os.geteuid() else None
        if user is not None:
            shutil.chown(folder, user)
        subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale"],
            check=True, capture_output=True, cwd="/", user=user,
        )  # fmt: skip
        made.start()
        yield made
    finally:
        made.stop(signal.SIGQUIT)  # nobody needs what is in it any more
        shutil.rmtree(folder, ignore_errors=True)
