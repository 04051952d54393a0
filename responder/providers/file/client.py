"""The folder of a connection: nothing outside of it is read or written, and a file changes whole or not at all."""

import contextlib
import errno
import fcntl
import os
import pwd
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from responder.action import Access, Identity
from responder.clock import monotonic
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.providers.file.forms import Form

PERMISSION = "to write in the connection's `folder`"

_MOST_BYTES = 1024 * 1024
_ALONE_SECONDS = 1.0
"""How long another one of us, who writes in the same folder, is waited for; the permit holds little longer."""
_FOR_OTHERS = 0o077
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MODES = {384: 0o600, 256: 0o400, 600: 0o600, 400: 0o400}
"""What YAML may make of 0600 and 0400, which it takes for octal numbers, or for plain ones."""


def _mode(given: object) -> object:
    """Read a mode as people write it."""
    if isinstance(given, str) and given.isascii() and given.removeprefix("0o").isdigit():
        return int(given.removeprefix("0o"), 8)
    return _MODES.get(given, given) if isinstance(given, int) else given


class Options(BaseModel):
    """A folder of this host, and how its files hold values."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    folder: Annotated[str, Field(pattern=r"^/[^\x00]*$")]
    """An absolute path. A consumer's `secret` is the path of a file beneath it; no link is followed there."""
    format: Form = "plain"
    """`plain`: the value is all that a file holds. `env`: a line `NAME=value` of a dotenv file. `json`: a key of an
    object. For the latter two a consumer's `secret` is `path#NAME`."""
    mode: Annotated[int, BeforeValidator(_mode, json_schema_input_type=str)] = 0o600
    """0600 or 0400: nobody but the file's owner reads it."""
    owner: str = ""
    """The login to whom a new file belongs; a file that is there keeps its owner and group. Only root can give away."""

    @field_validator("mode")
    @classmethod
    def _is_for_its_owner(cls, mode: int) -> int:
        if mode not in {0o600, 0o400}:
            raise ValueError("must be 0600 or 0400: a secret is for its owner alone")
        return mode

    @field_validator("folder")
    @classmethod
    def _is_plain(cls, folder: str) -> str:
        if ".." in Path(folder).parts:
            raise ValueError("must not lead upward with `..`")
        return folder


class Place(NamedTuple):
    """What a consumer's `secret` names."""

    parts: tuple[str, ...]
    name: str
    """The variable or the key; empty for a plain file."""


class Found(NamedTuple):
    """A file as it is."""

    data: bytes
    status: os.stat_result

    @property
    def mode(self) -> int:
        """The permissions."""
        return stat.S_IMODE(self.status.st_mode)


