"""One thing that taking stock has shown, and how much it matters."""

from dataclasses import dataclass, replace

from responder.settings import Consumer, CredentialEntry

DIFFERENCE, UNASKED, NOTE = "difference", "unasked", "note"
ORDER = (UNASKED, DIFFERENCE, NOTE)
"""What must be read first stands first."""


@dataclass(frozen=True)
class Remark:
    """One thing that taking stock has shown."""

    weight: str
    """`difference`, `unasked` (a connection or a place could not be looked at), or `note`."""
    kind: str
    """`missing`, `dead`, `disabled`, `unlisted`, `unknown`, `issued` (by a run of this record, and delivered),
    `own`, `control`, `no place`, `exposed`, `no owner`, `unrecognisable`, `contradiction`, `twice`, `no key id`,
    `no list`, `no places` or `unasked`."""
    said: str
    remedy: str = ""
    connection: str = ""
    entry: str = ""
    """The entry of the inventory; empty where it concerns none."""
    consumer: str = ""
    key_id: str = ""
    owner: str = ""
    """Whose the credential is, as its provider says."""
    last_used_at: str = ""


def of_place(entry: CredentialEntry, consumer: Consumer, kind: str, said: str, remedy: str) -> Remark:
    """Return a difference of one consumer."""
    return Remark(DIFFERENCE, kind, said, remedy, consumer.connection, entry.id, consumer.id)


def plain(remark: Remark) -> Remark:
    """Return a remark without what a name at a provider could do to a terminal."""
    return replace(remark, **{name: _printable(value) for name, value in vars(remark).items()})


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
