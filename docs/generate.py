"""Writes the reference pages from the code: `make docs`. A test holds that they are up to date."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

import click
from meanings import ENVIRONMENT, EVENTS, EXPRESSIONS, FAULTS
from pydantic import BaseModel
from tables import doc, field_table, listed, models_below, one_line, table

from responder.action import Action, Observing, Provider
from responder.anchors import CLOCKS, PROVEN
from responder.cli.exits import Exit
from responder.cli.group import GROUPS, group
from responder.cli.outputs import write_schemas
from responder.credential import VERBS, CredentialAction
from responder.drill.faults import CRASH_POINTS, FORMS
from responder.drill.scenes import FOUNDING, scene_called
from responder.expressions.sandbox import _FILTERS as FILTERS
from responder.library import Library
from responder.lint import RULES
from responder.notice import ACTIONS as NOTICE_ACTIONS
from responder.orphan import asks_nobody
from responder.playbook import MATCH_KEYS, PlaybookFile
from responder.registry import Registry
from responder.scenario.model import Scenario
from responder.settings import Settings

FOLDER = Path(__file__).parent / "reference"
README = Path(__file__).parent.parent / "README.md"
NOTE = "<!-- Written by docs/generate.py from the code: change the code, then `make docs`. -->"
COLUMNS = 100

Page = list[str]


def page(title: str, *about: str) -> Page:
    """Return the head of a page."""
    return [NOTE, "", f"# {title}", "", *wrap(" ".join(about), COLUMNS, break_on_hyphens=False), ""]


def commands() -> Page:
    """Return the page of the commands, as `--help` shows them."""
    lines = page("Commands", "Every command, as its `--help` says it.")
    lines += ["```text", help_of(group, "responder").strip(), "```", ""]
    for title, names in GROUPS.items():
        lines += [f"## {title}", ""]
        for name in names:
            for path, command in commands_below(name):
                level = "###" if path == name else "####"
                lines += [
                    f"{level} {path}",
                    "",
                    "```text",
                    help_of(command, f"responder {path}").strip(),
                    "```",
                    "",
                ]
    return lines


def commands_below(name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and, where it is a group, those below it."""
    context = click.Context(group, info_name="responder")
    command = group.get_command(context, name)
    if command is None:
        raise SystemExit(f"there is no command {name}")
    yield name, command
    if isinstance(command, click.Group):
        inner = click.Context(command, parent=context)
        for below in command.list_commands(inner):
            found = command.get_command(inner, below)
            if found is not None:
                yield f"{name} {below}", found


def help_of(command: click.Command, program: str) -> str:
    """Return a command's help at a fixed width, as it is shown below `responder`, whose `-h` it takes over."""
    names = group.context_settings["help_option_names"]
    settings = {"help_option_names": names, **command.context_settings}
    settings |= {"terminal_width": COLUMNS, "max_content_width": COLUMNS}
    with click.Context(command, info_name=program, **settings) as context:
        return command.get_help(context)


def actions() -> Page:
    """Return the page of every provider's actions."""
    lines = page(
        "Actions",
        "What a step can name in `action:`, by provider. The fields are the step's `with:`. *Permission* is what",
        "the connection's own credential needs. The `credential` verbs have a [page of "
        "their own](credential-verbs.md).",
    )
    lines += ["## notice", "", "Messages to people. The channel is that of the template.", ""]
    for action in NOTICE_ACTIONS:
        lines += action_lines(action)
    for name, provider in providers():
        own = [action for action in provider.actions if not issubclass(action, CredentialAction)]
        found = (action.verb for action in provider.actions if issubclass(action, CredentialAction))
        verbs = [f"credential.{verb}" for verb in dict.fromkeys(found)]
        lines += [f"## {name}", "", module_doc(provider), ""]
        if verbs:
            lines += [f"Verbs on the run's own credential: {listed(verbs)}.", ""]
        for action in own:
            lines += action_lines(action)
    return lines


def providers() -> Iterator[tuple[str, Provider]]:
    """Yield every provider that ships."""
    registry = Registry()
    yield from ((name, registry.provider(name)) for name in registry.names())


def module_doc(provider: Provider) -> str:
    """Return what a provider's module says of itself."""
    return doc(sys.modules[f"responder.providers.{provider.name}"])


