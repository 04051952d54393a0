"""`responder playbook`."""

import json
from pathlib import Path

import click

from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.group import Subgroup
from responder.cli.scenarios import command as test_command
from responder.cli.writing import write_text
from responder.documents import Templates
from responder.errors import InputError
from responder.graph import mermaid, svg
from responder.lint import Report, Shelf, lint
from responder.playbook import Playbook, dependencies
from responder.reading import load_playbook
from responder.scenario.files import scenario_schema
from responder.schema import playbook_schema


@click.group("playbook", cls=Subgroup)
def command() -> None:
    """List, show, lint, test and draw playbooks.

    A team's own stand in `playbooks/` beside responder.yaml, and come before the built-in ones of the same
    name.
    """


@command.command("list")
def list_command() -> Exit:
    """List all playbooks."""
    call = current()
    rows = [_row(name, path) for name, path in call.library().playbook_paths().items()]
    if call.json:
        call.document({"playbooks": rows})
        return Exit.OK
    wide = max((len(row["playbook"]) for row in rows), default=0)
    for row in rows:
        call.out(f"{row['playbook']:<{wide}}  {row['title'] or 'broken: `responder playbook lint` says why'}")
    return Exit.OK


def _row(name: str, path: Path) -> dict[str, str]:
    try:
        playbook = load_playbook(path)[0]
    except InputError:
        return {"playbook": name, "title": "", "summary": "", "path": str(path)}
    return {
        "playbook": name,
        "title": playbook.title,
        "summary": " ".join(playbook.summary.split()),
        "path": str(path),
    }


@command.command("show")
@click.argument("playbook")
def show_command(playbook: str) -> Exit:
    """Show what a playbook does, step by step."""
    call = current()
    loaded = call.library().load(playbook)
    if call.json:
        call.document({"playbook": loaded.model_dump(mode="json", by_alias=True)})
    else:
        call.out("\n".join(_lines(loaded)))
    return Exit.OK


def _lines(playbook: Playbook) -> list[str]:
    lines = [f"{playbook.title} ({playbook.playbook}, version {playbook.version})"]
    lines += [" ".join(playbook.summary.split())] if playbook.summary else []
    for name, given in playbook.inputs.items():
        lines.append(f"  input {name} ({given.type}{'' if given.required else ', not required'}): {given.help}")
    for name, role in playbook.roles.items():
        lines.append(f"  role {name}: {role.help}")
    for phase in dict.fromkeys(step.phase for step in playbook.steps):
        lines += ["", phase]
        for step in playbook.steps:
            if step.phase == phase:
                asks = f", asks {step.approval.role}" if step.approval else ""
                after = f", after {', '.join(sorted(dependencies(step)))}" if dependencies(step) else ""
                lines.append(f"  {step.id}: {step.title or step.does} [{step.does}{asks}{after}]")
    lines += ["", "contained when"] if playbook.exit else []
    return lines + [f"  {criterion.replace('${{', '').replace('}}', '').strip()}" for criterion in playbook.exit]


@command.command("lint")
@click.argument("playbooks", nargs=-1, metavar="[NAME|FILE]...")
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
def lint_command(playbooks: tuple[str, ...], *, strict: bool) -> Exit:
    """Find what is wrong with playbooks; without a name, with all of them."""
    call = current()
    library = call.library()
    config = call.config_path()
    facts = call.settings().facts if config else None
    shelf = Shelf(call.registry(), Templates(library.templates()), facts, library.path)
    paths = [library.path(name) for name in playbooks] if playbooks else list(library.playbook_paths().values())
    reports = [lint(path, shelf) for path in paths]
    if call.json:
        call.document({"playbooks": [_document(report) for report in reports]})
    else:
        _print(call, reports)
    bad = any(report.errors or (strict and report.warnings) for report in reports)
    return Exit.WRONG_INPUT if bad else Exit.OK


def _document(report: Report) -> dict[str, object]:
    return {
        "playbook": report.name,
        "errors": [one._asdict() for one in report.errors],
        "warnings": [one._asdict() for one in report.warnings],
    }


def _print(call: Call, reports: list[Report]) -> None:
    for report in reports:
        for kind, problems in (("error", report.errors), ("warning", report.warnings)):
            for one in problems:
                call.out(f"{one.where}: {kind}: {one.what}{f' [{one.rule}]' if one.rule else ''}")
                if one.remedy:
                    call.out(f"    {one.remedy}")
        if not report.errors:
            count = len(report.warnings)
            call.out(f"{report.name}: no errors" + (f", {count} warning{'s' if count > 1 else ''}" if count else ""))


@command.command("graph")
@click.argument("playbook")
@click.option("--svg", "picture", is_flag=True, help="Draw a self-contained picture.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it to a file.",
)
def graph_command(playbook: str, output: Path | None, *, picture: bool) -> Exit:
    """Draw what waits for what: Mermaid text, or a picture."""
    call = current()
    loaded = call.library().load(playbook)
    drawn = (svg if picture else mermaid)(loaded, call.registry())
    if output is not None:
        write_text(output, drawn)
        call.say(f"written: {output}")
    if call.json:
        call.document({"playbook": loaded.playbook, "format": "svg" if picture else "mermaid", "graph": drawn})
    elif output is None:
        call.out(drawn.rstrip())
    return Exit.OK


@command.command("schema")
@click.option("--scenario", is_flag=True, help="That of a scenario's file.")
def schema_command(*, scenario: bool) -> Exit:
    """Print the JSON Schema of the playbook language, for editors."""
    call = current()
    schema = scenario_schema() if scenario else playbook_schema(call.registry())
    call.out(json.dumps(schema, indent=2, ensure_ascii=False))
    return Exit.OK


command.add_command(test_command)
