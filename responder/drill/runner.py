"""The runner of a drill: the real one, in a process of its own, which can be killed at a named point.

`python -m responder.drill.runner STATE RUN [STEP:POINT]...`
"""

import os
import signal
import sys
import threading
from pathlib import Path

from responder.app import open_app
from responder.errors import RequestError, ResponderError, StaleExecutor

_EXITS = {"ended": 0, "halted": 1, "waiting": 7}


def main(arguments: list[str]) -> int:
    """Drive a run to its end; 0 when it ended, 1 when it halted, 6 when the record fails, 7 when others drive it."""
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


def _end_with_the_drill() -> None:
    """End as soon as whoever started this process is gone: a drill leaves nothing behind."""
    while sys.stdin.buffer.read(1):
        pass
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
