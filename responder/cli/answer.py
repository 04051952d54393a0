"""What the commands with which people answer have in common."""

from responder.app import App
from responder.cli.call import Call
from responder.cli.exits import Exit
from responder.state import RunState


def answered(call: Call, app: App, run: str, step: str, said: str) -> Exit:
    """Say that an answer is on the timeline, and what happens now."""
    row = app.row(run)
    working = app.attendance.attended(row)
    if call.json:
        call.document(
            {
                "incident": row.incident,
                "run": row.run,
                "step": step,
                "said": said,
                "by": app.person,
                "working": working,
            }
        )
        return Exit.OK
    call.out(f"{step}: {said}, by {app.person}" if step else f"{said}, by {app.person}")
    if not working and row.state != "ended":
        call.out("Nobody works on the run now.")
        opener = opened_by(app, row.run)
        if opener:
            call.out(f"Nor on {opener}, which opened it and takes it up too:")
        call.out(f"next: {call.program} resume {opener or row.run}")
    return Exit.OK


def opened_by(app: App, run: str) -> str:
    """Return the run that opened this one, where that is open and nobody works on it either; else nothing."""
    parent = str((app.state(run).started.get("parent") or {}).get("run", ""))
    if not parent:
        return ""
    row = app.row(parent)
    return "" if row.state == "ended" or app.attendance.attended(row) else opened_by(app, parent) or parent


def change_lines(state: RunState, step: str) -> list[str]:
    """Return in words what an answer to a step is about; nothing where nothing is planned."""
    if step in state.corrections:
        return [f"  {state.corrections[step].text}"]
    unit = state.units.get(step)
    if unit is None:
        return []
    items = state.items.get(step)
    units = [state.unit(f"{step}[{key}]") for key in items.values] if items else [unit]
    planned = [one.planned for one in units if one.planned.get("target")]
    lines = [f"  {one['target']}: {one.get('before') or '?'} -> {one.get('after')}" for one in planned[:_MOST_SHOWN]]
    if len(planned) > _MOST_SHOWN:
        lines.append(f"  and {len(planned) - _MOST_SHOWN} more")
    texts = {str(one["text"]) for one in planned if one.get("text")}
    if len(texts) == 1:
        lines += ["", *(f"  | {line}" for line in texts.pop().splitlines()), ""]
    return lines


_MOST_SHOWN = 10
