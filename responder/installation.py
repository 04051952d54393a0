"""Where an installation is: its configuration, its record, its clock, and for whom a login speaks."""

import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from responder.clock import Clock, ScaledClock, clock_from
from responder.errors import RecordError, SettingsError
from responder.redaction import Redactor
from responder.sealing import Sealer, load_master_key
from responder.settings import Settings
from responder.store import KEY_CHECK, Location, Store, head_mac, login_of

WITHOUT = (
    "leave it out: libpq reads it from ~/.pgpass (or PGPASSFILE), from a service (?service=NAME), or from PGPASSWORD"
)
"""How to connect without a password in a URL."""
IN_MEMORY = Path(":memory:")
"""The file that is none: what is kept there is gone as soon as it is closed."""
_LONG = 8
"""Shorter passwords are words that stand elsewhere, too: striking them out would garble the record."""


def login() -> str:
    """Return the name of the operating system's user, by the system's word; environment variables do not count."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def find_config(environment: Mapping[str, str]) -> Path | None:
    """Return RESPONDER_CONFIG, else responder.yaml here, else the one in the user's configuration folder."""
    named = environment.get("RESPONDER_CONFIG")
    if named:
        return Path(named)
    home = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".config")
    places = (Path("responder.yaml"), home / "responder" / "responder.yaml")
    # One that leads nowhere, or is a folder, is refused where it is read: else another record would be looked into.
    return next((path for path in places if path.exists() or path.is_symlink()), None)


def location(
    given: str | None, environment: Mapping[str, str], config: Path | None = None, settings: Settings | None = None
) -> Location:
    """Return where the record is: as given, RESPONDER_STORE, the configuration's, or the user's own file."""
    if given is not None and not given.strip():
        raise SettingsError(
            "No record is named", where="--store", remedy="name a file or a URL, or leave the option out"
        )
    named = given or environment.get("RESPONDER_STORE")
    if named and "://" in named:
        return _on_server(named)
    if named:
        path = Path(named)
        with suppress(OSError):  # whoever opens it says why it cannot be looked at
            path = path / "responder.db" if path.is_dir() else path
        return Location(path)
    if config is not None and settings is not None and settings.store:
        if "://" not in settings.store:
            return Location(config.parent / settings.store)
        found = _on_server(settings.store)
        if found.password:
            raise SettingsError("The URL of the record holds a password", where=f"{config}: store", remedy=WITHOUT)
        return found
    return Location(state_folder(environment) / "responder.db")


def _on_server(url: str) -> Location:
    scheme = url.partition("://")[0]
    if scheme not in {"postgresql", "postgres"}:
        raise SettingsError(
            f"A store {scheme}:// is not known", remedy="give the path of a file, or a URL postgresql://HOST/DATABASE"
        )
    return Location(url=url)


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the user's own folder for records, locks, logs and the sealing key."""
    home = Path(
        environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".local" / "state"
    )
    return home / "responder"


def folder_of(record: Location, environment: Mapping[str, str]) -> Path:
    """Return where locks, logs and the sealing key are: beside the file, or in the user's own folder."""
    return record.path.parent if record.path is not None else state_folder(environment)


def recorded(record: Location) -> bool:
    """Tell whether there is a record yet. RecordError where that cannot be told."""
    if record.path is not None:
        try:
            return record.path.exists()
        except OSError as error:
            raise RecordError(
                f"The record cannot be looked at: {error.strerror}",
                where=str(record.path),
                remedy="mend the rights of its folder, or name another with --store",
            ) from None
    from responder.postgres import has_record  # noqa: PLC0415 - an extra, and slow to import

    return has_record(record)


def open_store(record: Location, *, migrate: bool = False) -> Store:
    """Open a store, made where it is missing. `migrate`: bring a server's to this version's format, as a file's is."""
    if record.path is not None:
        from responder.sqlite import SQLiteStore  # noqa: PLC0415 - only where it is needed

        return SQLiteStore(record.path)
    from responder.postgres import PostgresStore  # noqa: PLC0415 - an extra, and slow to import

    return PostgresStore(record, migrate=migrate)


def open_record(
    record: Location,
    redactor: Redactor,
    environment: Mapping[str, str],
    *,
    create: bool,
    named: str = "",
    migrate: bool = False,
    in_memory: bool = False,
) -> tuple[Store, Sealer]:
    """Open the store and what seals it, made where `create` and missing; `named`: the key that responder.yaml names.

    `in_memory`: an empty record stands in for it, with its key or, where there is none yet, one of the moment.

    SettingsError where the key is missing, or another than the one that the store was written with.
    """
    key = folder_of(record, environment) / "sealing.key"
    make = create and not in_memory and not recorded(record)
    sealer = Sealer(load_master_key(key, environment, create=make, named=named, momentary=in_memory), redactor)
    if record.url:
        _learn(record, sealer)
    store = open_store(Location(IN_MEMORY) if in_memory else record, migrate=migrate)
    try:
        _check_key(store, sealer)
    except BaseException:
        store.close()
        raise
    return store, sealer


def _learn(record: Location, sealer: Sealer) -> None:
    """Strike the password of the record's URL out of whatever leaves; a plain word only where it is a password."""
    user, password = login_of(record.url), record.password
    for shown in (user if ":" in user else "", f"password={password}" if password else ""):
        if shown:
            sealer.secret(shown)
    if len(password) >= _LONG and not password.isalpha():
        sealer.secret(password)


def _check_key(store: Store, sealer: Sealer) -> None:
    """Refuse a key that the store was not written with; the first key that opens a store is its own."""
    known = store.meta(KEY_CHECK)
    if known is None:
        heads = [(one, head) for one in store.incidents() if (head := store.head(one)) is not None]
        if heads and not any(head.mac == head_mac(sealer, one, head.seq, head.hash) for one, head in heads):
            return  # an older store: whether the key is wrong or every head was forged, `verify` tells
        with store.write() as writing:
            writing.head(KEY_CHECK)  # no chain: what is locked is that nobody else says at this moment whose it is
            if store.meta(KEY_CHECK) is None:
                writing.put_meta(KEY_CHECK, sealer.check)
        known = store.meta(KEY_CHECK)
    if known != sealer.check:
        raise SettingsError(
            "The sealing key is not the one that this store was written with",
            where=store.place,
            remedy="set RESPONDER_SEALING_KEY, or restore sealing.key, to the key of the hosts that wrote it",
        )


def clock_of(config: Path | None, settings: Settings, environment: Mapping[str, str]) -> Clock:
    """Return the drill's clock that the configuration names, else that of the environment, else the machine's."""
    if config is not None and settings.clock:
        return ScaledClock.load(config.parent / settings.clock)
    return clock_from(dict(environment))
