"""Cold starts: whole processes, from `exec` to exit."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import floors, idle
from bench.comparison import Case, Entrant, fresh
from bench.ours import finding, opened
from bench.work import COLD
from responder.installation import login
from responder.registry import Registry

SETTINGS = (
    "people: {{ann: {{name: Ann, roles: [oncall], os_user: {login}}}}}\n"
    "connections: {{idle: {{provider: idle, account: acct-1}}}}\n"
)
PLAYBOOK = """\
playbook: p
title: Measured
version: 1
steps:
  - {id: s0, phase: analysis, action: idle.nothing}
"""

_ENDED_RUNS = 10
"""How many runs an existing record holds; one more is open."""


class Installation:
    """A folder in which `responder` runs as it does where it is installed, with an outsider's provider.

    The provider comes by an entry point, so that it is found and imported as any other.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._site = folder / "site"
        about = self._site / "idle-1.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: idle\nVersion: 1\n")
        (about / "entry_points.txt").write_text("[responder.providers]\nidle = idle:PROVIDER\n")
        shutil.copy(idle.__file__, self._site)
        self._new = self._furnished("new")
        self._used = self._furnished("used")
        with opened(self._used, Registry({"idle": idle.PROVIDER})) as app:
            book = app.library.load("p")
            for _ in range(_ENDED_RUNS):
                app.drive(app.begin(book, finding(app), {}).run)
            app.begin(book, finding(app), {})

    def _furnished(self, name: str) -> Path:
        place = self._folder / name
        place.mkdir()
        (place / "responder.yaml").write_text(SETTINGS.format(login=login()))
        (place / "playbooks").mkdir()
        (place / "playbooks" / "p.yaml").write_text(PLAYBOOK)
        report = {"value": f"leaked-value-of-the-{name}-place-" + "x" * 20, "exposure": {"kind": "public"}}
        (place / "finding.json").write_text(json.dumps(report))
        return place

    def call(self, *words: str, used: bool, codes: tuple[int, ...] = (0,)) -> float:
        """Return the seconds of one call, with a record of its own that is new or has been used."""
        place = self._folder / f"call{fresh()}"
        shutil.copytree(self._used if used else self._new, place)
        command = [sys.executable, "-m", "responder", "--config", str(place / "responder.yaml")]
        command += ["--store", str(place / "responder.db"), *words]
        path = os.pathsep.join([str(self._site), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = floors.clean({"HOME": str(place), "PYTHONPATH": path, "NO_COLOR": "1"})
        command = [word.replace("FINDING", str(place / "finding.json")) for word in command]
        try:
            return floors.process(command, environment, codes)
        finally:
            shutil.rmtree(place)


def cases(until_the_end: ExitStack, peers: dict[str, Sequence[Entrant]]) -> Sequence[Case]:
    """Return the cases of starting; the one with a run beside everybody who can run one."""
    folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory()))
    made: list[Installation] = []

    def call(*words: str, used: bool = True, codes: tuple[int, ...] = (0,)) -> Callable[[], float]:
        def measure() -> float:
            if not made:
                made.append(Installation(folder))
            return made[0].call(*words, used=used, codes=codes)

        return measure

    run = ("run", "p", "--finding", "FINDING", "--yes")
    ended = (1,)  # a playbook that proves no death contains nothing, and says so by its exit code
    boto3 = Entrant('python -c "import boto3"', lambda: floors.python("import boto3"))
    return (
        Case(
            COLD,
            boto3,
            (
                Entrant("python -c pass", lambda: floors.python("pass")),
                Entrant("responder run, new record", call(*run, used=False, codes=ended), at_most=1.2),
                Entrant("responder run, existing record", call(*run, codes=ended), at_most=1.2),
                *peers.get(COLD, ()),
            ),
            rounds=11,
            kinds=("cold",),
        ),
        Case(
            "other cold starts",
            boto3,
            (
                Entrant("responder --help", lambda: floors.process([sys.executable, "-m", "responder", "--help"])),
                Entrant("responder status", call("status")),
            ),
            rounds=11,
            kinds=("cold",),
        ),
    )
