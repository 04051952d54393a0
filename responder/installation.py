"""Where an installation is: its configuration, its record, its clock, and for whom a login speaks."""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from responder.clock import Clock, ScaledClock, clock_from
from responder.errors import SettingsError
from responder.settings import Settings


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
    return next(
        (path for path in (Path("responder.yaml"), home / "responder" / "responder.yaml") if path.is_file()), None
    )


def store_path(
    given: str | None, environment: Mapping[str, str], config: Path | None = None, settings: Settings | None = None
) -> Path:
    """Return the file that holds the record: the one given, RESPONDER_STORE, the configuration's, or the user's own."""
    named = given or environment.get("RESPONDER_STORE")
    if named:
        if "://" in named:
            raise SettingsError(
                f"The store {named.partition('://')[0]}:// is not known here", remedy="give the path of a file"
            )
        path = Path(named)
        return path / "responder.db" if path.is_dir() else path
    if config is not None and settings is not None and settings.store:
        return config.parent / settings.store
    home = Path(
        environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".local" / "state"
    )
    return home / "responder" / "responder.db"


def clock_of(config: Path | None, settings: Settings, environment: Mapping[str, str]) -> Clock:
    """Return the drill's clock that the configuration names, else that of the environment, else the machine's."""
    if config is not None and settings.clock:
        return ScaledClock.load(config.parent / settings.clock)
    return clock_from(dict(environment))
