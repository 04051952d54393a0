"""Secrets in the keyring of the operating system: read when they are needed, by a library that is an extra."""

from responder.errors import SettingsError

OURS = "responder"
"""Under which name our entries stand, as `keyring set responder NAME` writes them."""


def read_entry(name: str, make: str = "") -> str:
    """Return an entry of the keyring. SettingsError says whether the library, the keyring or the entry is missing.

    `make`: how an entry that is missing is made, where it is more than a password that somebody types.
    """
    where = f"keyring:{name}"
    try:
        import keyring  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise SettingsError(
            "The keyring cannot be read: the library `keyring` is not installed",
            where=where,
            remedy="pip install 'responder[keyring]', or name the secret by env:NAME or file:PATH",
        ) from None
    try:
        value = keyring.get_password(OURS, name)
    except Exception as error:  # noqa: BLE001 - each backend fails in ways of its own
        raise SettingsError(
            f"The keyring cannot be read: {type(error).__name__}",
            where=where,
            remedy=f"unlock it, or see with `keyring get {OURS} {name}` what is wrong with it",
        ) from None
    if not value:
        raise SettingsError(
            f"The keyring has no entry {name!r} under {OURS!r}",
            where=where,
            remedy=make or f"`keyring set {OURS} {name}` makes one",
        )
    return value
