"""The runner of a drill: the real one, in a process of its own, which can be killed at a named point.

`python -m responder.drill.runner STATE RUN [STEP:POINT]...`, and as one of several workers on a shared record:
`python -m responder.drill.runner --worker FOLDER [FAULT]...`, and as what listens at Slack and advances the run:
`python -m responder.drill.runner --listen STATE SEED:LIFE CONTROL [STEP:POINT]...`
"""

import json
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from responder.app import open_app
from responder.clock import SeededIds
from responder.drill.crew import strike
from responder.drill.faults import Fault, parse_faults
from responder.errors import RequestError, ResponderError, StaleExecutor

if TYPE_CHECKING:
    from responder.slack.reception import Reception

_LIFE = 1_000_003
"""How far apart the seeds of two lives of a listener are, so that no id comes twice."""
_AGAIN_SECONDS = 1.0
_EXITS = {"ended": 0, "halted": 1, "waiting": 7}


def main(arguments: list[str]) -> int:
    """Drive a run to its end; 0 when it ended, 1 when it halted, 6 when the record fails, 7 when others drive it."""
    if arguments[0] == "--worker":
        return _work(Path(arguments[1]), parse_faults(arguments[2:]))
    if arguments[0] == "--listen":
        return _listen(Path(arguments[1]), arguments[2], arguments[3], arguments[4:])
    folder, run, *kills = arguments
    threading.Thread(target=_end_with_the_drill, daemon=True).start()
    hook = partial(_die, kills)
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


def _die(kills: Sequence[str], point: str, address: str) -> None:
    """Kill this process where it is told to."""
    for kill in kills:
        step, _, at = kill.rpartition(":")
        if at == point and address in {step, address if address.partition("[")[0] == step else ""}:
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)


def _listen(folder: Path, life: str, control: str, kills: Sequence[str]) -> int:
    """Listen at Slack and advance the run, until told to leave; by signed requests where `control` is given."""
    from slack_sdk.errors import SlackApiError  # noqa: PLC0415 - an extra

    from responder.slack.reception import Reception  # noqa: PLC0415 - an extra, and slow to import

    threading.Thread(target=_end_with_the_drill, daemon=True).start()
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    seed, _, lives = life.partition(":")
    app = open_app(
        config=folder / "responder.yaml",
        hook=partial(_die, kills),
        ids=SeededIds(int(seed) + _LIFE * int(lives)),
        debug="RESPONDER_DEBUG" in os.environ,
    )
    reception = Reception(app)
    try:
        reception.start()
        while not leaving.is_set():
            try:
                _open_the_door(reception, control)
                break
            except (OSError, SlackApiError) as error:  # Slack is away: what is open goes on all the same
                print(error, file=sys.stderr, flush=True)  # noqa: T201 - the drill reads it there
                leaving.wait(_AGAIN_SECONDS)
        leaving.wait()
    finally:
        reception.close()
        app.close()
    return 0


def _open_the_door(reception: "Reception", control: str) -> None:
    """Let Slack reach us: by Socket Mode, or at an address that we tell it through the world's control door."""
    if not control:
        reception.listen()
        return
    address = reception.serve("127.0.0.1", 0)
    body = json.dumps({"request_url": address}).encode()
    request = urllib.request.Request(f"{control}/slack/app", body, {"content-type": "application/json"})  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


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
