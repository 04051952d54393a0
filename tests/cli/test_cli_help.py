"""The list of commands: quick, complete, and the same as what each command says of itself."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import responder.cli
from responder.cli.group import COMMANDS, GROUPS, Command, Subgroup, group

SLOW = {"pydantic", "httpx", "jinja2", "yaml", "rich", "cryptography", "slack_sdk", "sqlite3"}
NO_COMMANDS = {
    "alarm",
    "answer",
    "byhand",
    "call",
    "drilled",
    "drive",
    "errors",
    "exits",
    "follow",
    "given",
    "going",
    "group",
    "lines",
    "outputs",
    "planning",
    "rendering",
    "scenarios",
    "screen",
    "writing",
    "words",
}


def loaded_by(*words: str) -> set[str]:
    """Return the packages that a call imports, in a process of its own."""
    lines = [
        "import sys",
        f"sys.argv[1:] = {list(words)!r}",
        "from responder.cli import main",
        "try: main()",
        "finally: print(*sys.modules, sep='\\n')",
    ]
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {line.partition(".")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--version"]], ids=" ".join)
def test_what_needs_no_record_loads_nothing_slow(words: list[str]) -> None:
    assert set() == SLOW & loaded_by(*words)


def command_of(name: str) -> click.Command:
    found = group.get_command(click.Context(group), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_short_help_in_the_list_is_the_command_s_own(name: str) -> None:
    command = command_of(name)

    assert (name, COMMANDS[name]) == (command.name, (command.help or "").partition("\n")[0])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_global_options(name: str) -> None:
    command = command_of(name)
    inner = list(command.commands.values()) if isinstance(command, Subgroup) else [command]

    assert all(isinstance(one, Command) for one in inner)
    assert all({"config", "store", "json", "debug"} <= {option.name for option in one.params} for one in inner)


def test_every_file_of_a_command_is_in_the_list() -> None:
    files = {path.stem for path in Path(responder.cli.__file__).parent.glob("*.py")} - {"__init__"}

    assert files - NO_COMMANDS == set(COMMANDS)
    assert [name for names in GROUPS.values() for name in names] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_in_whole_sentences(name: str) -> None:
    command = command_of(name)
    inner = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]

    for one in inner:
        result = CliRunner().invoke(group, [name, *([one.name] if one is not command and one.name else []), "--help"])

        assert result.exit_code == 0
        assert one.help
        assert one.help.strip().endswith(".")


def test_an_unknown_command_names_the_nearest() -> None:
    result = CliRunner().invoke(group, ["aprove"])

    assert result.exit_code == 2
    assert "did you mean 'approve'?" in result.stderr
