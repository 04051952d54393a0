"""Breaking the glass: written down, acted on at once, and told to everybody without holding anything up."""

from typing import NamedTuple

from responder.alarm import alarm
from responder.app import App
from responder.approval import agree
from responder.errors import InputError, PlanRefused, Problem
from responder.finding import Finding
from responder.glass import GUARD, broken, check_reason
from responder.standing import Broken


class Told(NamedTuple):
    """By which run everybody is told that the glass was broken; or why nobody can be."""

    run: str
    problem: InputError | None = None


def check_beforehand(app: App, reason: str, finding: Finding) -> None:
    """Refuse to begin a run with a broken glass for somebody who may not break it. PlanRefused.

    RequestError where there is no reason.
    """
    check_reason(reason)
    known = app.means.settings.people.get(app.person)
    if app.person not in app.means.settings.break_glass:
        told = f"{app.person or 'this login'} is not on the list `break_glass` of responder.yaml"
    elif app.assess(finding).credential.held_by(app.person, known.email if known else ""):
        told = f"{app.person} holds the credential"
    else:
        return
    remedy = "begin without it, and let somebody else approve; nothing was begun"
    raise PlanRefused(problems=(Problem(told, "--break-glass", remedy, GUARD),))


def break_glass(app: App, run: str, step: str, reason: str, digest: str = "") -> Told:
    """Write down that the glass was broken, with the agreement to a step where one is named, and that it is told.

    All of it or nothing, so that nobody can agree alone unheard. PlanRefused where it may not be, RequestError where
    nothing is asked at the step, or another change than the one that was seen (`digest`).
    """
    row = app.row(run)
    state = app.state(row.run)
    drafts = [broken(state, step, app.decides(state), reason)]
    if step:
        state.standing.broken.append(Broken(row.run, step, app.person, reason, app.clock_line()))
        drafts.append(agree(state, step, app.person, digest))
    try:
        telling = alarm(app.means, state, app.person, step, reason)
    except InputError as error:
        app.say(row, *drafts)
        return Told("", error)
    app.say(row, *drafts, *telling.drafts, also=telling.store)
    return Told(telling.run)
