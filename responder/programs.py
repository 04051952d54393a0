"""Running a program of the user's own: within bounds of time and output, and without showing what it was given."""

import contextlib
import errno
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from responder.clock import monotonic
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.redaction import forms_of

NOTHING_CHANGED = os.EX_TEMPFAIL
"""The exit code 75: not now, and certainly nothing changed (sysexits.h)."""
REFUSED = os.EX_NOPERM
"""The exit code 77: a right is missing, and certainly nothing changed."""

_MOST_OUTPUT = 64 * 1024
_MOST_TOLD = 200
_PIECE = 8
"""So many characters of a value in a row are taken for the value."""
_LOOK_SECONDS = 0.05
"""How often it is looked whether the program has ended while somebody whom it began holds its output open."""
_WITHHELD = "(not shown: it repeats a secret)"


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int | None
    """Negative for the signal that ended it; None where its time was up, and it was killed with all that it began."""
    out: bytes
    errors: bytes


class Said(NamedTuple):
    """What a program wrote to its standard output and error, as far as it may be shown."""

    out: str
    errors: str


def run_program(argv: Sequence[str], given: bytes, environment: Mapping[str, str], seconds: float) -> Ended:
    """Run a program without any shell, hand it `given` on its standard input, and wait for its end.

    ProviderError and Unavailable mean that it never began. What it leaves running after its end is let be.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - responder.yaml names it, and no shell reads it
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )
    except BlockingIOError:
        raise Unavailable("This host has no room for another process", where=f"program {argv[0]}") from None
    except (OSError, ValueError) as error:
        name = errno.errorcode.get(getattr(error, "errno", 0) or 0, type(error).__name__)
        raise ProviderError(
            f"The program cannot be begun: {name}",
            where=f"program {argv[0]}",
            remedy="check its path and its rights; a script needs a first line such as #!/bin/sh",
        ) from None
    until, talk = monotonic() + seconds, _Talk(process, given)
    try:
        while talk.goes_on():
            if monotonic() >= until:
                break
            talk.once(min(_LOOK_SECONDS, max(0.0, until - monotonic())))
        try:
            code: int | None = process.wait(max(0.0, until - monotonic()))
        except subprocess.TimeoutExpired:
            code = None
    finally:
        talk.end()
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Ended(code, bytes(talk.out), bytes(talk.errors))


class _Talk:
    """What goes to and fro between us and a program."""

    def __init__(self, process: subprocess.Popen[bytes], given: bytes) -> None:
        self._process = process
        self._left = memoryview(given)
        self.out, self.errors = bytearray(), bytearray()
        self._selector = selectors.DefaultSelector()
        for stream, event in ((process.stdin, selectors.EVENT_WRITE), (process.stdout, selectors.EVENT_READ),
                              (process.stderr, selectors.EVENT_READ)):  # fmt: skip
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self._selector.register(stream, event)

    def goes_on(self) -> bool:
        """Tell whether anything can still come."""
        return bool(self._selector.get_map())

    def once(self, seconds: float) -> None:
        """Pass on what is ready; when the program has ended and nothing is, nothing more is waited for."""
        ended = self._process.poll() is not None
        ready = self._selector.select(0.0 if ended else seconds)
        if ended and not ready:
            self.end()
        for key, _ in ready:
            if key.fileobj is self._process.stdin:
                self._write(key.fd)
            else:
                self._read(key.fd, self.out if key.fileobj is self._process.stdout else self.errors, key.fileobj)

    def _write(self, handle: int) -> None:
        try:
            if self._left:
                self._left = self._left[os.write(handle, self._left) :]
        except BlockingIOError:
            return
        except OSError:  # it reads no further; its exit code says whether that was enough
            self._left = self._left[:0]
        if not self._left and self._process.stdin is not None:
            self._close(self._process.stdin)

    def _read(self, handle: int, into: bytearray, stream: object) -> None:
        data = os.read(handle, 65536)
        into += data[: max(0, _MOST_OUTPUT - len(into))]
        if not data:
            self._close(stream)

    def _close(self, stream: object) -> None:
        self._selector.unregister(stream)  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            stream.close()  # type: ignore[attr-defined]

    def end(self) -> None:
        """Close what is open."""
        for key in list((self._selector.get_map() or {}).values()):
            self._close(key.fileobj)


def told_of(output: bytes, values: Sequence[str], scrub: Callable[[str], str]) -> str:
    """Return what a program wrote, scrubbed; nothing of it where a part of a value stands in it, even across lines.

    A program that repeats what it read may break it into lines, or show its first half.
    """
    text = output.decode(errors="replace")
    if not values:
        return scrub(text)
    squeezed = "".join(text.split())
    there = {squeezed[at : at + _PIECE] for at in range(max(0, len(squeezed) - _PIECE) + 1)}
    for form in (form for value in values for form in forms_of(value)):
        whole = "".join(form.split())
        pieces = {whole[at : at + _PIECE] for at in range(max(0, len(whole) - _PIECE) + 1)}
        if whole and (not there.isdisjoint(pieces) or (len(whole) < _PIECE and whole in squeezed)):
            return _WITHHELD
    return scrub(text)


def judged(place: str, ended: Ended, said: Said, *, write: bool, permission: str) -> Said:
    """Return what a program said where it ended well, else raise what may be done next.

    0 is well. 75 says for certain that nothing changed, and 77 that a right is missing. After a write everything else,
    a signal or the end of its time, leaves unknown what happened.
    """
    if ended.code == 0:
        return said
    told = said.errors.strip().partition("\n")[0][:_MOST_TOLD]
    told = f": {told}" if told else ""
    if ended.code == NOTHING_CHANGED:
        raise Unavailable(f"It says that nothing changed, and to try again (75){told}", where=place)
    if ended.code == REFUSED:
        need = f"it needs: {permission}" if permission else "see what it may do"
        raise Denied(f"It says that a right is missing (77){told}", where=place, remedy=need)
    how = f"it ended with {ended.code}"
    if ended.code is None:
        how = "its time was up, and it was killed"
    elif ended.code < 0:
        how = f"the signal {-ended.code} ended it"
    if write:
        raise OutcomeUnknown(f"A change was handed to a program, and {how}{told}", where=place, remedy="read back")
    raise Unavailable(f"A program was asked, and {how}{told}", where=place)
