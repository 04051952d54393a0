"""The world as a process: one line in, one line out, and the end when nobody holds its input any more."""

import json
import signal
import sys
from types import FrameType

from pydantic import ValidationError

from responder.drill.world import World, WorldSpec
from responder.errors import InputError

_WRONG_INPUT = 2


def main() -> int:
    """Run a world until standard input ends or SIGTERM arrives; return the process's exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the drill, which ends us by closing our input
    signal.signal(signal.SIGTERM, _leave)
    try:
        world = World(WorldSpec.model_validate_json(sys.stdin.readline()))
    except (ValidationError, InputError, OSError) as error:
        sys.stderr.write(f"the world cannot start: {error}\n")
        return _WRONG_INPUT
    with world:
        sys.stdout.write(json.dumps(world.ready()) + "\n")
        sys.stdout.flush()
        while sys.stdin.read(4096):
            pass
    return 0


def _leave(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