def action_lines(action: type[Action]) -> Page:
    """Return one action: what it does, its effect, what it needs, its fields."""
    again = ", looks again and again" if issubclass(action, Observing) else ""
    traits = [f"Effect: `{action.effect.value}`{again}"]
    traits += [f"Permission: {'; '.join(action.permissions)}"] if action.permissions else []
    traits += ["a repeated try could do it twice, so it is reconciled first"] * (not action.idempotent)
    traits += ["it cannot be read back: a lost answer is asked of a person"] * (not asks_nobody(action))
    if action.orphan is not None:
        traits += [
            f"after a lost answer it is made again; the orphan ends by itself within {action.orphan.seconds:g} s"
        ]
    lines = [
        f"### {action.name}",
        "",
        doc(action),
        "",
        ". ".join(one[0].upper() + one[1:] for one in traits) + ".",
        "",
    ]
    without = ("subject",) if issubclass(action, CredentialAction) else ()
    fields = field_table(action, without)
    return [*lines, *fields, ""] if fields else lines


def credential_verbs() -> Page:
    """Return the page of the verbs, and of who offers them."""
    lines = page(
        "Credential verbs",
        "What a step can do with the run's own credential, whoever issued it. The provider is that of the",
        "credential's connection. `${{ credential.can.VERB }}` asks whether it offers a verb. The `http` provider",
        "offers those that `responder.yaml` describes.",
    )
    offered = {
        name: {action.verb for action in provider.actions if issubclass(action, CredentialAction)}
        for name, provider in providers()
    }
    names = [name for name, verbs in offered.items() if verbs]
    rows = [[f"`{verb}`", *("yes" if verb in offered[name] else "no" for name in names)] for verb in VERBS]
    lines += [*table(("verb", *names), rows), ""]
    for verb in VERBS.values():
        lines += action_lines(verb)
    return lines


def playbook_language() -> Page:
    """Return the page of the playbook language."""
    lines = page(
        "Playbook language",
        "Every key that a playbook may have. [How to write one](../how-to/write-a-playbook.md) explains the ideas.",
        "A span of time is written `90s`, `5m`, `1h30m` or `2d`. `responder playbook schema` prints the same as a",
        "JSON Schema for editors.",
    )
    lines += model_sections(PlaybookFile, {"PlaybookFile": "The file"})
    about = "From what `from` may count, and what `responder set` may say. The last one is proven."
    lines += ["## Moments", "", about, ""]
    moments = [*CLOCKS.items(), (PROVEN, "the first refusal after the last acceptance, once death is proven")]
    lines += [*table(("moment", "what it is"), [(f"`{name}`", words) for name, words in moments]), ""]
    lines += ["[Set deadlines](../how-to/set-deadlines.md) has examples of what laws ask for.", ""]
    lines += ["## In `match`", "", f"Known keys: {listed(sorted(MATCH_KEYS))}.", ""]
    lines += [
        "## In `${{ }}`",
        "",
        "One Jinja expression in a sandbox. A name that is not there is an error.",
        "A value that is one expression and nothing else keeps its type.",
        "",
    ]
    lines += [*table(("name", "what it is"), list(EXPRESSIONS.values())), ""]
    lines += [f"Filters: {listed(sorted(FILTERS))}.", ""]
    return lines


def model_sections(model: type[BaseModel], titles: Mapping[str, str]) -> Page:
    """Return a section for a model and for each that its fields are made of."""
    lines: Page = []
    for one in models_below(model):
        fields = field_table(one)
        if fields:
            lines += [f"## {titles.get(one.__name__, one.__name__)}", "", doc(one), "", *fields, ""]
    return lines


def settings() -> Page:
    """Return the page of responder.yaml and of the environment."""
    lines = page(
        "Settings",
        "Everything that `responder.yaml` may hold. A secret is never written there: `env:NAME`, `file:PATH` or",
        "`keyring:NAME` names the place where it is read.",
    )
    lines += model_sections(Settings, {"Settings": "The file"})
    lines += ["## A connection's own fields", "", "Besides the fields above, each provider has its own.", ""]
    for name, provider in providers():
        lines += [f"### {name}", "", doc(provider.options), ""]
        for one in models_below(provider.options):
            fields = field_table(one)
            head = [] if one is provider.options else [f"#### {name}: {one.__name__}", "", doc(one), ""]
            lines += [*head, *fields, ""] if fields else []
    lines += [
        "## Environment",
        "",
        *table(("variable", "meaning"), [(f"`{k}`", v) for k, v in ENVIRONMENT.items()]),
        "",
    ]
    return lines


def events() -> Page:
    """Return the page of the timeline's events."""
    lines = page(
        "Events of the timeline",
        "Every entry has `seq`, `at`, `incident`, `run`, `event`, `step`, `actor`, `facts`, `prev` and `hash`.",
        "`responder timeline INCIDENT --json` prints one entry a line.",
    )
    return [
        *lines,
        *table(("event", "what happened"), [(f"`{name}`", text) for name, text in EVENTS.items()]),
        "",
    ]


def exit_codes() -> Page:
    """Return the page of the exit codes."""
    lines = page("Exit codes", "What a command says to the shell.")
    notes = enum_notes(Exit)
    return [
        *lines,
        *table(("code", "name", "meaning"), [(str(int(one)), one.name, notes[one.name]) for one in Exit]),
        "",
    ]


