"""Where records live: what is kept, and what a store must do, whichever it is."""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import unquote

from responder.errors import RecordMoved
from responder.sealing import Sealed, Sealer

FORMAT = 2
"""The number of the record's format; a store bears it, and a run its own."""


def format_of(told: str | None) -> int:
    """Return which format a store says that it has; 0 where it says nothing that is one."""
    return int(told) if told and told.isascii() and told.isdecimal() else 0


KEY_CHECK = "key-check"
"""Under which name a store keeps what tells whether a sealing key is the one that it was written with."""

MOVED = "moved-to"
"""Under which name a store that was copied keeps where its record went."""


HELD = "held"
"""Under which name a store keeps findings that wait for somebody to respond; it is no incident."""


@dataclass(frozen=True, repr=False)
class Location:
    """Where a record is: a file, or a database of a server. As text it never shows a password."""

    path: Path | None = None
    url: str = ""
    """`postgresql://...`; it may hold a password, and is shown to nobody."""

    @property
    def password(self) -> str:
        """The password that the URL holds; empty where it holds none."""
        return password_of(self.url)

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else shown_url(self.url)


_PASSWORDS = {"password", "sslpassword"}
_ASKED = re.compile(r"\?[a-z_]+=")


def _split(url: str) -> tuple[str, str, str]:
    """Return what stands before the login in a URL, the login, and what follows; read as libpq does.

    For libpq a `#` or a `?` in a password is a letter like any other. A `/` is none, and nobody can connect then; it
    must not be shown even so.
    """
    scheme, mark, rest = url.partition("://")
    at = rest.partition("/")[0].rfind("@")
    if at < 0:
        asked = _ASKED.search(rest)
        at = rest.rfind("@", 0, asked.start() if asked else len(rest))
    return f"{scheme}{mark}", rest[: max(at, 0)], rest[at + 1 :]


def login_of(url: str) -> str:
    """Return the login inside a URL as it is written there, `user` or `user:password`."""
    return _split(url)[1]


def password_of(url: str) -> str:
    """Return the password inside a URL; empty where there is none."""
    _, login, rest = _split(url)
    asked = (part.partition("=") for part in rest.partition("?")[2].split("&"))
    found = (unquote(value) for name, _, value in asked if unquote(name) in _PASSWORDS)
    return unquote(login.partition(":")[2]) or next(filter(None, found), "")


def shown_url(url: str) -> str:
    """Return a URL as it may be shown: without passwords."""
    before, login, rest = _split(url)
    user = login.partition(":")[0]
    place, mark, query = rest.partition("?")
    asked = [
        f"{name}=..." if unquote(name) in _PASSWORDS else f"{name}{sign}{value}"
        for name, sign, value in (part.partition("=") for part in query.split("&"))
    ]
    return f"{before}{user}{'@' if user else ''}{place}{mark}{'&'.join(asked)}"


class Row(NamedTuple):
    """One entry of a timeline as it is stored; `payload` and `salt` are None once withheld."""

    incident: str
    seq: int
    run: str
    event: str
    step: str
    actor: str
    at: str
    epoch: int
    payload: str | None
    salt: str | None
    payload_hash: str
    prev: str
    hash: str
    mac: str


class Head(NamedTuple):
    """The last entry of an incident's chain, kept apart so that a cut end shows."""

    seq: int
    hash: str
    mac: str


def head_mac(sealer: Sealer, incident: str, seq: int, digest: str) -> str:
    """Return the signature of a chain's end."""
    return sealer.sign(f"head:{incident}:{seq}:{digest}".encode())


AT_ONCE = "0001-01-01T00:00:00+00:00"
"""When a run wants to be advanced that wants it now: due by every clock, also where that of who says so is ahead."""


class RunRow(NamedTuple):
    """What is needed to find a run and to fence its executors; everything else is folded from the entries."""

    run: str
    incident: str
    playbook: str
    state: str = "open"
    epoch: int = 0
    wake_at: str = ""
    """When the run wants to be advanced next (ISO, UTC), a past moment included; empty while it waits for people or
    for nothing."""
    executor: str = ""
    heartbeat: float = 0.0
    """Seconds since the Unix epoch at which its executor was last alive."""


STALE_SECONDS = 3.0
"""An executor that has not beaten for so long (real seconds) is taken for stopped, and may be replaced."""
AHEAD_SECONDS = 15.0
"""A sign of life that lies further ahead was written before the clock was set back; those who live write it anew.

Nearer ones may come from a process that asked for the time a few seconds ago."""


def shows_life(row: RunRow, now: float) -> bool:
    """Tell whether some executor has a run, and has lately shown that it lives."""
    return bool(row.executor) and -AHEAD_SECONDS < now - row.heartbeat < STALE_SECONDS


class Blob(NamedTuple):
    """A sealed value or a piece of sealed evidence."""

    blob: str
    incident: str
    kind: str
    sealed: Sealed


SECRET_KINDS = ("leaked", "issued")
"""The kinds of sealed values that are secrets; the others are evidence."""


