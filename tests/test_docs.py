"""What the documents say is so: generated pages, links, commands, words."""

import ast
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

import responder
from responder import expressions, library
from responder.cli.call import Call
from responder.cli.exits import Exit
from responder.cli.group import COMMANDS, GROUPS, group
from responder.credential import Consumers, Used
from responder.documents.template import parse_template
from responder.drill.faults import FORMS
from responder.drill.stage import scene_of
from responder.finding import read_finding
from responder.reading import parse_playbook
from responder.redaction import Redactor
from responder.registry import Registry
from responder.sealing import Sealer

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
WRITTEN = [path for path in PAGES if "reference" not in path.parts]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
ONLY_SHELL = {".", "cd", "read", "pip", "createdb"}
"""What a reader types besides our commands; nothing of it is ours to test."""


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def documenting(name: str) -> ModuleType:
    """Import a script of docs/."""
    folder = str(ROOT / "docs")
    if folder not in sys.path:
        sys.path.append(folder)
    return __import__(name)


# Generated pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs" / "reference").glob("*.md")))
def test_the_reference_is_up_to_date(name: str) -> None:
    generate = documenting("generate")

    assert name in generate.PAGES
    assert generate.text_of(generate.PAGES[name]()) == (generate.FOLDER / name).read_text(encoding="utf-8")


def test_every_reference_page_is_written() -> None:
    generate = documenting("generate")

    assert set(generate.PAGES) <= {path.name for path in generate.FOLDER.glob("*.md")}


def test_the_readme_shows_the_help_of_today() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert documenting("generate").readme(text) == text


def test_the_readme_shows_a_score() -> None:
    found = documenting("make_picture").SCORE.search((ROOT / "README.md").read_text(encoding="utf-8"))

    assert found is not None
    assert "What the world saw, by its own ledger:" in found[0]


@pytest.mark.parametrize("script", sorted(path.stem for path in (ROOT / "docs").glob("*.py")))
def test_every_script_of_the_docs_still_finds_what_it_needs(script: str) -> None:
    assert documenting(script).__doc__


def test_the_picture_asks_the_network_for_nothing() -> None:
    drawn = (ROOT / "docs" / "pictures" / "drill.svg").read_text(encoding="utf-8")

    assert "@font-face" not in drawn
    assert not re.search(r"(href|src)=\"http|url\(['\"]?http", drawn)


