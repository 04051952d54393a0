"""The architecture as a test: who may import whom, where secrets open, and how long things may be."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

import responder

PACKAGE = Path(responder.__file__).parent
MOST_MODULE_LINES = 400
MOST_FUNCTION_LINES = 50

ROWS = """
__main__
cli
drill scenario
slack
doctor stocktaking probing breaking closing rendering tending
app
voice
attendance
fleet
dispatch
lease
run
work fanout alarm room planning calling
plan offspring orphan keeping tracking sending undo ending answers words
start lint view correcting waves schedule byhand detour
gate guards page deadlines held proposal
resolve naming library review chart graph schema lanes links
upkeep means narrative figures documents arguments
declared
registry story progress notice asking motions modes lines lead suppression
providers testing wording approval
glass
credential fields fold moments reading
fold_people inlining structure
fold_steps suspicion
state
correction standing
unit subject
leaks
action incident rendition timeline playbook
ticket
transport installation said step due chain entry appointed
sqlite postgres
finding settings store answer programs expressions anchors
sealing source dates
keychain
clock durations redaction layout skeleton threads outsiders
errors stack
"""
"""The order of the house, from the door down: a module imports from lower rows only, never from its own."""

ONLY_IN = {
    "click": ("cli",),
    "rich": ("cli",),
    "jinja2": ("documents", "expressions"),
    "yaml": ("source",),
    "httpx": ("transport", "answer", "drill"),  # answer names its types; the drill asks its own world
    "sqlite3": ("sqlite",),
    "psycopg": ("postgres", "fleet"),
    "procrastinate": ("fleet",),
    "subprocess": ("programs", "drill", "attendance"),  # the drill and `attendance` begin responder itself
    "smtplib": ("transport", "providers.email"),  # which signs in, to see that it may send
    "cryptography": ("sealing", "providers.github", "drill"),  # GitHub's signatures and key pairs, and their other end
    "nacl": ("providers.github", "drill"),
    "botocore": ("providers.aws",),
    "keyring": ("keychain",),
    "slack_bolt": ("slack",),
    "websockets": ("slack",),
    "wsproto": ("drill",),
    "slack_sdk": ("slack", "drill"),  # the drill looks at blocks with it, where it is installed
}
"""Libraries that one part of the code knows, so that another can take their place there."""

MAY_REVEAL = ("transport", "sealing")
"""Where a secret may be opened: on its way out, and on its way to disk, sealed."""


@cache
def modules() -> dict[str, Path]:
    """Return every module's file by its name inside the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            found[name] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), path.name)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every import of a file as a whole name and its line, those inside functions too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path.name}:{node.lineno}: imports are written in full"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def inside(name: str) -> str:
    """Return which module of ours an imported name belongs to; nothing for others."""
    if not name.startswith("responder."):
        return ""
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in modules():
        parts.pop()
    return ".".join(parts)


def rows() -> dict[str, int]:
    """Return the height of each part of the house."""
    lines = [line.split() for line in ROWS.split("\n") if line]
    return {part: len(lines) - number for number, line in enumerate(lines) for part in line}


def part_of(module: str) -> str:
    return module.partition(".")[0]


def test_every_module_has_its_place() -> None:
    assert {part_of(module) for module in modules()} <= rows().keys()


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module: str) -> None:
    height = rows()
    own = part_of(module)
    upward = [
        f"line {line}: {module} imports {other}"
        for name, line in imports(modules()[module])
        if (other := inside(name)) and part_of(other) != own and height[part_of(other)] >= height[own]
    ]

    assert [] == upward


def provider_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "providers" and len(parts) > 1 else ""


@pytest.mark.parametrize("module", [name for name in modules() if provider_of(name)])
def test_providers_are_independent_of_one_another(module: str) -> None:
    others = {provider_of(inside(name)) for name, _ in imports(modules()[module])}

    assert others <= {provider_of(module), ""}


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_known_in_one_part_only(library: str) -> None:
    strangers = [
        module
        for module, path in modules().items()
        for name, _ in imports(path)
        if name.partition(".")[0] == library
        and not any(module == place or module.startswith(f"{place}.") for place in ONLY_IN[library])
    ]

    assert [] == strangers


def test_secrets_are_opened_at_the_two_doors_only() -> None:
    places = {
        module
        for module, path in modules().items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "reveal"
    }

    assert places <= set(MAY_REVEAL)


def test_modules_stay_small(capsys: pytest.CaptureFixture[str]) -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules().items()}
    with capsys.disabled():
        print(f"\nmedian module: {median(lengths.values()):g} lines of {len(lengths)} modules")  # noqa: T201
    long = {name: lines for name, lines in lengths.items() if lines > MOST_MODULE_LINES}

    assert {} == long


@pytest.mark.parametrize("module", modules())
def test_functions_stay_small(module: str) -> None:
    long = {
        node.name: lines
        for node in ast.walk(tree(modules()[module]))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MOST_FUNCTION_LINES
    }

    assert {} == long


@pytest.mark.parametrize("module", modules())
def test_a_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(tree(modules()[module]))


def test_the_architecture_lists_every_part() -> None:
    page = (PACKAGE.parent / "ARCHITECTURE.md").read_text(encoding="utf-8")
    listing = page.partition("```text\nplaybooks/")[2].partition("```")[0]

    assert [] == [part for part in rows() if part != "__main__" and not re.search(rf"\b{part}\b", listing)]
