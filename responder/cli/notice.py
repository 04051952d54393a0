"""`responder notice`."""

import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from responder.app import App
from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.given import pairs
from responder.cli.going import go_on
from responder.cli.group import Subgroup
from responder.documents import Templates
from responder.documents.template import Document, Template, render_notice
from responder.durations import duration, show_duration
from responder.errors import DocumentError, InputError, Problem, RequestError
from responder.naming import names
from responder.said import heard, read_fact
from responder.sending import Sending, Wanted


@click.group("notice", cls=Subgroup)
def command() -> None:
    """List, lint, preview and send notices.

    A team's own stand in `templates/` beside responder.yaml, and come before the built-in ones of the same
    name.
    """


def _templates(call: Call) -> Templates:
    return Templates(call.library().templates())


@command.command("list")
def list_command() -> Exit:
    """List the templates: for whom they are, and how they go out."""
    call = current()
    templates = _templates(call)
    rows = [_row(templates, name) for name in templates.names()]
    if call.json:
        call.document({"templates": rows})
        return Exit.OK
    wide = max((len(row["template"]) for row in rows), default=0)
    for row in rows:
        call.out(f"{row['template']:<{wide}}  {row['audience']:<11} {row['channel']:<6} {row['title']}")
    return Exit.OK


def _row(templates: Templates, name: str) -> dict[str, str]:
    try:
        front = templates.get(name).front
    except DocumentError:
        return {
            "template": name,
            "audience": "?",
            "channel": "?",
            "title": f"broken: `responder notice lint {name}` says why",
        }
    return {"template": name, "audience": front.audience, "channel": front.channel, "title": front.title}


@command.command("lint")
@click.argument("templates", nargs=-1, metavar="[TEMPLATE]...")
def lint_command(templates: tuple[str, ...]) -> Exit:
    """Find what is wrong with templates; without a name, with all of them."""
    call = current()
    known = _templates(call)
    found = {name: _problems(known, name) for name in templates or known.names()}
    if call.json:
        shown = [{"template": name, "errors": [one._asdict() for one in problems]} for name, problems in found.items()]
        call.document({"templates": shown})
    else:
        for name, problems in found.items():
            for problem in problems:
                call.out(str(problem))
            if not problems:
                call.out(f"{name}: no errors")
    return Exit.WRONG_INPUT if any(found.values()) else Exit.OK


def _problems(templates: Templates, name: str) -> tuple[Problem, ...]:
    try:
        templates.get(name)
    except DocumentError as error:
        return tuple(error.problems)
    return ()


@command.command("preview")
@click.argument("template")
@click.option("--run", "run", required=True, help="The run whose facts fill it.")
@click.option("-f", "--field", "fields", multiple=True, metavar="NAME=VALUE", help="A field's value; may stand often.")
def preview_command(template: str, run: str, fields: tuple[str, ...]) -> Exit:
    """Render a notice with a run's facts; nothing is sent.

    Every field that is missing or blank, and everything that the text may not say, is named at once.
    """
    call = current()
    given = pairs(fields, "-f")
    with call.open_existing() as app:
        app.dispatcher.timeline(app.row(run).incident).know_secrets()
        document = _render(app, template, run, given)
        if call.json:
            shown = {
                name: getattr(document, name)
                for name in (
                    "template",
                    "version",
                    "audience",
                    "channel",
                    "external",
                    "subject",
                    "text",
                    "digest",
                )
            }
            call.document(shown)
        else:
            if document.subject:
                call.out(f"Subject: {document.subject}\n")
            call.out(document.text.rstrip())
            call.say(f"\ndigest {document.digest}")
    return Exit.OK


def _render(app: App, template: str, run: str, given: Mapping[str, str]) -> Document:
    state = app.state(app.row(run).run)
    carried = state.started.get("templates", {})
    chosen = Templates({**app.library.templates(), **carried}).get(template)
    values = {name: heard(value) for name, value in _values(chosen, given).items()}
    return render_notice(chosen, names(state, app.means), values, app.means.sealer.redactor)


