"""`responder playbook test`."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import click

from responder.cli.call import Call, current
from responder.cli.drive import outcome
from responder.cli.exits import Exit, exit_for
from responder.cli.group import Command
from responder.errors import InputError, Problem, RequestError
from responder.library import Library
from responder.playbook import Playbook
from responder.reading import load_playbook
from responder.scenario.files import load_scenario, scenario_files
from responder.scenario.judge import Judge
from responder.scenario.play import Played, Shelf, play


@dataclass(frozen=True)
class Tested:
    """What came of one scenario."""

    playbook: str
    scenario: str
    file: str
    held: bool
    wrong: bool
    """Whether the file itself is wrong, and nothing was played."""
    seconds: float
    problems: tuple[Problem, ...]

    def document(self) -> dict[str, object]:
        """Return it as plain data."""
        return {**asdict(self), "problems": [one._asdict() for one in self.problems]}


@click.command("test", cls=Command)
@click.argument("names", nargs=-1, metavar="[PLAYBOOK[/SCENARIO]|FILE]...")
def command(names: tuple[str, ...]) -> Exit:
    """Play a playbook's scenarios; without a name, those of all playbooks.

    They stand in `tests/PLAYBOOK/` beside the playbook. Nothing is sent anywhere, and no configuration is
    needed: systems and people answer as each scenario says.
    """
    call = current()
    config = call.config_path()
    library = Library(config.parent if config else None)
    shelf = Shelf(call.registry(), library.templates(), library.playbooks())
    tested = [
        _tested(file, path, partial(_read, path, library), shelf, call)
        for path, only in _chosen(names, library)
        for file in _files(path, only, named=bool(names))
    ]
    if call.json:
        call.document({"scenarios": [one.document() for one in tested]})
    else:
        held = sum(one.held for one in tested)
        call.out(f"{held} of {len(tested)} scenarios hold" if tested else "there are no scenarios")
    if any(one.wrong for one in tested):
        return Exit.WRONG_INPUT
    return Exit.OK if all(one.held for one in tested) else Exit.NOT_CONTAINED


def _chosen(names: tuple[str, ...], library: Library) -> list[tuple[Path, str]]:
    """Return the files of the playbooks that are meant, and which scenario of each; nothing means all of them."""
    if not names:
        return [(path, "") for path in library.playbook_paths().values()]
    chosen = []
    for name in names:
        playbook, _, only = name.partition("/") if not name.endswith((".yaml", ".yml")) else (name, "", "")
        chosen.append((library.path(playbook), only))
    return chosen


def _files(path: Path, only: str, *, named: bool) -> list[Path]:
    """Return the scenarios of a playbook. RequestError where somebody named what is not there."""
    files = [file for file in scenario_files(path) if only in {"", file.stem}]
    if named and not files:
        what = f"no scenario {only!r}" if only else "no scenarios"
        raise RequestError(
            f"The playbook {path.stem!r} has {what}",
            where=str(path.parent / "tests" / path.stem),
            remedy="write one there: docs/how-to/test-a-playbook.md",
        )
    return files


def _tested(file: Path, path: Path, read: Callable[[], Playbook], shelf: Shelf, call: Call) -> Tested:
    """Play one scenario, and print what came of it."""
    began = time.perf_counter()
    title, wrong = file.stem, False
    problems: tuple[Problem, ...] = ()
    try:
        playbook = read()
        scenario, source = load_scenario(file, playbook)
        title = scenario.scenario
        played = play(playbook, scenario, shelf)
        problems = tuple(Judge(scenario, source, played, exit_code).problems())
    except InputError as error:
        wrong, problems = True, error.problems
    tested = Tested(
        path.stem, title, str(file), not problems, wrong, round(time.perf_counter() - began, 3), tuple(problems)
    )
    if not call.json:
        _print(call, tested)
    return tested


def _read(path: Path, library: Library) -> Playbook:
    return load_playbook(path, library.path)[0]


def _print(call: Call, tested: Tested) -> None:
    mark = "ok   " if tested.held else "wrong" if tested.wrong else "FAIL "
    call.out(f"{mark} {tested.playbook}: {tested.scenario} ({tested.seconds:.2f} s)")
    for problem in tested.problems:
        call.out(f"      {problem.where}: {problem.what}")
        if problem.remedy:
            call.out(f"          {problem.remedy}")


def exit_code(played: Played) -> int:
    """Return what `responder run` would tell the shell."""
    if played.refusal is not None or played.seen is None:
        return int(exit_for(played.refusal) if played.refusal else Exit.DEFECT)
    return int(outcome(played.seen))
