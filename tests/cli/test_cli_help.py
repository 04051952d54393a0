"""The list of commands: quick, complete, and the same as what each command says of itself."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import responder.cli
from responder.cli.group import COMMANDS, GROUPS, Command, Subgroup, group
from responder.installation import login

TESTS = Path(__file__).resolve().parent.parent
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


NOT_FOR_A_RUN = {
    "asyncio",
    "csv",
    "difflib",
    "email",
    "html",
    "httpx",
    "importlib.metadata",
    "jinja2",
    "keyring",
    "psycopg",
    "rich",
    "smtplib",
    "subprocess",
    "pydantic.functional_serializers",
    "responder.answers",
    "responder.breaking",
    "responder.correcting",
    "responder.declared",
    "responder.documents.template",
    "responder.drill",
    "responder.expressions.sandbox",
    "responder.fields",
    "responder.fleet",
    "responder.motions",
    "responder.postgres",
    "responder.providers.finding",
    "responder.providers.incident",
    "responder.review",
    "responder.scenario",
    "responder.sending",
    "responder.wording",
    "socket",
    "tempfile",
}
"""What a run without an expression, a notice or a mishap does without. Each would cost every start milliseconds."""


def loaded_by(*words: str, code: int = 0, path: str = "") -> set[str]:
    """Return the modules that a call imports, in a process of its own; and `gc enabled` where it is at the end."""
    lines = [
        "import atexit, gc, sys",
        f"sys.argv[1:] = {list(words)!r}",
        "atexit.register(lambda: print(*sys.modules, *['gc enabled'] * gc.isenabled(), sep='\\n'))",
        "from responder.cli import main",
        "main()",
    ]
    around = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False, env=around
    )
    assert code == done.returncode, done.stderr
    return set(done.stdout.splitlines())


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--version"]], ids=" ".join)
def test_what_needs_no_record_loads_nothing_slow(words: list[str]) -> None:
    assert set() == SLOW & loaded_by(*words)


def test_the_garbage_collector_works_as_soon_as_a_command_is_imported() -> None:
    assert "gc enabled" in loaded_by("status", "--help")


def test_a_run_of_one_step_loads_only_what_it_needs(tmp_path: Path) -> None:
    about = tmp_path / "clockwork-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: clockwork\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[responder.providers]\nclockwork = clockwork:PROVIDER\n")
    person = f"people: {{ann: {{name: Ann, os_user: {login()}}}}}\n"
    connection = f"connections: {{cw: {{provider: clockwork, account: acct-1, folder: {tmp_path}}}}}\n"
    (tmp_path / "responder.yaml").write_text(person + connection)
    step = "{id: only, phase: analysis, action: clockwork.nothing}"
    (tmp_path / "quiet.yaml").write_text(f"playbook: quiet\ntitle: Quiet\nversion: 1\nsteps: [{step}]\n")
    (tmp_path / "finding.json").write_text('{"value": "leaked-q7Zpq7Zpq7Zp", "exposure": {"kind": "public"}}')
    where = ["--config", str(tmp_path / "responder.yaml"), "--store", str(tmp_path / "r.db")]
    what = ["run", str(tmp_path / "quiet.yaml"), "--finding", str(tmp_path / "finding.json"), "--yes"]

    loaded = loaded_by(*where, *what, code=1, path=os.pathsep.join([str(tmp_path), str(TESTS)]))

    assert {"clockwork", "responder.run"} <= loaded
    assert set() == NOT_FOR_A_RUN & loaded


LOOK_FOR_PLUGINS = """
from responder import cli
cli._let_no_plugin_in()
from pydantic.plugin import _loader
print(list(_loader.get_plugins()), _loader.PYDANTIC_ENTRY_POINT_GROUP)
"""


@pytest.mark.parametrize(
    ("disabled", "found"), [pytest.param(None, [], id="at first"), pytest.param("other", ["PLUGIN"], id="if wanted")]
)
def test_no_plugin_looks_into_our_models(disabled: str | None, found: list[str], tmp_path: Path) -> None:
    about = tmp_path / "curious-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: curious\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[pydantic]\ncurious = curious:PLUGIN\n")
    (tmp_path / "curious.py").write_text("PLUGIN = 'PLUGIN'")
    wanted = {} if disabled is None else {"PYDANTIC_DISABLE_PLUGINS": disabled}
    around = {**os.environ, "PYTHONPATH": str(tmp_path), **wanted}
    done = subprocess.run(
        [sys.executable, "-c", LOOK_FOR_PLUGINS], capture_output=True, text=True, check=True, env=around
    )

    assert f"{found} pydantic" == done.stdout.strip()


def test_the_verbs_of_credentials_are_loaded_with_the_first_provider_or_step_that_has_one() -> None:
    assert "responder.credential" not in loaded_by("run", "--help")


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
