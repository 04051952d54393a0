"""`responder drill`."""

import shlex
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.group import COMMANDS, Command
from responder.cli.writing import make_folder

if TYPE_CHECKING:
    from responder.drill.drill import Drill, Options

DEFAULT = "shared-access-token-public"


@click.command("drill", cls=Command, short_help=COMMANDS["drill"])
@click.argument("playbook", default=DEFAULT)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where everything is left; else in a new temporary folder.",
)
@click.option("--seed", default=7, show_default=True, help="Fixes ids, values, faults and answers, but not timings.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[:WHERE]",
    help="What goes wrong, and where; an unknown name lists all. Repeatable.",
)
@click.option(
    "--speed", default=12.0, show_default=True, type=click.FloatRange(1, 1000), help="How fast the drill's clock runs."
)
@click.option(
    "--holders", default=300, show_default=True, type=click.IntRange(1, 999), help="How many people hold the token."
)
@click.option("--live", is_flag=True, help="You are the commander: answer from another terminal.")
@click.option(
    "--workers",
    type=click.IntRange(0, 9),
    metavar="N",
    help="How many workers advance the run; 2 on a record that is shared, else none.",
)
@click.option("--scene", default="", metavar="NAME", help="Another scene of the playbook; an unknown name lists all.")
@click.option("--slack", is_flag=True, help="Begin, answer, hand over and close at the world's Slack alone.")
@click.option("--slack-http", is_flag=True, hidden=True, help="The same, by signed requests instead of Socket Mode.")
@click.option("--no-restart", is_flag=True, help="Leave the runner dead when a fault has killed it.")
def command(
    *,
    playbook: str,
    keep: Path | None,
    seed: int,
    faults: tuple[str, ...],
    speed: float,
    holders: int,
    live: bool,
    workers: int | None,
    scene: str,
    slack: bool,
    slack_http: bool,
    no_restart: bool,
) -> Exit:
    """Practise a playbook in a loopback world that misbehaves.

    The same playbook, approvals and providers as in earnest, against systems of their own on this machine. The world
    keeps a ledger of its own, from which the score is taken. Ends with the score, the postmortem and the page.
    """
    from responder.drill.drill import Options  # noqa: PLC0415 - only here
    from responder.drill.stage import scene_of  # noqa: PLC0415 - only here

    call = current()
    scene_of(playbook, faults, scene)  # what is wrong is refused before there is even a folder
    folder = (keep or Path(tempfile.mkdtemp(prefix="responder-drill-"))).absolute()
    make_folder(folder, "--keep")
    options = Options(
        playbook=playbook, folder=folder, seed=seed, speed=speed, faults=faults, holders=holders, live=live,
        restart=not no_restart, seconds=3600.0 if live else 420.0, debug=call.debug,
        store=call.store, scene=scene, slack="http" if slack_http else "socket" if slack else "",
        workers=workers if workers is not None else 2 * ("://" in (call.store or "")),
    )  # fmt: skip
    document = _practise(call, options)
    if call.json:
        call.document(document)
    else:
        call.out("\n".join(score_lines(document)))
    whole = document["contained"] and document["record"]["verified"] and document["record"]["agrees_with_ledger"]
    return Exit.OK if whole else Exit.NOT_CONTAINED


def _practise(call: Call, options: "Options") -> dict[str, Any]:
    """Carry a drill out while it is shown, and return its report."""
    from responder.drill.drill import begin  # noqa: PLC0415
    from responder.drill.report import report  # noqa: PLC0415

    call.say(f"A world of its own is being set up in {options.folder}")
    drill = begin(options, call.say)
    call.redactor = drill.app.means.sealer.redactor
    try:
        _show(call, drill)
        document = report(drill)
    finally:
        drill.app.close()
        drill.stage.close()
    (drill.stage.output / "score.txt").write_text("\n".join(score_lines(document)) + "\n", encoding="utf-8")
    return document


def _show(call: Call, drill: "Drill") -> None:
    """Show the run while a thread carries the drill out."""
    from responder.cli.follow import Follower, PlainDisplay, display, follow  # noqa: PLC0415
    from responder.drill.drill import carry_out  # noqa: PLC0415

    follower = Follower(drill.app, drill.run, f"{_program()} --config {_near(drill.stage.config)}")
    shown = display(call, drill.run) if drill.chat is None else PlainDisplay(call, drill.run, commands=False)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            carry_out(drill, call.say)
        except BaseException as error:  # noqa: BLE001 - it is raised again below
            failures.append(error)

    thread = threading.Thread(target=work, name="drill", daemon=True)
    thread.start()
    try:
        follow(follower, shown, lambda: not thread.is_alive(), thread.join)
    finally:
        shown.close()
    if failures:
        raise failures[0]


def _program() -> str:
    """Return how the command is called from another terminal, where it may not be on the path."""
    beside = Path(sys.executable).with_name("responder")
    return "responder" if shutil.which("responder") or not beside.exists() else _near(beside)


