"""The runner of a drill: the real one, in a process of its own, which can be killed at a named point.

`python -m responder.drill.runner STATE RUN [STEP:POINT]...`, and as one of several workers on a shared record:
`python -m responder.drill.runner --worker FOLDER [FAULT]...`
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from responder.app import open_app
from responder.drill.crew import strike
from responder.drill.faults import Fault, parse_faults
from responder.errors import RequestError, ResponderError, StaleExecutor

_EXITS = {"ended": 0, "halted": 1, "waiting": 7}


def main(arguments: list[str]) -> int:
    """Drive a run to its end; 0 when it ended, 1 when it halted, 6 when the record fails, 7 when others drive it."""
    if arguments[0] == "--worker":
        return _work(Path(arguments[1]), parse_faults(arguments[2:]))
    folder, run, *kills = arguments
    threading.Thread(target=_end_with_the_drill, daemon=True).start()

    def hook(point: str, address: str) -> None:
        for kill in kills:
            step, _, at = kill.rpartition(":")
            if at == point and address in {step, address if address.partition("[")[0] == step else ""}:
                sys.stdout.flush()
                os.kill(os.getpid(), signal.SIGKILL)

    app = open_app(config=Path(folder) / "responder.yaml", hook=hook, debug="RESPONDER_DEBUG" in os.environ)
    try:
        return _EXITS[app.resume(run).state]
    except (StaleExecutor, RequestError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the drill reads it there
        return 7
    except ResponderError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the drill reads it there
        return 6
    finally:
        app.close()


def _work(folder: Path, faults: Sequence[Fault]) -> int:
    """Be one of the drill's workers, until told to leave; 6 when the record fails."""
    from responder.fleet.worker import CONCURRENCY, Worker  # noqa: PLC0415 - an extra, and slow to import

    threading.Thread(target=_end_with_the_drill, daemon=True).start()
    app = open_app(
        config=folder / "state" / "responder.yaml",
        hook=partial(strike, folder, faults),
        debug="RESPONDER_DEBUG" in os.environ,
    )
    try:
        if app.attendance.jobs is None:
            raise RequestError("Workers need a record that many hosts share")
        tell = partial(print, file=sys.stderr, flush=True)
        Worker(app.means, app.dispatcher, app.attendance.jobs, concurrency=CONCURRENCY, tell=tell).work()
    except ResponderError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the drill reads it there
        return 6
    finally:
        app.close()
    return 0


def _end_with_the_drill() -> None:
    """End as soon as whoever started this process is gone: a drill leaves nothing behind."""
    while os.read(sys.stdin.fileno(), 1):  # not `sys.stdin.read`, whose lock the interpreter wants when it ends
        pass
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
