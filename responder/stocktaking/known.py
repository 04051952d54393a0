"""What the inventory knows by itself: its entries, their key ids, and which values it would recognise."""

from functools import partial

from responder.errors import ResponderError
from responder.means import Means
from responder.redaction import Secret
from responder.settings import Connection, Consumer, CredentialEntry, same_account


class Known:
    """The inventory, and what is read out of its values offline."""

    def __init__(self, means: Means) -> None:
        self.means = means
        self.entries = means.settings.inventory
        self._wire = means.transport.wire("", "")
        self.ids = {entry.id: entry.key_id or self.id_in(entry, entry.known_by) for entry in self.entries}
        """The key id of each entry: as it says, else as its value says."""

    def entries_at(self, place: Connection | CredentialEntry) -> list[CredentialEntry]:
        """Return the entries of a connection, or those beside an entry."""
        name = place.name if isinstance(place, Connection) else place.connection
        return [entry for entry in self.entries if entry.connection == name]

    def consumers_at(self, connection: Connection) -> list[tuple[CredentialEntry, Consumer]]:
        """Return the consumers whose places are at a connection."""
        return [(entry, one) for entry in self.entries for one in entry.consumers if one.connection == connection.name]

    def named(self, connection: Connection) -> set[str]:
        """Return the key ids that the inventory holds of a connection's account."""
        known = self.means.settings.connections
        return {self.ids[one.id] for one in self.entries if same_account(known[one.connection], connection)} - {""}

    def fingerprints(self) -> set[str]:
        """Return the fingerprints of all values that the inventory knows."""
        known = {entry.fingerprint or self.means.fingerprint_of_secret(entry.known_by) for entry in self.entries}
        return known - {""}

    def id_in(self, place: Connection | CredentialEntry, reference: str | None) -> str:
        """Read the key id out of a value that is kept, offline; empty where it bears none or cannot be read here."""
        name = place.name if isinstance(place, Connection) else place.connection
        try:
            secret: Secret | None = self.means.secret(reference)
            recognise = partial(self.means.registry.recognise, self.means.settings.connections[name])
            return (self._wire.with_value(secret, recognise) if secret is not None else None) or ""
        except ResponderError:  # the connection's own remark says what is wrong with it
            return ""

    def is_recognised(self, entry: CredentialEntry) -> bool:
        """Tell whether a found value would be known to be this entry's, without asking anybody."""
        if entry.fingerprint or self.means.fingerprint_of_secret(entry.known_by):
            return True
        connection = self.means.settings.connections[entry.connection]
        try:
            return bool(entry.key_id) and self.means.registry.recognises(connection)
        except ResponderError:
            return False