def _near(path: Path) -> str:
    """Return a path as it is typed from here."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def score_lines(document: dict[str, Any]) -> list[str]:
    """Return the score as a person reads it, every figure from the world's ledger."""
    ledger, record, timing = document["ledger"], document["record"], document["timing"]
    states = ", ".join(f"{one['label']} {one['state']}" for one in ledger["credentials"])
    parts = ", ".join(f"{name} {points:g}" for name, points in document["score"]["parts"].items())
    late = [row["template"] for row in document["notices"] if not row["on_time"]]
    punctual = f"late: {', '.join(late)}" if late else "all on time"
    verified = "verified" if record["verified"] else "DOES NOT VERIFY"
    repeated, lost = ledger["effects_repeated"], ledger["effects_lost"]
    agrees = (
        "agrees with the ledger" if record["agrees_with_ledger"] else f"DISAGREES: {'; '.join(record['disagreements'])}"
    )
    lines = [
        "",
        f"Score {document['score']['total']:g} of 100 ({parts})",
        "",
        "What the world saw, by its own ledger:",
        *_contained(ledger),
        f"  credentials             {states}; {ledger['sessions_open']} sessions open",
        *_replaced(ledger),
        f"  effects                 {ledger['effects']}, {repeated} repeated, {lost} lost",
        f"  order                   {'; '.join(ledger['order_violations']) or 'as it must be'}",
        f"  notices                 {len(document['notices'])} kinds, {punctual}",
        *_switched(document),
        f"  record                  {record['entries']} entries, {verified}, {agrees}",
    ]
    if document["faults"]:
        told = (
            f"{fault['name']}:{fault['where']} {'happened' if fault['happened'] else 'did not happen'}"
            for fault in document["faults"]
        )
        lines.append(f"  faults                  {', '.join(told)}; {record['restarts']} restarts")
    if document["slack"] is not None:
        lines.append(f"  slack                   {_at_slack(document['slack'])}")
    here, least = timing["wall_seconds"], timing["critical_path_seconds"]
    lines += [f"  time                    {here:.1f} s here, {least:.1f} s at the least", ""]
    return lines + [f"  {name:<12}{path}" for name, path in document["paths"].items()]


def _contained(ledger: dict[str, Any]) -> list[str]:
    """Return what ended the matter: the credential's end, or what else there was to do."""
    foreign, harmless = ledger["handed_over"], ledger["no_leak"]
    if foreign is not None:
        answer = "who has answered" if foreign["acknowledged"] else "who has NOT answered"
        return [
            f"  exposed for             {_span(foreign['shown_seconds'])}",
            f"  out of sight after      {_span(foreign['hidden_after_seconds'])} from when we knew",
            f"  told its owner after    {_span(foreign['told_after_seconds'])} from when we knew, {answer}",
            f"  carried to a system     {foreign['touched']} times",
        ]
    if harmless is not None:
        since = "before it was exposed" if harmless["dead_before"] else "NOT known from before it was exposed"
        return [f"  dead                    {since}", f"  changed at its issuer   {harmless['changes']} things"]
    served = ledger["public_requests_served_after_disable"]
    return [
        f"  exposed for             {_span(ledger['exposure_seconds'])}",
        f"  switched off after      {_span(ledger['disabled_after_seconds'])} from when we knew",
        f"  refused everywhere      {_span(ledger['dead_after_seconds'])} from when we knew",
        f"  served after that call  {served} requests of the public, until it had spread",
    ]


def _replaced(ledger: dict[str, Any]) -> list[str]:
    """Return who was given something new: people, services, or both."""
    told = []
    if ledger["holders"]:
        told.append(f"  tokens of their own     {ledger['issued']} of {ledger['holders']} holders")
    if ledger["consumers"]:
        moved = f"{ledger['consumers_moved']} of {ledger['consumers']} work with a new credential"
        outages = "" if ledger["outages"] is None else f"; {ledger['outages']} outages on the way"
        told.append(f"  consumers               {moved}{outages}")
    return told


def _switched(document: dict[str, Any]) -> list[str]:
    """Return which notices went another way than by what leaked, and whether anything was said with it all the same."""
    switches = [f"{row['template']} {told}" for row in document["notices"] for told in row["switched"]]
    said = document["ledger"]["said_with_leaked"]
    if not switches and not said:
        return []
    lines = [f"  channel switched        {told}" for told in switches]
    return [*lines, f"  said with what leaked   {f'{said} times' if said else 'nothing'} after we knew"]


def _at_slack(slack: dict[str, Any]) -> str:
    elsewhere = slack["answers_at_a_terminal"]
    told = [f"{slack['answers']} answers" + (f", {elsewhere} at a terminal" if elsewhere else "")]
    told += [f"{slack['lead']} leads", "postmortem shown" if slack["postmortem"] else "no postmortem"]
    return ", ".join([*told, "closed" if slack["closed"] else "not closed"])


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "not reached"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
