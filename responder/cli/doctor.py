"""`responder doctor`."""

from dataclasses import asdict

import click

from responder.app import App
from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.doctor import Check, examine
from responder.library import built_in
from responder.playbook import Playbook
from responder.slack.checkup import examine_slack

_MARKS = {"ok": ("ok", "green"), "missing": ("MISSING", "red"), "note": ("note", "yellow")}


@click.command("doctor", cls=Command)
@click.argument("playbooks", nargs=-1, metavar="[PLAYBOOK]...")
def command(playbooks: tuple[str, ...]) -> Exit:
    """Check the connections, their permissions, and the store.

    Each connection: reachable, whose account it is, which permissions the playbooks need there, and whether a
    proof of death is possible. Where responder.yaml speaks of Slack: whether the app's tokens are accepted, what
    they lack, and which people's accounts are gone. With PLAYBOOK, everything it needs must be there; without, what
    your own playbooks need.
    """
    call = current()
    with call.open_for_reading() as app:
        wanted, others = _chosen(app, playbooks)
        checks = [*examine(app, wanted, others), *examine_slack(app.means)]
    if call.json:
        call.document({"ready": _ready(checks), "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            _tell(call, check)
        call.out("Everything that is needed is there." if _ready(checks) else "Something that is needed is missing.")
    return Exit.OK if _ready(checks) else Exit.PROVIDER


def _chosen(app: App, names: tuple[str, ...]) -> tuple[list[Playbook], list[Playbook]]:
    """Return the playbooks whose needs must be met, and those that are only looked at."""
    if names:
        return [app.library.load(name) for name in names], []
    ships = built_in("playbooks")
    own = {name for name, path in app.library.playbook_paths().items() if path.parent != ships}
    known = app.library.playbooks()
    return [one for name, one in known.items() if name in own], [one for name, one in known.items() if name not in own]


def _ready(checks: list[Check]) -> bool:
    return not any(check.state == "missing" for check in checks)


def _tell(call: Call, check: Check) -> None:
    word, colour = _MARKS[check.state]
    call.out(f"{click.style(f'{word:<7}', fg=colour)} {check.about} {check.name}: {check.said}")
    if check.needs:
        call.out(f"        needs: {', '.join(check.needs)}")
    if check.remedy:
        call.out(f"        next: {call.typable(check.remedy)}")
