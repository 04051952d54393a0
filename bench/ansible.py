"""ansible-core, doing the same work: warm by way of its own command in forks of a process that has
imported it, and cold.

It has no graph of steps: the lanes are hosts, and its usual strategy waits for all lanes after each level. Each nap is
an action plugin, the cheapest kind of task that it has: nothing is copied to, or started on, a host.
"""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import floors
from bench.comparison import Entrant
from bench.peers import Peer, asking, environment, program
from bench.work import CHAIN, COLD, FAN_OUT, GRAPH, ITEM_NAP, ITEMS, LANES, LEVELS, NAP, STEPS, WIDTH

_HEAD = "- hosts: all\n  gather_facts: false\n  tasks:\n"
_NAP = """import time
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        time.sleep(float(self._task.args["seconds"]))
        return result
"""


def _tasks(line: str, count: int) -> str:
    return _HEAD + "".join(f"    - {line}\n" for _ in range(count))


def _hosts(count: int) -> str:
    return "".join(f"h{number} ansible_connection=local\n" for number in range(count))


def _furnish(folder: Path) -> None:
    (folder / "action_plugins").mkdir()
    (folder / "action_plugins" / "nap.py").write_text(_NAP)
    (folder / "chain.yml").write_text(_tasks("debug: {msg: nothing}", STEPS))
    (folder / "one.yml").write_text(_tasks("debug: {msg: nothing}", 1))
    (folder / "graph.yml").write_text(_tasks(f"nap: {{seconds: {NAP}}}", LEVELS))
    (folder / "fan_out.yml").write_text(_tasks(f"nap: {{seconds: {ITEM_NAP}}}", 1))
    for name, count in (("one", 1), ("lanes", LANES), ("items", ITEMS)):
        (folder / f"{name}.ini").write_text(_hosts(count))


def entrants(until_the_end: ExitStack) -> dict[str, Sequence[Entrant]]:
    """Return its part in each case."""
    folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory()))
    _furnish(folder)
    settings = environment(folder, {"ANSIBLE_HOME": str(folder), "ANSIBLE_LOCALHOST_WARNING": "0"})
    peer = Peer("ansible_side.py", settings, folder)
    until_the_end.callback(peer.close)

    def words(inventory: str, forks: int, playbook: str) -> tuple[str, ...]:
        return "-i", str(folder / f"{inventory}.ini"), "-f", str(forks), str(folder / f"{playbook}.yml")

    def cold() -> float:
        return floors.process([str(program("ansible-playbook")), *words("one", 5, "one")], settings)

    warm = "ansible-core, already imported"
    return {
        CHAIN: (Entrant(f"{warm}, `debug` tasks", asking(peer, *words("one", 5, "chain")), rounds=9),),
        GRAPH: (Entrant(f"{warm}, {LANES} hosts as lanes", asking(peer, *words("lanes", LANES, "graph")), rounds=7),),
        FAN_OUT: (Entrant(f"{warm}, {WIDTH} forks", asking(peer, *words("items", WIDTH, "fan_out")), rounds=4),),
        COLD: (Entrant("ansible-playbook, one `debug` task", cold, rounds=7),),
    }
