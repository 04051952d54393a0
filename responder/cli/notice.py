"""`responder notice`."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from responder.app import App
from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.given import pairs
from responder.cli.group import Subgroup
from responder.documents import Document, Template, Templates, render_notice
from responder.errors import DocumentError, Problem, RequestError
from responder.library import Library
from responder.naming import names


@click.group("notice", cls=Subgroup)
def command() -> None:
    """List, lint and preview the templates of notices.

    A team's own stand in `templates/` beside responder.yaml, and come before the built-in ones of the same
    name.
    """


def _templates(call: Call) -> Templates:
    config = call.config_path()
    return Templates(Library(config.parent if config else None).templates())


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
        shown = [{"template": name, "errors": [asdict(one) for one in problems]} for name, problems in found.items()]
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
    values = {name: _value(chosen, name, text) for name, text in given.items()}
    return render_notice(chosen, names(state, app.means), values, app.means.sealer.redactor)


def _value(template: Template, name: str, text: str) -> Any:
    """Return a field's value: lists, mappings and numbers are written as JSON, the rest as it stands."""
    spec = template.front.fields.get(name)
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
