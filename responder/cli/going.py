"""What follows once a run was begun: it is driven here, left to a worker or the background, or followed."""

from responder.app import App, Begun
from responder.cli.call import Call
from responder.cli.drive import accompany, drive, hosts, watch
from responder.cli.exits import Exit


def go_on(call: Call, app: App, begun: Begun, *, detach: bool) -> Exit:
    """Drive the run here, leave it to the background, or follow the one that was joined."""
    if begun.joined:
        call.say(f"{begun.run} responds to this credential already; the new place is on its timeline.")
    if detach:
        return _detach(call, app, begun)
    if begun.joined:
        return watch(call, app, begun.run)
    if workers := app.attendance.workers():
        call.say(f"Workers do it, at {hosts(workers)}; this terminal only watches.")
        return accompany(call, app, begun.run)
    return drive(call, app, begun.run, lambda: app.drive(begun.run))


def _detach(call: Call, app: App, begun: Begun) -> Exit:
    """Leave the run to a worker, or else to a process of its own."""
    workers = app.attendance.workers()
    if not begun.joined and not workers:
        app.attendance.detach(begun.run, call.options())
    if call.json:
        call.document({"incident": begun.incident, "run": begun.run, "joined": begun.joined, "detached": True})
    else:
        where = f"at a worker ({hosts(workers)})" if workers else "in the background"
        call.out(f"{begun.run} goes on {where} ({begun.incident})")
        call.out(f"next: {call.program} watch {begun.run}")
    return Exit.WAITING
