"""Prefect, doing the same work: a server of its own on loopback, up already, and a process that has imported it.

Telemetry is off, its home is a folder that is gone afterwards, and nothing but the loopback is reached.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import floors
from bench.comparison import Entrant, Missing
from bench.peers import INSIDE, Peer, asking, environment, program
from bench.work import CHAIN, COLD, FAN_OUT, GRAPH

_START_SECONDS = 90


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _settings(folder: Path, port: int) -> dict[str, str]:
    wanted = {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_CLOUD_API_URL": "http://127.0.0.1:9/none",
        "DO_NOT_TRACK": "1",
        "NO_PROXY": "*",
    }
    return environment(folder, wanted)


class Server:
    """Its server, started when first needed, and stopped while others are measured."""

    def __init__(self, folder: Path, port: int, settings: dict[str, str]) -> None:
        self._folder = folder
        self._port = port
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def go_on(self) -> None:
        """Start it, or let it go on. Missing where it does not start."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGCONT)
            time.sleep(0.2)
            return
        command = [
            program("prefect"),
            "server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            str(self._port),
            "--analytics-off",
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=(self._folder / "server.log").open("ab"),
            stderr=subprocess.STDOUT,
            env=self._settings,
            cwd=self._folder,
            start_new_session=True,
        )
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise Missing("its server does not start")
            time.sleep(0.3)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """Stop it where it is."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGSTOP)

    def close(self) -> None:
        """End it and what it started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGCONT)
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(10)


def entrants(until_the_end: ExitStack) -> dict[str, Sequence[Entrant]]:
    """Return its part in each case."""
    folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory()))
    port = _free_port()
    settings = _settings(folder, port)
    server = Server(folder, port, settings)
    peer = Peer("prefect_side.py", settings, folder)
    until_the_end.callback(server.close)
    until_the_end.callback(peer.close)

    def asked(case: str) -> float:
        program("prefect")
        server.go_on()
        try:
            return asking(peer, case)()
        finally:
            server.stop()

    def cold() -> float:
        program("prefect")
        server.go_on()
        try:
            return floors.process([str(program("python")), str(INSIDE / "prefect_side.py"), "one"], settings)
        finally:
            server.stop()

    warm = "Prefect, already imported, its server up"
    return {
        CHAIN: (Entrant(warm, lambda: asked("chain"), rounds=9),),
        GRAPH: (Entrant(warm, lambda: asked("graph"), rounds=7),),
        FAN_OUT: (Entrant(warm, lambda: asked("fan_out"), rounds=4),),
        COLD: (Entrant("Prefect, one task, its server up", cold, rounds=5),),
    }
