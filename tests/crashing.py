"""Drives a run in a process that kills itself where told to: `crashing.py PLACE RECORD RUN [POINT STEP]`.

With FULL in the environment the disk is full from there on instead: no file may grow beyond the record's log.
"""

import os
import resource
import signal
import sys
from pathlib import Path

import clockwork

from responder.app import open_app
from responder.errors import RecordError, StaleExecutor
from responder.registry import Registry


def main(place: Path, record: str, run: str, point: str = "", step: str = "") -> int:
    def hook(at: str, address: str) -> None:
        if (at, address) == (point, step) and "FULL" in os.environ:
            size = (place / "state" / "r.db-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        elif (at, address) == (point, step):
            os.kill(os.getpid(), signal.SIGKILL)

    app = open_app(
        config=place / "responder.yaml", store=record, environment=dict(os.environ),
        registry=Registry({"clockwork": clockwork.PROVIDER}), hook=hook,
        debug="DEBUG" in os.environ,
    )  # fmt: skip
    try:
        return {"ended": 0, "halted": 1}.get(app.drive(run, "test").state, 7)
    except StaleExecutor:
        return 70
    except RecordError:
        return 6
    finally:
        app.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
