"""A record on a server: one PostgreSQL database that many hosts share."""

from responder.errors import SettingsError

try:
    import psycopg  # noqa: F401 - the first that misses it says how to get it
except ImportError:
    raise SettingsError(
        "The record is on PostgreSQL, and what speaks to it is not installed",
        where="psycopg",
        remedy="pip install 'responder[postgres]'",
    ) from None

from responder.postgres.database import PostgresStore, has_record

__all__ = ["PostgresStore", "has_record"]
