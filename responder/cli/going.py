"""What follows once a run was begun: it is driven here, left to a worker or the background, or followed."""

from responder.app import App, Begun
from responder.cli.answer import opened_by
from responder.cli.call import Call
from responder.cli.drive import accompany, drive, hosts, watch
from responder.cli.exits import Exit


def go_on(call: Call, app: App, begun: Begun, *, detach: bool) -> Exit:
    """Drive the run here, leave it to the background, or follow the one that was joined."""
    left = ""
    if begun.joined:
        call.say(f"{begun.run} responds to this credential already; the new place is on its timeline.")
        left = _left(app, begun.run)
    if detach:
        return _detach(call, app, begun, left if begun.joined else begun.run)
    if left:
        call.say(f"Nobody worked on {left}; it is taken up here.")
        return drive(call, app, left, lambda: app.resume(left))
    if begun.joined:
        return watch(call, app, begun.run)
    if workers := app.attendance.workers():
        call.say(f"Workers do it, at {hosts(workers)}; this terminal only watches.")
        return accompany(call, app, begun.run)
    return drive(call, app, begun.run, lambda: app.drive(begun.run))


def _left(app: App, run: str) -> str:
    """Return the run to take up so that somebody works on one that was joined; nothing where somebody does."""
    return "" if app.attendance.attended(app.row(run)) else opened_by(app, run) or run


def _detach(call: Call, app: App, begun: Begun, left: str) -> Exit:
    """Leave the run to a worker, or else to a process of its own. `left`: what nobody works on yet, if anything."""
    workers = app.attendance.workers()
    if left and not workers:
        app.attendance.detach(left, call.options())
    if call.json:
        call.document({"incident": begun.incident, "run": begun.run, "joined": begun.joined, "detached": True})
    else:
        where = f"at a worker ({hosts(workers)})" if workers else "in the background"
        call.out(f"{begun.run} goes on {where} ({begun.incident})")
        call.out(f"next: {call.program} watch {begun.run}")
    return Exit.WAITING
