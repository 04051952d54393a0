"""One call of the command line: its global options, and the installation that it opens."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from responder.errors import RequestError

if TYPE_CHECKING:
    from responder.app import App
    from responder.library import Library
    from responder.redaction import Redactor
    from responder.registry import Registry
    from responder.settings import Settings
    from responder.store import Location, Store


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_COLOUR = re.compile(r"(\x1b\[(?:[012]|3[1-6])m)")
"""What `click.style` writes for us; other styles can hide text, so nobody else's are let through."""


class Unwritten(Exception):
    """What a command prints cannot be written, or nobody reads it any more. No OSError: click would answer that."""

    def __init__(self, where: str, error: OSError) -> None:
        super().__init__(f"{where}: {error.strerror or type(error).__name__}")
        self.where = where
        self.why = error.strerror or type(error).__name__
        self.left = isinstance(error, BrokenPipeError)
        """Whether whoever read it has left, as `head` does once it has enough."""


@dataclass(eq=False, repr=False)  # nobody compares it, and it must never be shown
class Call:
    """What was asked for in general, before or after the command's name."""

    config: Path | None = None
    store: str | None = None
    json: bool = False
    debug: bool = False
    typed: dict[str, str] = field(default_factory=dict)
    """Global options that stood on the command line; commands that we show repeat them."""
    redactor: "Redactor | None" = None
    """That of the installation, once it is open: whatever is printed passes it."""
    providers: "Registry | None" = None
    """The providers: those that are installed, found once for a call, unless others are given."""

    _settings: "Settings | None" = None
    _library: "Library | None" = None

    @property
    def program(self) -> str:
        """How the next command must begin to reach the same installation."""
        options = [part for name, value in self.typed.items() for part in (f"--{name}", shlex.quote(value))]
        return " ".join(["responder", *options])

    def typable(self, text: str) -> str:
        """Return what to do next with its commands as they must be typed to reach the same installation."""
        return re.sub(r"`responder (?!-)", lambda _: f"`{self.program} ", text) if self.typed else text

    def options(self) -> list[str]:
        """Return the options with which another process reaches the same installation."""
        config, record = self.config_path(), self.location()
        named = {
            "--config": str(config.absolute()) if config else "",
            # A URL with a password came from the environment, which the other process gets, too.
            "--store": str(record.path.absolute()) if record.path else "" if record.password else record.url,
        }
        return [part for name, value in named.items() if value for part in (name, value)]

    @contextmanager
    def open(self) -> Iterator["App"]:
        """Open the installation, its store made where it is missing."""
        app = self._open()
        self.redactor = app.means.sealer.redactor
        self._say_where(app.means.store)
        try:
            yield app
        finally:
            app.close()

    def _say_where(self, store: "Store") -> None:
        """Say what opening the store did to it, and whether the record goes on elsewhere."""
        from responder.store import FORMAT, MOVED  # noqa: PLC0415 - only where it is needed

        if store.migrated_from is not None:
            self.say(f"note: the record was brought from format {store.migrated_from} to {FORMAT}; no entry changed")
        went = store.meta(MOVED)
        if went:
            self.say(f"note: this record went to {went}; what is here ends where it left")

    @contextmanager
    def open_existing(self) -> Iterator["App"]:
        """Open the installation. RequestError where there is no record yet: reading must not make one."""
        if not self.recorded():
            raise RequestError(
                "There is no record yet",
                where=str(self.location()),
                remedy=f"`{self.program} run` begins one; --store names another",
            )
        with self.open() as app:
            yield app

    @contextmanager
    def open_for_reading(self, *, in_memory: bool = False) -> Iterator["App"]:
        """Open the installation; where there is no record yet, with an empty one that is gone afterwards.

        `in_memory`: that one is no file, and neither is its key: to write them is to wait for the disk a dozen times.
        """
        if self.recorded():
            with self.open() as app:
                yield app
            return
        with ExitStack() as stack:
            app = self._open(in_memory=True) if in_memory else self._open(stack.enter_context(self._empty()))
            stack.callback(app.close)
            self.redactor = app.means.sealer.redactor
            yield app

    @contextmanager
    def _empty(self) -> Iterator[str]:
        """Lend a place for an empty record, beside the key that the real one would have."""
        import tempfile  # noqa: PLC0415 - only where it is needed

        from responder.installation import folder_of  # noqa: PLC0415 - only where it is needed

        key = folder_of(self.location(), os.environ) / "sealing.key"
        with tempfile.TemporaryDirectory(prefix="responder-") as folder:
            if key.exists():
                (Path(folder) / "sealing.key").symlink_to(key.resolve())
            yield str(Path(folder) / "empty.db")

    def holds_record(self, app: "App") -> bool:
        """Tell whether what `open_for_reading` has opened is the record, and no empty one in its place."""
        return app.means.store.place == str(self.location())

    def recorded(self) -> bool:
        """Tell whether there is a record yet."""
        from responder.installation import recorded  # noqa: PLC0415 - only where it is needed

        return recorded(self.location())

    def location(self) -> "Location":
        """Return where the record is, or would be."""
        from responder.installation import location  # noqa: PLC0415 - only where it is needed

        return location(self.store, os.environ, self.config_path(), self.settings())

    def settings(self) -> "Settings":
        """Return what the configuration says, read once for a call. SettingsError names every problem."""
        if self._settings is None:
            from responder.settings import load_settings  # noqa: PLC0415 - only where it is needed

            self._settings = load_settings(self.config_path())
        return self._settings

    def config_path(self) -> Path | None:
        """Return the configuration that counts; None where there is none."""
        from responder.installation import find_config  # noqa: PLC0415 - only where it is needed

        return self.config or find_config(os.environ)

    def _open(self, store: str | None = None, *, in_memory: bool = False) -> "App":
        from responder.app import open_app  # noqa: PLC0415 - only where it is needed

        return open_app(
            config=self.config_path(),
            settings=self.settings(),
            library=self.library(),
            store=store or self.store,
            debug=self.debug,
            in_memory=in_memory,
            registry=self.registry(),
        )

    def library(self) -> "Library":
        """Return the playbooks and templates that there are; the templates are read once for a call."""
        if self._library is None:
            from responder.library import Library  # noqa: PLC0415 - only where it is needed

            config = self.config_path()
            self._library = Library(config.parent if config else None)
        return self._library

    def registry(self) -> "Registry":
        """Return the providers that there are."""
        from responder.registry import Registry  # noqa: PLC0415 - only where it is needed

        self.providers = self.providers or Registry()
        return self.providers

    def scrub(self, text: str) -> str:
        """Return text without any secret that this call knows."""
        return self.redactor.scrub(text) if self.redactor else text

    def out(self, text: str) -> None:
        """Print what was asked for. Unwritten where that is not possible."""
        _echo(self.scrub(text) if self.json else _tame(self.scrub(text)))

    def say(self, text: str) -> None:
        """Print what a person should read besides; not part of the result. Unwritten where that is not possible."""
        _echo(_tame(self.scrub(text)), err=True)

    def document(self, data: Any) -> None:
        """Print the one document of `--json`. Unwritten where that is not possible."""
        import json  # noqa: PLC0415 - only where it is needed

        data = self.redactor.scrub_data(data) if self.redactor else data
        text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
        _echo(text.encode("utf-8", "backslashreplace").decode())  # a name need not be UTF-8; a document is


def printable(text: str) -> str:
    """Return text without what a terminal obeys: reports, pages and notes must not move the cursor or hide a line."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _tame(text: str) -> str:
    """Return text in which a terminal obeys our own colours alone."""
    return "".join(part if place % 2 else printable(part) for place, part in enumerate(_COLOUR.split(text)))


def _echo(text: str, *, err: bool = False) -> None:
    """Print a text. What cannot be written ends there: the stream would only fail once more when it is closed."""
    try:
        click.echo(text, err=err, color=_colour())
    except OSError as error:
        stream = sys.stderr if err else sys.stdout
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise Unwritten("standard error" if err else "standard output", error) from error


def _colour() -> bool | None:
    """Return False where colour is not wanted; None leaves it to whether somebody looks at a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def current() -> Call:
    """Return the call that is being answered."""
    found = click.get_current_context().find_object(Call)
    return found if found is not None else Call()
