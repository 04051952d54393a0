"""A folder of this host; the system that misbehaves is the file system itself."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases.common import ORIGIN, HandClock, Take, connection

from responder.action import Access, Action
from responder.providers import file
from responder.providers.file.client import Client, Options, identify
from responder.providers.file.delivering import DeliverToFile
from responder.settings import Connection, Consumer
from responder.testing.bench import ActionCase, ProviderCase
from responder.testing.loopback import Trouble

NOBODY = 65534
NEW = "new-" + "vQ8x" * 7
ENV = b"# settings\nOTHER='x y'\nexport TOKEN=old # of May\r\nLAST=1"
_UNSYNCED: set[str] = set()
"""Folders whose disk does not confirm what was put in place."""


def _connect(access: Access) -> Client:
    options = Options.model_validate(access.connection.options)

    def sync(handle: int) -> None:
        if options.folder in _UNSYNCED and Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(errno.EIO, "the disk does not answer")
        os.fsync(handle)

    return Client(access, options, sync)


@dataclass
class Folder:
    """A folder with a dotenv file."""

    path: Path
    connection: Connection
    clock: HandClock
    account: str
    secret: str | None = None
    control: str | None = None

    def __post_init__(self) -> None:
        (self.path / "app.env").write_bytes(ENV)
        (self.path / "app.env").chmod(0o640)
        self._at_first = self._shown()

    def _shown(self) -> dict[str, tuple[int, int]]:
        return {one.name: (one.stat().st_ino, one.stat().st_mtime_ns) for one in os.scandir(self._place())}

    def _place(self) -> Path:
        return self.path if self.path.exists() else self.path.with_name("away")

    def writes(self) -> int:
        with as_root():
            mode = self._place().stat().st_mode
            self._place().chmod(0o700)
            changed = self._shown() != self._at_first
            self._place().chmod(mode)
        return int(changed)

    def misbehave(self, trouble: Trouble) -> None:
        if trouble is Trouble.UNAVAILABLE:
            self.path.rename(self.path.with_name("away"))
        elif trouble is Trouble.DENIED:
            deny(self.path)
        elif trouble is Trouble.ANSWER_LOST:
            _UNSYNCED.add(str(self.path))
        else:
            _UNSYNCED.discard(str(self.path))


def deny(folder: Path) -> None:
    """Take the right to the folder away from us, whoever we are."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
    else:
        folder.chmod(0)


@contextlib.contextmanager
def as_root() -> Iterator[None]:
    """Be who we were, for a moment."""
    now = os.geteuid()
    os.seteuid(os.getuid())
    try:
        yield
    finally:
        os.seteuid(now)


@contextlib.contextmanager
def a_folder(**options: Any) -> Iterator[Folder]:
    with tempfile.TemporaryDirectory() as outer:
        path = Path(outer).resolve() / "secrets"
        path.mkdir(mode=0o700)
        described = connection("file", folder=str(path), **{"format": "env", **options})
        account = identify(_connect(Access(described, None, None))).account  # type: ignore[arg-type]
        made = Folder(path, described.model_copy(update={"account": account}), HandClock(0.0, ORIGIN, 1.0), account)
        try:
            yield made
        finally:
            _UNSYNCED.discard(str(path))
            os.seteuid(os.getuid())
            path = path if path.exists() else path.with_name("away")
            path.chmod(0o700)


def delivered(_: Any, take: Take, secret: str = "app.env#TOKEN", value: str = NEW) -> Action:
    return DeliverToFile(consumer=Consumer(id="app", connection="file", secret=secret), value=take(value))


def there_already(live: Folder, take: Take) -> Action:
    (live.path / "app.env").write_bytes(ENV.replace(b"old # of May", NEW.encode()))
    (live.path / "app.env").chmod(0o600)
    live._at_first = live._shown()
    return delivered(live, take)


CASE = ProviderCase(
    file.PROVIDER._replace(connect=_connect),
    a_folder,
    (ActionCase(delivered, "deliver", gone=there_already),),
)