class Turn(NamedTuple):
    """What an executor must know to go on with a run, all of it as of one moment."""

    row: RunRow
    head: Head | None
    """The end of its incident's chain as it is kept apart."""
    rows: list[Row]
    """The entries of that chain."""
    secrets: list[Blob]
    """The sealed secrets of the incident."""


class Unforeseen(Exception):
    """What is believed of a record does not suffice to write to it: an ordinary transaction must look."""


class Writing(Protocol):
    """One transaction; everything in it is on disk when it ends, or nothing is."""

    def head(self, incident: str) -> Head | None:
        """Return the last entry of a chain; the chain stays locked until the transaction ends."""

    def put_entries(self, rows: Sequence[Row], head: Head) -> None:
        """Add entries to the end of one chain."""

    def run(self, run: str) -> RunRow | None:
        """Return a run's row."""

    def put_run(self, row: RunRow) -> None:
        """Add a run, or replace its row."""

    def wake(self, run: str, at: str) -> None:
        """Note that a run wants to be advanced at a moment (ISO, UTC), unless it wants to be earlier or has ended."""

    def put_meta(self, name: str, value: str) -> None:
        """Keep a fact about the store itself, in place of the one of that name."""

    def put_blob(self, blob: Blob) -> None:
        """Add a sealed value; adding the same one again changes nothing."""

    def shred(self, blob: str) -> None:
        """Drop the key of a sealed value for good."""

    def withhold(self, incident: str, seq: int) -> None:
        """Drop payload and salt of an entry; its hash stays, so that the chain still verifies."""

    def lock(self, identifiers: Sequence[str], run: str) -> str | None:
        """Lock a credential under all its identifiers for a run; return the run that already holds one."""

    def unlock(self, run: str) -> None:
        """Give back every lock of a run."""

    def move(self, place: str) -> None:
        """Let nobody add an entry here any more, in whatever process: the record goes on at `place`."""

    def stay(self) -> None:
        """Take back that the record went elsewhere."""


class Store(Protocol):
    """Where entries, runs, locks and sealed values live."""

    place: str
    """Where it is, as it may be shown."""
    migrated_from: int | None
    """The format that it had, where opening it brought it to this version's."""

    def weakness(self) -> str:
        """Return why nothing is taken, or what was taken may be lost or is damaged; empty where nothing says so."""

    def meta(self, name: str) -> str | None:
        """Return a fact about the store itself."""

    def write(self) -> AbstractContextManager[Writing]:
        """Open a transaction: `with store.write() as writing`. RecordError where it cannot be written."""

    def attempt(self, incident: str, head: Head, fill: Callable[[Writing], None]) -> bool:
        """Write what `fill` writes at one go, if the end of the chain is `head` (its `mac` does not count).

        False, with nothing written, where it is not, where a run's row is not what this process last saw, or where the
        store cannot do so. `fill` is shown what this process believes, and may be called again: it raises Unforeseen
        where that is not enough.
        """

    def chain(self, incident: str) -> tuple[Head | None, list[Row]]:
        """Return the end of a chain as it is kept apart, and its entries, both as of one moment."""

    def turn(self, run: str) -> Turn | None:
        """Return what must be known to go on with a run; None where there is no such run."""

    def rows(self, incident: str, after: int = 0, events: Sequence[str] = ()) -> list[Row]:
        """Return the entries of a chain with a higher number than `after`, in order; only these `events` if any."""

    def head(self, incident: str) -> Head | None:
        """Return the last entry of a chain, as it is kept apart."""

    def incidents(self) -> list[str]:
        """Return the ids of all incidents, oldest first."""

    def runs(self, incident: str = "") -> list[RunRow]:
        """Return all runs, or those of one incident, oldest first."""

    def run(self, run: str) -> RunRow | None:
        """Return a run's row."""

    def blob(self, blob: str) -> Blob | None:
        """Return a sealed value."""

    def blobs(self, incident: str, *kinds: str) -> list[Blob]:
        """Return all sealed values of an incident, or those of some kinds."""

    def locked(self, run: str) -> list[str]:
        """Return the identifiers that a run has locked."""

    def holder(self, identifiers: Sequence[str]) -> str | None:
        """Return the run that holds any of these identifiers."""

    def beat(self, run: str, executor: str, at: float) -> None:
        """Note that this executor is alive, if it has the run; not an entry."""

    def now(self) -> float:
        """Return the seconds since the Unix epoch by a clock that all processes of this store share."""

    def version(self, incident: str) -> int:
        """Return a number that changes soon after another process has written to a chain. Cheap: it is asked often."""

    def close(self) -> None:
        """Give the store back."""


def gone(place: str, went: str) -> RecordMoved:
    """Return the error for a record that goes on elsewhere."""
    return RecordMoved(
        f"This record went to {went}; nothing is added here any more",
        where=place,
        remedy=f"set RESPONDER_STORE to {went}",
    )


Also = Callable[[Writing], None]
"""Something that must be stored in the same transaction as an entry."""