def _values(template: Template, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields' values; RequestError names every one that cannot be read."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, text in given.items():
        try:
            values[name] = _value(template, name, text)
        except InputError as error:
            problems += error.problems
    if problems:
        raise RequestError(problems=tuple(problems))
    return values


def _value(template: Template, name: str, text: str) -> Any:
    """Return a field's value: lists, mappings and numbers are written as JSON, the rest as it stands."""
    spec = template.front.fields.get(name)
    if text.strip().startswith("unknown("):
        return read_fact(text, name)
    if spec is None or spec.type not in {"list", "mapping", "number"}:
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise RequestError(
            f"{name} is a {spec.type}: {text!r} is not JSON",
            where=f"-f {name}",
            remedy='write it like \'["one", "two"]\', \'{"name": "value"}\' or 3',
        ) from None


@command.command("send")
@click.argument("run", metavar="RUN|INCIDENT")
@click.argument("template")
@click.option(
    "--to",
    "to",
    multiple=True,
    metavar="WHOM",
    help="An address, a #channel, or the id of a person, a holder or an audience; `holders` for all. May stand often.",
)
@click.option("-f", "--field", "fields", multiple=True, metavar="NAME=VALUE", help="A field's value; may stand often.")
@click.option("--role", default="", metavar="ROLE", help="Who approves; else whom the playbook asks about messages.")
@click.option("--within", metavar="DURATION", help="How long they have, like 30m; then it is not sent.")
@click.option("--detach", is_flag=True, help="Leave it to a background process to send it once it is approved.")
def send_command(  # noqa: PLR0917 - click hands over what was typed
    run: str,
    template: str,
    to: tuple[str, ...],
    fields: tuple[str, ...],
    role: str,
    within: str | None,
    *,
    detach: bool,
) -> Exit:
    """Send a notice that the playbook does not send, or not yet.

    Shows the text, and asks. Then it is a run of its own on the incident's timeline: somebody else approves exactly
    this text, it is sent once, and both are recorded. A template whose channel is `file` is written and kept; a
    person sends it.
    """
    call = current()
    given = pairs(fields, "-f")
    span = _span(within)
    with call.open_existing() as app:
        chosen = Templates(app.library.templates()).get(template)
        wanted = Wanted(template, to, _values(chosen, given), role, span)
        sending = app.notice(run, wanted)
        call.say("\n".join(_letter_lines(sending)))
        if sys.stdin.isatty() and not click.confirm("\nGo on with this text?", err=True):
            call.say("Nothing was sent.")
            return Exit.NOT_CONTAINED
        begun = app.begin_notice(sending)
        return go_on(call, app, begun, detach=detach)


def _span(within: str | None) -> timedelta | None:
    try:
        span = duration(within) if within is not None else None
    except ValueError as error:
        raise RequestError(str(error), where="--within") from None
    if span is not None and not span:
        raise RequestError("Nobody can approve in no time", where="--within", remedy="write it like 30m")
    return span


def _letter_lines(sending: Sending) -> list[str]:
    """Return what would be sent: each text once, with all who would read it."""
    readers: dict[str, list[str]] = {}
    for letter in sending.letters:
        shown = f"Subject: {letter.document.subject}\n\n" if letter.document.subject else ""
        readers.setdefault(shown + letter.document.text.rstrip(), []).append(letter.to)
    lines: list[str] = []
    for text, to in list(readers.items())[:_MOST_TEXTS]:
        lines += [f"To: {', '.join(to)}" if to[0] else "To be sent by a person", text, ""]
    if len(readers) > _MOST_TEXTS:
        lines.append(f"and {len(readers) - _MOST_TEXTS} more like it, to one each")
    step = sending.start.playbook.steps[0]
    lines.append(
        f"{step.approval.role} approves it, within {show_duration(step.approval.within)}"
        if step.approval
        else "Nothing leaves: it is kept with the incident"
    )
    return lines


_MOST_TEXTS = 3
"""How many texts that differ by recipient are shown in full."""