class Client:
    """One folder."""

    def __init__(self, access: Access, options: Options, sync: Callable[[int], None] = os.fsync) -> None:
        self.access = access
        self.options = options
        self._sync = sync

    def place(self, secret: str) -> Place:
        """Read a consumer's `secret`. ProviderError where it leads out of the folder or does not fit the format."""
        path, _, name = secret.partition("#") if self.options.format != "plain" else (secret, "", "")
        parts = tuple(path.split("/"))
        if "\0" in path or any(part in {"", ".", ".."} for part in parts):
            raise ProviderError(
                "A consumer's `secret` is the path of a file beneath the connection's folder, without `..`",
                where=self.shown(secret),
                remedy="correct `secret:` in responder.yaml",
            )
        # A letter before, and nothing but letters, digits and _: what each reader of such files takes for a name.
        fits = name.isascii() and name.isidentifier() if self.options.format == "env" else bool(name)
        if self.options.format != "plain" and not fits:
            raise ProviderError(
                f"With `format: {self.options.format}` a consumer's `secret` is `path#NAME`",
                where=self.shown(secret),
                remedy="correct `secret:` in responder.yaml",
            )
        return Place(parts, name)

    def shown(self, secret: str) -> str:
        """Return how people are told of a place."""
        return f"{self.options.folder.rstrip('/')}/{secret}"

    def read(self, secret: str) -> Found | None:
        """Return a file; None where there is none."""
        with _told(self.shown(secret)), self._folder(self.place(secret)) as folder:
            return self._read(folder, self.place(secret), self.shown(secret))

    def exists(self) -> None:
        """Look at the folder itself. Unavailable or Denied where it cannot be seen."""
        with _told(self.options.folder):
            os.scandir(self.options.folder).close()

    def write(self, secret: str, make: Callable[[bytes | None], bytes]) -> None:
        """Put in place of a file what `make` makes of its bytes, at once and whole.

        What goes wrong before the new file takes its name changes nothing; after it, it is OutcomeUnknown.
        """
        place, shown = self.place(secret), self.shown(secret)
        sending = self.access.wire.sending
        with sending(shown), _told(shown), self._folder(place) as folder, _alone(folder, shown):
            found = self._read(folder, place, shown)
            target = place.parts[-1]
            _sweep(folder, target)
            draft = f".{target}.{secrets.token_hex(4)}.new"
            try:
                self._draft(folder, draft, make(found.data if found else None), found)
                with sending(shown):  # the disk may have taken longer than the permit holds
                    _rename(folder, draft, target, shown)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(draft, dir_fd=folder)
                raise
            try:
                self._sync(folder)
            except OSError as error:
                raise _unknown(shown, error) from None

    def _draft(self, folder: int, draft: str, data: bytes, old: Found | None) -> None:
        """Write a new file beside the old one, for its owner alone from its first moment, down to the disk."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600, dir_fd=folder), "wb") as file:
            handle = file.fileno()
            user, group = self._owner(old)
            if (user, group) != (os.fstat(handle).st_uid, os.fstat(handle).st_gid):
                os.fchown(handle, user, group)
            os.fchmod(handle, self.options.mode)
            file.write(data)
            file.flush()
            self._sync(handle)

    def _owner(self, old: Found | None) -> tuple[int, int]:
        """Return to whom the new file belongs; a consumer with a login of its own must still be able to read it."""
        if old is not None:
            return old.status.st_uid, old.status.st_gid
        if not self.options.owner:
            return os.geteuid(), os.getegid()
        try:
            entry = pwd.getpwnam(self.options.owner)
        except KeyError:
            raise ProviderError(
                f"There is no login {self.options.owner!r} on this host", remedy="correct `owner:`"
            ) from None
        return entry.pw_uid, entry.pw_gid

    @contextlib.contextmanager
    def _folder(self, place: Place) -> Iterator[int]:
        """Open the folder of a file, step by step, so that no link leads out on the way."""
        handle = os.open(self.options.folder, _FOLDER)
        try:
            shown = self.options.folder
            _refuse_public(handle, shown)
            for part in place.parts[:-1]:
                shown = f"{shown.rstrip('/')}/{part}"
                inner = _enter(handle, part, shown)
                os.close(handle)
                handle = inner
                _refuse_public(handle, shown)
            yield handle
        finally:
            os.close(handle)

    def _read(self, folder: int, place: Place, shown: str) -> Found | None:
        # Non-blocking: a named pipe would keep us until somebody writes into it.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            handle = os.open(place.parts[-1], flags, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENXIO}:
                raise _no_file(shown) from None
            raise
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise _no_file(shown)
            if status.st_size > _MOST_BYTES:
                raise ProviderError(f"The file is larger than {_MOST_BYTES} bytes", where=shown)
            return Found(file.read(), status)


def identify(client: Client) -> Identity:
    """Return as whom we write, and on which host: `login@host`.

    That is all that a host can say of us. It keeps a delivery from another machine, where a folder may have the same
    name, and from another login, whose files the consumer could not read.
    """
    client.exists()
    user = os.geteuid()
    try:
        login = pwd.getpwuid(user).pw_name
    except KeyError:
        login = str(user)
    return Identity(f"{login}@{os.uname().nodename}")


def _enter(handle: int, part: str, shown: str) -> int:
    try:
        return os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise ProviderError(
                "This is a link, or no folder, and links may lead out of the connection's folder",
                where=shown,
                remedy="name the real path in `secret:`",
            ) from None
        raise


def _no_file(shown: str) -> ProviderError:
    return ProviderError(
        "This is a link, or no plain file; a link's own target would stay as it is",
        where=shown,
        remedy="name the file itself in `secret:`",
    )


def _refuse_public(folder: int, shown: str) -> None:
    """Refuse a folder into which everybody writes: whoever does could have put the file there, or take its place."""
    if os.fstat(folder).st_mode & stat.S_IWOTH:
        raise ProviderError("Everybody may write in this folder", where=shown, remedy=f"chmod o-w {shown}")


@contextlib.contextmanager
def _alone(folder: int, shown: str) -> Iterator[None]:
    """Hold the folder's lock: of two of us who change two lines of one file, the second must see the first's."""
    until = monotonic() + _ALONE_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if monotonic() >= until:
                raise Unavailable("Somebody else is writing in this folder", where=shown, retry_after=1.0) from None
            time.sleep(0.01)
    try:
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


def _sweep(folder: int, target: str) -> None:
    """Remove the drafts of tries that ended in the middle: each holds a value. Only who has the lock may."""
    for name in os.listdir(folder):
        if name.startswith(f".{target}.") and name.endswith(".new") and len(name) == len(target) + 14:
            os.unlink(name, dir_fd=folder)


def _rename(folder: int, draft: str, target: str, shown: str) -> None:
    try:
        os.rename(draft, target, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        if error.errno in _REFUSALS:
            raise
        raise _unknown(shown, error) from None  # over a network it may have happened all the same


def _unknown(shown: str, error: OSError) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"The file was put in place, and the disk does not confirm it: {_name(error)}", where=shown, remedy="read back"
    )


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


@contextlib.contextmanager
def _told(shown: str) -> Iterator[None]:
    """Turn what the system refuses into what may be done next; inside, nothing has changed yet."""
    try:
        yield
    except OSError as error:
        if error.errno in _REFUSALS:
            raise Denied(
                f"We may not do this here ({_name(error)})", where=shown, remedy=f"we need: {PERMISSION}"
            ) from None
        raise Unavailable(f"The folder or its disk is not there for us: {_name(error)}", where=shown) from None