def test_every_setting_and_key_has_its_meaning() -> None:
    rows = [
        line.split(" | ")
        for name in ("settings.md", "playbook-language.md")
        for line in (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]

    assert [] == [row[0] for row in rows if not row[-1].strip(" |")]


def test_every_exit_code_has_its_meaning() -> None:
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")

    assert [] == [code for code in Exit if not re.search(rf"^\| {int(code)} \| {code.name} \| \w", page, re.MULTILINE)]


def test_every_event_that_can_be_written_is_described() -> None:
    assert set(documenting("meanings").EVENTS) == events_in_code()


def events_in_code() -> set[str]:
    """Return every event that the code writes: the first word of a draft, and what a job appends or leaves."""
    package = Path(responder.__file__).parent
    found: set[str] = set()
    for path in [path for path in package.rglob("*.py") if "drill" not in path.parts]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found |= set(written_by(node))
    return found


def written_by(call: ast.Call) -> Iterator[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    first = call.args[0] if call.args else None
    of_a_job = name in {"append", "_leave"} and isinstance(first, ast.Name) and first.id == "job"
    if not call.args or not (of_a_job or name in {"Draft", "_draft"}):
        return
    given = call.args[1] if of_a_job else call.args[0]
    for one in [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]:
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def test_every_name_in_expressions_is_described() -> None:
    assert expressions.ROOTS | expressions.CALLS == (set(documenting("meanings").EXPRESSIONS) - {"each"})


def test_every_fault_is_described() -> None:
    assert {re.split(r"[:\[=]", form)[0] for form in FORMS} == set(documenting("meanings").FAULTS)


def test_every_dependency_says_what_it_replaced() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    page = (ROOT / "docs" / "why" / "dependencies.md").read_text(encoding="utf-8").lower()

    assert [] == [one for one in wanted if re.split(r"[<>=;\[ ]", one)[0].lower() not in page]


def test_pinned_versions_are_names_and_versions_and_cover_what_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() for pin in pins}

    assert [] == [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.+!]+", pin)]
    assert {re.sub(r"[-_.]+", "-", re.split(r"[<>=;\[ ]", one)[0]).lower() for one in wanted} <= pinned


# Links ----------------------------------------------------------------------------------------------------


def without_fences(text: str) -> str:
    return FENCE.sub("", text)


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", without_fences(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(without_fences(page.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if link.startswith(("https://", "mailto:")):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)

    assert [] == broken


def test_every_page_is_reached_from_the_readme() -> None:
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        links = LINK.findall(without_fences(page.read_text(encoding="utf-8")))
        found = {(page.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link}
        ahead += [path for path in found if path.suffix == ".md" and path not in seen and path.exists()]

    assert [] == [named(page) for page in PAGES if page not in seen]


# Commands -------------------------------------------------------------------------------------------------


def commands_of(page: Path) -> Iterator[str]:
    """Yield what a page tells its reader to type."""
    for kind, block in FENCE.findall(page.read_text(encoding="utf-8")):
        joined = block.replace("\\\n", " ")
        if kind == "console":
            yield from (line[2:] for line in joined.splitlines() if line.startswith("$ "))
        elif kind in {"sh", "bash"}:
            yield from (line for line in joined.splitlines() if line.strip() and not line.startswith("#"))


TYPED = [pytest.param(page, line, id=f"{named(page)}: {line}") for page in WRITTEN for line in commands_of(page)]


@pytest.mark.parametrize(("page", "line"), TYPED)
def test_every_command_exists_with_its_options(page: Path, line: str) -> None:
    for part in line.split("&&"):
        words = shlex.split(part, comments=True)
        if words[0] == "responder":
            parse(words[1:])
        elif words[0] == "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
            wanted = [word for word in words[1:] if "=" not in word]

            assert wanted
            assert set(wanted) <= set(targets)
        else:
            assert words[0] in {*ONLY_SHELL, "export"}


def parse(words: list[str]) -> None:
    """Parse a command line as the program would, and call nothing."""
    command: click.Command = group
    context = group.make_context("responder", words, obj=Call())
    while isinstance(command, click.Group):
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if not rest:
            return
        name, found, arguments = command.resolve_command(context, rest)

        assert found is not None
        command, context = found, found.make_context(name, arguments, parent=context)
    if "faults" in context.params:
        scene_of(context.params["playbook"], context.params["faults"])


def test_every_command_belongs_to_a_group_and_has_a_page() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")

    assert sorted(COMMANDS) == sorted(name for names in GROUPS.values() for name in names)
    assert [] == [name for name in COMMANDS if f"### {name}\n" not in page]


def test_every_target_of_the_makefile_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    declared = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)

    assert declared is not None
    assert declared[1].split() == re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)


# Examples -------------------------------------------------------------------------------------------------


def examples(kind: str, start: str) -> list[object]:
    return [
        pytest.param(block, id=named(page))
        for page in WRITTEN
        for found, block in FENCE.findall(page.read_text(encoding="utf-8"))
        if found == kind and block.startswith(start)
    ]


@pytest.mark.parametrize("text", examples("yaml", "playbook:"))
def test_every_playbook_that_is_shown_is_one(text: str) -> None:
    parse_playbook(text, "shown.yaml")


