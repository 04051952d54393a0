"""What whoever begins a run gives: the finding, the secret by a safe way, and the playbook's inputs."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from responder.cli.call import Call
from responder.documents import Templates
from responder.errors import FindingError, PlanRefused, PlaybookError, Problem, RequestError
from responder.finding import Finding, read_finding
from responder.keychain import read_entry
from responder.library import Library
from responder.lint import Book, Shelf, errors
from responder.playbook import Playbook
from responder.redaction import Redactor, Secret
from responder.sealing import Sealer

F = TypeVar("F", bound=Callable[..., Any])
_MOST_BYTES = 4 * 1024 * 1024
_MOST_DIGITS = 10
"""No number of an open file has as many."""


def finding_options(command: F) -> F:
    """Add the options by which a finding and inputs are given."""
    options = (
        click.option(
            "--finding",
            "finding",
            metavar="FILE|-",
            help="The report: JSON or text, in a file or on standard input.",
        ),
        click.option(
            "--secret-from", metavar="SOURCE", help="The leaked value: env:NAME, file:PATH, fd:N or keyring:NAME."
        ),
        click.option(
            "-i",
            "--input",
            "inputs",
            multiple=True,
            metavar="NAME=VALUE",
            help="An input of the playbook; may stand often.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def pairs(words: tuple[str, ...], what: str) -> dict[str, str]:
    """Read NAME=VALUE words. RequestError names every one that is not."""
    wrong = [word.partition("=")[0] for word in words if "=" not in word or word.startswith("=")]
    shape = what if "=" in what else f"{what} NAME=VALUE"
    if wrong:
        raise RequestError(
            problems=tuple(Problem(f"{word!r} is not NAME=VALUE", what, f"write {shape}") for word in wrong)
        )
    return {name: value for name, _, value in (word.partition("=") for word in words)}


class Report:
    """A finding as it was given, read into memory once and not yet understood."""

    def __init__(self, text: str, source: str, value: str | None) -> None:
        self._text = text
        self._source = source
        self._value = value

    def __repr__(self) -> str:
        return f"<a report from {self._source}>"

    def finding(self, sealer: Sealer) -> Finding:
        """Understand it. FindingError names every problem."""
        secret: Secret | None = sealer.secret(self._value) if self._value else None
        return read_finding(self._text, self._source, sealer, secret)


def read_report(finding: str | None, secret_from: str | None) -> Report:
    """Read what was given: a file, standard input, another place for the secret, or a prompt without echo."""
    value = _secret(secret_from) if secret_from else None
    if finding is not None:
        name = "standard input" if finding == "-" else Path(finding).name
        return Report(_text(finding), name, value)
    if value is None:
        value = _prompt()
    return Report("{}", "the finding", value)


def _text(finding: str) -> str:
    try:
        data = sys.stdin.buffer.read(_MOST_BYTES + 1) if finding == "-" else _bytes(Path(finding))
    except OSError as error:
        raise FindingError(
            f"The finding cannot be read: {error.strerror or type(error).__name__}",
            where=finding,
            remedy="give a file that can be read, or - for standard input",
        ) from None
    if len(data) > _MOST_BYTES:
        raise FindingError(f"The finding is larger than {_MOST_BYTES} bytes", where=finding, remedy="give one finding")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FindingError(
            "The finding is not text in UTF-8",
            where=f"{finding}, byte {error.start}",
            remedy="give JSON, or text that holds the credential",
        ) from None
    if "\0" in text:
        raise FindingError(
            "The finding is not text: it holds zero bytes",
            where=finding,
            remedy="give JSON, or text that holds the credential",
        )
    return text


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES + 1)


def _secret(source: str) -> str:
    """Read a secret from where `--secret-from` says. RequestError where there is none."""
    kind, _, name = source.partition(":")
    value = ""
    try:
        if kind == "env":
            value = os.environ.get(name, "")
        elif kind == "file":
            value = Path(name).expanduser().read_text(encoding="utf-8")
        elif kind == "keyring" and name:
            value = read_entry(name)
        elif kind == "fd" and name.isdecimal() and len(name) < _MOST_DIGITS:
            with os.fdopen(int(name), encoding="utf-8", closefd=False) as file:
                value = file.read(_MOST_BYTES)
        else:
            raise RequestError(
                "--secret-from names no place",
                where=kind or "--secret-from",
                remedy="write env:NAME, file:PATH, fd:N or keyring:NAME",
            )
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"The secret cannot be read: {type(error).__name__}", where=source) from None
    if not value.strip():
        raise RequestError("There is no secret", where=source, remedy="set it where responder runs")
    return value.strip()


def _prompt() -> str:
    if not sys.stdin.isatty():
        raise RequestError(
            "There is no finding",
            where="--finding",
            remedy="give --finding FILE, --finding - or --secret-from",
        )
    value: str = click.prompt("The leaked credential (not shown)", hide_input=True, err=True)
    return value.strip()


def check(call: Call, playbook: str | None, report: Report) -> Playbook | None:
    """Check what was given before anything is made: settings, playbook, finding. Nothing is written.

    Return the playbook that was named.
    """
    call.settings()
    named = _checked_playbook(call, call.library(), playbook) if playbook is not None else None
    report.finding(Sealer(bytes(32), Redactor()))  # only its form counts here; the fingerprint comes later
    return named


def _checked_playbook(call: Call, library: Library, name: str) -> Playbook:
    """Refuse a playbook that lint finds wrong; a broken template stops its step alone."""
    path = library.path(name)
    playbook, source = library.read(path)
    shelf = Shelf(call.registry(), Templates(library.templates()), find=library.path, to_run=True)
    found = errors(Book(playbook, source, shelf))
    wrong = tuple(problem for problem in found if problem.where.startswith(f"{path.name}:"))
    if wrong and all(problem.guard for problem in wrong):
        raise PlanRefused(problems=wrong)
    if wrong:
        raise PlaybookError(problems=wrong)
    return playbook
