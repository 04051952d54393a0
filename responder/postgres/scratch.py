"""A database for a while: made on a server for one drill of many, and dropped after it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from responder.postgres.connections import named, parameters
from responder.store import Location


@contextmanager
def scratch(server: Location) -> Iterator[Location]:
    """Make a new, empty database beside the one that is named, and drop it afterwards; RecordError where it may not."""
    name = sql.Identifier(f"responder_scratch_{os.urandom(6).hex()}")
    with named(str(server)), psycopg.connect(**parameters(server)) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield Location(url=urlunsplit(urlsplit(server.url)._replace(path=f"/{name.as_string().strip(chr(34))}")))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
