"""A store that is reached by a script of our own."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases.common import ORIGIN, HandClock, Take, connection

from responder.action import Action
from responder.providers import command
from responder.providers.command.delivering import AskByCommand, DeliverByCommand, DeliverUnseen
from responder.settings import Connection, Consumer
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Trouble

NEW = "new-" + "vQ8x" * 7
SITE = Consumer(id="site", connection="command", secret="site/token")
SCRIPT = """#!/bin/sh
cd "$(dirname "$0")" || exit 75
read -r trouble < trouble
case "$trouble" in denied) exit 77;; unavailable) exit 75;; esac
case "$1" in
    deliver) cat > "value"; echo "$2 $3" >> writes; echo "$3" > mark; [ "$trouble" != "answer lost" ] ;;
    show) cat mark ;;
    test) [ -s value ] ;;
    whoami) echo "prod" ;;
esac
"""


@dataclass
class Store:
    """A folder with a script in it."""

    path: Path
    connection: Connection
    clock: HandClock
    account: str = "prod"
    secret: str | None = None
    control: str | None = None

    def writes(self) -> int:
        return len((self.path / "writes").read_text().splitlines())

    def misbehave(self, trouble: Trouble) -> None:
        (self.path / "trouble").write_text(f"{trouble.value}\n")


@contextlib.contextmanager
def a_store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        path, script = Path(folder), str(Path(folder) / "store")
        for name in ("writes", "mark", "value"):
            (path / name).touch()
        handle = os.open(script, os.O_WRONLY | os.O_CREAT, 0o700)
        os.write(handle, SCRIPT.encode())
        os.close(handle)
        described = connection(
            "command", account="prod", deliver=[script, "deliver", "{name}", "{marker}"], show=[script, "show"],
            test=[script, "test", "{key_id}"], whoami=[script, "whoami"],
        )  # fmt: skip
        made = Store(path, described, HandClock(0.0, ORIGIN, 1.0))
        made.misbehave(Trouble.NONE)
        yield made


def delivered(kind: type[Any], value: str = NEW) -> Callable[[Any, Take], Action]:
    return lambda _, take: kind(consumer=SITE, value=take(value))


def there_already(live: Store, take: Take) -> Action:
    action: Any = delivered(DeliverByCommand)(live, take)
    (live.path / "mark").write_text(marked(live, action.value))
    return action  # type: ignore[no-any-return]


def marked(live: Store, value: Any) -> str:
    """Return the mark that a value has in the contract's step."""
    from responder.action import Access  # noqa: PLC0415
    from responder.providers.command.client import Client  # noqa: PLC0415

    access = Access(live.connection, None, live.clock, marker="run-1f2e3d4c5b6a/step[item]")  # type: ignore[arg-type]
    return Client(access, None).mark(value)  # type: ignore[arg-type]


def working(live: Store, _: Take) -> Action:
    (live.path / "value").write_text("something")
    return AskByCommand(consumer=SITE, key_id="k_1")


CASE = ProviderCase(
    command.PROVIDER,
    a_store,
    (
        ActionCase(delivered(DeliverByCommand), "deliver", gone=there_already),
        ActionCase(delivered(DeliverUnseen), "deliver, unseen"),
        ActionCase(working, "test_consumer"),
    ),
)
