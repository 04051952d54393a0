"""Other tools, each warm in a process of its own: they live in an environment of their own, `make bench-peers`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bench.comparison import Measure, Missing

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv" / "peers"
"""Where `make bench-peers` installs them, by bench/peers.txt."""
INSIDE = Path(__file__).resolve().parent / "inside"
_PATIENCE = 0.3
"""How long a process that was stopped may catch up before it is measured (seconds)."""


def program(name: str) -> Path:
    """Return a program of their environment. Missing where it is not installed."""
    path = ENVIRONMENT / "bin" / name
    if not path.exists():
        raise Missing("not installed: `make bench-peers` installs it")
    return path


def environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of their processes: a home in a folder that is gone afterwards, nothing of ours."""
    kept = {name: os.environ[name] for name in ("TZ",) if name in os.environ}
    path = os.pathsep.join([str(ENVIRONMENT / "bin"), os.environ.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **(more or {})}


class Warm:
    """A process that has imported its tool, and does a piece of work whenever it is asked; stopped in between.

    It reads one line for each piece of work, and answers with the seconds that the work took.
    """

    def __init__(self, script: str, settings: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [program("python"), INSIDE / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("ab"),
            env=dict(settings),
            cwd=log.parent,
            text=True,
            start_new_session=True,
        )
        self._stopped = False

    def ask(self, *words: str) -> float:
        """Return the seconds of a piece of work. Missing where it cannot be done."""
        self._go_on()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or "{}")
        except (OSError, ValueError):
            answer = {}
        if "seconds" not in answer:
            raise Missing(f"it failed: {answer.get('error') or self._last_words()}")
        self._stop()
        return float(answer["seconds"])

    def _stop(self) -> None:
        """Stop it and what it started: whoever is measured next has the machine to itself."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGSTOP)
            self._stopped = True

    def _go_on(self) -> None:
        if self._stopped:
            os.killpg(self._process.pid, signal.SIGCONT)
            self._stopped = False
            time.sleep(_PATIENCE)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "it ended and said nothing"

    def close(self) -> None:
        """End it, and whatever it started."""
        self._go_on()
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)


def asking(peer: "Peer", *words: str) -> Measure:
    """Return a measure that asks a peer for a piece of work."""
    return lambda: peer.warm().ask(*words)


class Peer:
    """A tool that is started when it is first asked."""

    def __init__(self, script: str, settings: Mapping[str, str], folder: Path) -> None:
        self._script = script
        self._settings = settings
        self._folder = folder
        self._warm: Warm | None = None

    def warm(self) -> Warm:
        """Return its process, started where it is not there yet. Missing where it is not installed."""
        if self._warm is None:
            program("python")
            self._warm = Warm(self._script, self._settings, self._folder / "log")
        return self._warm

    def close(self) -> None:
        """End what was started."""
        if self._warm is not None:
            self._warm.close()


def installed(package: str) -> str:
    """Return the version of a package in their environment; empty where it is not there."""
    known = sorted((ENVIRONMENT / "lib").glob(f"python*/site-packages/{package}-*.dist-info"))
    return known[0].name.removesuffix(".dist-info").partition("-")[2] if known else ""


def main() -> int:
    """Say what is installed."""
    print({package: installed(package) for package in ("ansible_core", "prefect")})
    return 0


if __name__ == "__main__":
    sys.exit(main())
