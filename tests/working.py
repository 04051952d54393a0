"""A worker in a process of its own: `working.py PLACE RECORD [SIGNAL POINT STEP]` sends itself a signal there.

`TIME=3` in the environment: when it comes there for the third time.
"""

import os
import signal
import sys
from pathlib import Path

import click
import clockwork

from responder.app import open_app
from responder.fleet.worker import Worker
from responder.registry import Registry


def main(place: Path, record: str, number: str = "", point: str = "", step: str = "") -> int:
    left = [int(os.environ.get("TIME", "1"))]

    def hook(at: str, address: str) -> None:
        left[0] -= (at, address) == (point, step)
        if (at, address, left[0]) == (point, step, 0):
            os.kill(os.getpid(), signal.Signals[number])

    app = open_app(
        config=place / "responder.yaml", store=record, environment=dict(os.environ),
        registry=Registry({"clockwork": clockwork.PROVIDER}), hook=hook, debug="DEBUG" in os.environ,
    )  # fmt: skip
    assert app.attendance.jobs is not None
    worker = Worker(
        app.means, app.dispatcher, app.attendance.jobs, concurrency=int(os.environ.get("CONCURRENCY", "4")),
        tell=lambda line: click.echo(line, err=True),
    )  # fmt: skip
    _, interrupted = worker.work()
    app.close()
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
