"""How errors look: what, where, and what to do next; every problem, never a secret."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from responder.cli.exits import Exit, exit_for
from responder.errors import (
    FindingError,
    PlaybookError,
    Problem,
    RequestError,
    ResponderError,
    SettingsError,
)

if TYPE_CHECKING:
    from responder.cli.call import Call, Unwritten

_REMEDIES: tuple[tuple[type[ResponderError], str], ...] = (
    (
        PlaybookError,
        "correct it there; `responder playbook lint` shows everything that is wrong with a playbook",
    ),
    (SettingsError, "correct it there; `responder doctor` then checks the rest"),
    (FindingError, 'correct the report: a JSON object with `value` or `key_id`, such as {"key_id": "..."}'),
)
"""What to do next where an error names its place and no remedy of its own."""
_DATABASE_PASSWORD = re.compile(r"postgres(?:ql)?://(?:[^:@/?]*:.+@|.*[?&](?:ssl)?password=)")
_SHORTEST_CREDENTIAL = 20
"""No known credential is shorter; shorter words on the command line need no look, and `--help` no import."""


def refuse_credentials(words: Sequence[str]) -> None:
    """Refuse a call whose words hold a credential: other users, the shell's history and logs can see them."""
    for number, word in enumerate(words, 1):
        if _DATABASE_PASSWORD.search(word):
            raise RequestError(
                f"Word {number} of the command is a URL that holds a password; it was not used",
                where="the command line, which other users, the shell's history and logs can see",
                remedy="leave the password out: it is read from ~/.pgpass (or PGPASSFILE), from a service"
                " (?service=NAME) or from PGPASSWORD; or set RESPONDER_STORE; and change that password",
            )
        if len(word) < _SHORTEST_CREDENTIAL:
            continue
        from responder.redaction import looks_like_credential  # noqa: PLC0415 - only where it is needed

        kind = looks_like_credential(word)
        if kind:
            raise RequestError(
                f"Word {number} of the command looks like a credential ({kind}); it was not used",
                where="the command line, which other users, the shell's history and logs can see",
                remedy="give the value at the prompt, by --finding FILE or -, or by --secret-from env:NAME,"
                " file:PATH, fd:N or keyring:NAME; and delete the line from the shell's history",
            )


def show_error(call: "Call", error: ResponderError, details: str = "") -> None:
    """Print an error: what, where, what next; for several problems, each."""
    problems = [_with_remedy(call, error, problem) for problem in error.problems]
    for problem in problems:
        _show(call, problem)
    if len(problems) > 1:
        call.say(f"{len(problems)} problems")
    _details(call, details)
    if call.json:
        shown = [one._asdict() for one in problems]
        call.document({"error": type(error).__name__, "exit": int(exit_for(error)), "problems": shown})


def _with_remedy(call: "Call", error: ResponderError, problem: Problem) -> Problem:
    """Return a problem that says what to do next, if only by the kind of its error."""
    words = problem.remedy or next((words for kind, words in _REMEDIES if isinstance(error, kind)), "")
    return problem._replace(remedy=call.typable(words))


def show_usage(call: "Call", error: click.ClickException) -> None:
    """Print what is wrong with the words of a call."""
    from responder.redaction import CREDENTIAL_SHAPES  # noqa: PLC0415 - only where it is needed

    message = error.format_message()
    for shape in CREDENTIAL_SHAPES.values():
        message = shape.sub("<a credential>", message)
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "responder"
    problem = Problem(message, remedy=f"`{path} --help` shows what it takes")
    _show(call, problem)
    if call.json:
        shown = [problem._asdict()]
        call.document({"error": "UsageError", "exit": int(Exit.WRONG_INPUT), "problems": shown})


def show_defect(call: "Call", error: Exception, details: str = "") -> None:
    """Print that we are at fault, without what the error may hold."""
    _show(
        call,
        Problem(
            f"A defect in responder: {type(error).__name__}",
            remedy="run it again with --debug, and report what it shows",
        ),
    )
    _details(call, details)
    if call.json:
        shown = [Problem(f"A defect in responder: {type(error).__name__}")._asdict()]
        call.document({"error": "Defect", "exit": int(Exit.DEFECT), "problems": shown})


def show_unwritten(call: "Call", error: "Unwritten") -> Exit:
    """Print that the output cannot be written, unless whoever read it has left: they had enough."""
    if error.left:
        return Exit.OK
    remedy = f"make room, or print it elsewhere, and look with `{call.program} status` before anything is done again"
    with suppress(type(error)):
        _show(call, Problem(f"The output cannot be written: {error.why}", error.where, remedy))
    return Exit.UNWRITTEN


def _show(call: "Call", problem: Problem) -> None:
    what = problem.what.replace("\n", "\n  ")
    call.say(f"{click.style('error:', fg='red', bold=True)} {what}")
    if problem.where:
        call.say(f"  at: {problem.where}")
    if problem.remedy:
        call.say(f"  next: {problem.remedy}")
    if problem.guard:
        call.say(f"  guard: {problem.guard}")


def _details(call: "Call", details: str) -> None:
    if details:
        call.say(details.rstrip())
