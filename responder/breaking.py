"""Breaking the glass: written down, acted on at once, and told to everybody without holding anything up."""

from responder.alarm import alarm
from responder.app import App
from responder.errors import PlanRefused, Problem
from responder.glass import GUARD, broken


def check_listed(app: App) -> None:
    """Refuse to begin a run with a broken glass for somebody who may not break it. PlanRefused."""
    if app.person not in app.means.settings.break_glass:
        raise PlanRefused(
            problems=(
                Problem(
                    f"{app.person or 'this login'} is not on the list `break_glass` of responder.yaml",
                    "--break-glass",
                    "begin without it, and let somebody else approve; nothing was begun",
                    GUARD,
                ),
            )
        )


def break_glass(app: App, run: str, step: str, reason: str) -> None:
    """Write down that the glass was broken, and agree to a step where one is named. PlanRefused where it may not be."""
    row = app.row(run)
    state = app.state(row.run)
    app.say(row, broken(state, step, app.decides(state), reason))
    if step:
        app.approve(row.run, step)


def tell(app: App, run: str, step: str, reason: str) -> str:
    """Begin the run that tells everybody, and return its id. InputError where nobody can be told."""
    row = app.row(run)
    start = alarm(app.means, app.state(row.run), app.person, step, reason)
    app.dispatcher.timeline(row.incident).append(*start.drafts, also=start.store)
    return start.run
