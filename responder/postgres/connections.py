"""A few connections to the server, with a bound for every wait, and errors that say what to do next."""

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import conninfo

from responder.errors import RecordError, SettingsError
from responder.store import Location, gone, login_of

_MOST = 8
"""How many connections a pool has at most, unless told otherwise."""
WAIT_SECONDS = 20
"""How long to wait for a connection, for an answer, or for the server to come back."""

_GONE = "moved: "

Connection = psycopg.Connection[tuple[Any, ...]]


@contextmanager
def named(place: str) -> Iterator[None]:
    """Turn the library's errors into one that says what to do, without what a row or a password may hold."""
    try:
        yield
    except psycopg.Error as error:
        if (error.diag.message_primary or "").startswith(_GONE):
            raise gone(place, str(error.diag.message_primary).removeprefix(_GONE)) from None
        told = error.diag.message_primary or str(error).partition("\n")[0] or type(error).__name__
        raise RecordError(
            f"The record cannot be read or written: {told}",
            where=place,
            remedy="nothing more is done until the server answers; see that it runs and may be reached,"
            " then `responder resume`",
        ) from None


class Pool:
    """A few connections that threads take and give back; those that broke are dropped."""

    def __init__(self, parameters: dict[str, Any], place: str, most: int = _MOST) -> None:
        self._parameters = parameters
        self._place = place
        self._idle: list[Connection] = []
        self._cut_off = False
        self._closed = False
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(most)

    @contextmanager
    def taken(self, *, begin: bool = False) -> Iterator[Connection]:
        """Take a connection that works, `begin`: with a transaction open."""
        if not self._room.acquire(timeout=WAIT_SECONDS):
            raise RecordError("Every connection to the record is busy", where=self._place, remedy="try again")
        try:
            connection = self._fresh(begin=begin)
            try:
                yield connection
            finally:
                self._give(connection)
        finally:
            self._room.release()

    def _fresh(self, *, begin: bool) -> Connection:
        """Return an idle connection, or a new one; an idle one may have been cut off in the meantime."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                connection = psycopg.connect(**self._parameters)
                if begin:
                    connection.execute("BEGIN")
                return connection
            if _told_to_leave(connection):
                connection.close()
                continue
            if not begin:
                return connection
            try:
                connection.execute("BEGIN")
            except psycopg.OperationalError:
                connection.close()
            else:
                return connection

    def _give(self, connection: Connection) -> None:
        idle = psycopg.pq.TransactionStatus.IDLE
        whole = not connection.closed and connection.info.transaction_status == idle
        with self._lock:
            self._cut_off |= connection.broken
            keep = whole and not self._closed
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()

    def cut_off(self) -> bool:
        """Tell whether a connection broke since this was asked last; the idle ones are then dropped, too."""
        with self._lock:
            broke, self._cut_off = self._cut_off, False
        if broke:
            self._drop()
        return broke

    def close(self) -> None:
        """Close every connection: the idle ones now, the others when they are given back."""
        self._closed = True
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def _told_to_leave(connection: Connection) -> bool:
    """Tell whether the server has spoken to an idle connection, or hung up: unasked, it only ever says farewell.

    Not everybody may try again with another connection: what was sent over one that breaks may have happened.
    """
    looking = select.poll()
    looking.register(connection.fileno(), select.POLLIN)
    return bool(looking.poll(0))


def parameters(location: Location) -> dict[str, Any]:
    """Return how to connect: what the URL says, and bounds for every wait."""
    if "/" in login_of(location.url):  # to libpq what stands before it is a port, which its error then quotes
        raise SettingsError(
            "The URL of the record cannot be read: a / stands in its password",
            where=str(location),
            remedy="write it as %2F",
        )
    try:
        asked: dict[str, Any] = conninfo.conninfo_to_dict(location.url)
    except psycopg.Error:  # the library's text may quote what stands where a password should
        raise SettingsError("The URL of the record cannot be read", where=str(location)) from None
    milliseconds = WAIT_SECONDS * 1000
    settings = {
        "synchronous_commit": "on",
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds // 2,
        "idle_in_transaction_session_timeout": milliseconds,
        "default_transaction_isolation": "read\\ committed",
        "plan_cache_mode": "force_generic_plan",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    bounds = {
        "connect_timeout": 10,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds,
        "application_name": "responder",
        "client_encoding": "UTF8",
    }
    return {**bounds, **asked, "options": f"{asked.get('options', '')} {options}".strip(), "autocommit": True}