@pytest.mark.parametrize("text", examples("yaml", "scenario:"))
def test_every_scenario_that_is_shown_holds(text: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "write-a-playbook.md").read_text(encoding="utf-8")
    shown = next(block for kind, block in FENCE.findall(page) if kind == "yaml")
    (tmp_path / "tests" / "partner-key").mkdir(parents=True)
    (tmp_path / "partner-key.yaml").write_text(shown)
    (tmp_path / "tests" / "partner-key" / "shown.yaml").write_text(text)

    result = CliRunner().invoke(group, ["playbook", "test", str(tmp_path / "partner-key.yaml")], obj=Call())

    assert result.exit_code == 0, result.stdout


@pytest.mark.parametrize("text", examples("text", "---\n"))
def test_every_template_that_is_shown_is_one(text: str) -> None:
    name = re.search(r"^template: (\S+)$", text, re.MULTILINE)

    assert name is not None
    parse_template(text, f"{name[1]}.md.j2")


@pytest.mark.parametrize("text", examples("json", "{"))
def test_every_finding_that_is_shown_is_one(text: str) -> None:
    read_finding(json.dumps(json.loads(text)), "shown.json", Sealer(bytes(32), Redactor()))


READING_USES = [
    name for name, one in ((name, Registry().provider(name)) for name in Registry().names())
    if any(issubclass(action, Used | Consumers) for action in one.actions)
]  # fmt: skip


@pytest.mark.parametrize("name", READING_USES)
def test_who_reads_uses_says_how_long_they_are_kept_or_that_nobody_says_so(name: str) -> None:
    page = (ROOT / "docs" / "reference" / "actions.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0].partition("\n### ")[0]

    assert re.search(r"keeps .* for \d+ days|names\s+no\s+time", section, re.DOTALL)


# Words ----------------------------------------------------------------------------------------------------

NOT_USED = re.compile(r"(?<![a-z])(handler|manager|util|helper|service|engine|workflow)s?(?![a-z])", re.IGNORECASE)

ALLOWED_NAMES = {
    "handler",  # an argument that pydantic gives its hooks
    "service_account",  # what OpenAI calls an account without a person
    "add_service_account",
}

ALLOWED_PROSE = (
    "Not used: handler, manager, util, helper, service, engine, workflow.",  # the list itself
    "the record is the engine",  # what durable execution calls the thing that we have none of
    "why-the-record-is-the-engine",
    "service account",  # what OpenAI calls an account without a person
    "Secrets Manager",  # a product's name
    "secrets engine",  # what OpenBao calls what it mounts
)


def names_in(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every name that a file gives to something."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def spoken(name: str) -> str:
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", name).replace("_", " ")


def test_no_name_in_the_code_is_one_of_the_words_that_say_nothing() -> None:
    files = [*Path(responder.__file__).parent.rglob("*.py"), *(ROOT / "docs").glob("*.py")]
    found = [f"{path.name}: the module" for path in files if NOT_USED.search(spoken(path.stem))]
    found += [
        f"{path.name}:{line}: {name}"
        for path in files
        for name, line in names_in(path)
        if NOT_USED.search(spoken(name)) and name not in ALLOWED_NAMES
    ]

    assert [] == found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_uses_the_words_that_say_nothing(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", without_fences(page.read_text(encoding="utf-8")))
    for allowed in ALLOWED_PROSE:
        text = re.sub(re.escape(allowed), "", text, flags=re.IGNORECASE)

    assert [] == NOT_USED.findall(text)


def test_the_glossary_gives_each_word_one_meaning() -> None:
    rows = re.findall(r"^\| ([a-z ,]+) \| .+ \|$", (ROOT / "GLOSSARY.md").read_text(encoding="utf-8"), re.MULTILINE)
    words = [word.strip() for row in rows[1:] for word in row.split(",")]

    assert len(words) == len(set(words))
    assert len(words) > len(rows) - 1


def test_the_built_in_playbooks_are_named_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert [] == [name for name in library.Library(None).playbook_paths() if f"`{name}`" not in text]
