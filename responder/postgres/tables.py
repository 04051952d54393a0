"""The tables, and what brings them from one format to the next."""

from responder.postgres.connections import Connection
from responder.store import format_of

STEPS = {
    1: """
CREATE SCHEMA IF NOT EXISTS responder;
CREATE TABLE responder.meta (key text COLLATE "C" PRIMARY KEY, value text NOT NULL);
CREATE TABLE responder.entries (
    incident text COLLATE "C" NOT NULL, seq bigint NOT NULL, run text NOT NULL, event text NOT NULL,
    step text NOT NULL, actor text NOT NULL, at text NOT NULL, epoch bigint NOT NULL, payload text, salt text,
    payload_hash text NOT NULL, prev text NOT NULL, hash text NOT NULL, mac text NOT NULL,
    PRIMARY KEY (incident, seq));
CREATE TABLE responder.heads (incident text COLLATE "C" PRIMARY KEY, seq bigint NOT NULL, hash text NOT NULL,
    mac text NOT NULL, number bigint GENERATED ALWAYS AS IDENTITY) WITH (fillfactor = 50);
CREATE TABLE responder.runs (run text COLLATE "C" PRIMARY KEY, incident text COLLATE "C" NOT NULL,
    playbook text NOT NULL, state text NOT NULL, epoch bigint NOT NULL, wake_at text NOT NULL, executor text NOT NULL,
    heartbeat double precision NOT NULL, number bigint GENERATED ALWAYS AS IDENTITY) WITH (fillfactor = 50);
CREATE TABLE responder.locks (identifier text COLLATE "C" PRIMARY KEY, run text NOT NULL);
CREATE TABLE responder.blobs (blob text COLLATE "C" PRIMARY KEY, incident text COLLATE "C" NOT NULL,
    kind text NOT NULL, wrapped_key bytea NOT NULL, ciphertext bytea NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY);
""",
    2: """
CREATE INDEX blobs_of_incident ON responder.blobs (incident, kind);
CREATE INDEX runs_of_incident ON responder.runs (incident);
CREATE INDEX runs_due ON responder.runs (wake_at COLLATE "C") WHERE wake_at <> '' AND state <> 'ended';
CREATE INDEX locks_of_run ON responder.locks (run);
""",
}
"""What brings a database from the format before to each format; nothing that is written already is changed."""

MOVED = """
CREATE OR REPLACE FUNCTION responder.moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'moved: %', (SELECT value FROM responder.meta WHERE key = 'moved-to');
END $$;
CREATE TRIGGER moved BEFORE INSERT ON responder.entries FOR EACH STATEMENT EXECUTE FUNCTION responder.moved();
"""
"""What refuses every entry that anybody would add once the record has gone elsewhere."""


def format_at(connection: Connection) -> int:
    """Return which format a database's record has; 0 where it says nothing that is one."""
    found = connection.execute("SELECT value FROM responder.meta WHERE key = 'format'").fetchone()
    return format_of(str(found[0])) if found else 0