def enum_notes(kind: type[Exit]) -> dict[str, str]:
    """Return what stands below each member in the source."""
    import inspect  # noqa: PLC0415 - only here

    found = re.findall(r'^    ([A-Z_]+) = \d+\n    """(.*?)"""', inspect.getsource(kind), re.DOTALL | re.MULTILINE)
    return {name: one_line(text) for name, text in found}


def faults() -> Page:
    """Return the page of a drill's faults."""
    lines = page("Faults", "What `responder drill --fault` takes. The option may stand more than once.")
    rows = [(f"`{form}`", FAULTS[re.split(r"[:\[=]", form)[0]]) for form in FORMS]
    lines += [*table(("form", "what happens"), rows), ""]
    lines += [f"SYSTEM is one of {listed(sorted(scene_called(FOUNDING).places))}, or `all`.", ""]
    lines += [
        "STEP is the id of a step of the playbook, or of one that a run of it opens. Inside a sub-playbook it is",
        "written `contain/end`; `STEP[key]` is one of its items. A step that is in neither is refused before the drill",
        "starts.",
        "",
    ]
    lines += [
        f"The instants are {listed(CRASH_POINTS)}: the intent is written and nothing is",
        "sent; it took effect and nothing of that is written; the outcome is written. A step that only reads has no",
        "intent, and its outcome is written soon after.",
    ]
    return [*lines, ""]


def templates() -> Page:
    """Return the page of the templates and their fields."""
    from responder.documents import Templates  # noqa: PLC0415 - only here

    known = Templates(Library(None).templates())
    lines = page(
        "Templates",
        "What ships, and what each needs to be told. A field without a source and without *optional* must be given",
        "by the step or by `responder set`. `responder notice lint TEMPLATE` names what is missing.",
    )
    for name in known.names():
        front = known.get(name).front
        leaves = "it leaves the house, so it needs an approval" if front.external else "it stays inside"
        lines += [
            f"## {name}",
            "",
            f"{front.title}. For: {front.audience}, by {front.channel}; {leaves}.",
            "",
        ]
        rows = [template_row(field, spec) for field, spec in front.fields.items()]
        lines += [*table(("field", "type", "source", "", "meaning"), rows), ""] if rows else []
    return lines


def template_row(name: str, spec: Any) -> tuple[str, str, str, str, str]:
    """Return one field of a template."""
    source = f"`{spec.from_}`" if spec.from_ else ""
    kind = spec.type + (f" of {', '.join(spec.of)}" if spec.of else "")
    return f"`{name}`", kind, source, "optional" if spec.optional else "", spec.help


def lint_rules() -> Page:
    """Return the page of the rules of lint."""
    lines = page(
        "Lint rules",
        "What `responder playbook lint` looks for, besides what the [language](playbook-language.md) itself demands. A",
        "playbook with an error is not run. `--strict` counts warnings as errors.",
    )
    return [*lines, *table(("rule", "", "what is wrong"), [(f"`{one.name}`", one.kind, one.says) for one in RULES]), ""]


def scenarios() -> Page:
    """Return the page of a scenario's file."""
    lines = page(
        "Scenarios",
        "Every key that a scenario may have. [How to test a playbook](../how-to/test-a-playbook.md) explains the",
        "ideas. `responder playbook schema --scenario` prints the same as a JSON Schema for editors. A word or a pair",
        "stands for a mapping where that is enough: `kill: silent`, `kill: lost`, `[kill, dead]`.",
    )
    return [*lines, *model_sections(Scenario, {"Scenario": "The file"})]


PAGES: Mapping[str, Callable[[], Page]] = {
    "commands.md": commands,
    "actions.md": actions,
    "credential-verbs.md": credential_verbs,
    "playbook-language.md": playbook_language,
    "lint-rules.md": lint_rules,
    "scenarios.md": scenarios,
    "settings.md": settings,
    "events.md": events,
    "exit-codes.md": exit_codes,
    "faults.md": faults,
    "templates.md": templates,
}


def text_of(lines: Page) -> str:
    """Return a page's text, without empty lines at its end or two in a row."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def readme(text: str) -> str:
    """Return the README with the help of today between its marks."""
    block = f"\\g<1>```text\n{help_of(group, 'responder').strip()}\n```\n\\g<2>"
    return re.sub(r"(<!-- help: begin -->\n).*?(<!-- help: end -->)", block, text, flags=re.DOTALL)


def main() -> int:
    """Write every page, the help in the README, and the schemas of what `--json` prints."""
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(text_of(make()), encoding="utf-8")
        print(f"written: docs/reference/{name}")
    write_schemas()
    return 0


if __name__ == "__main__":
    sys.exit(main())
