"""`responder slack`: listen at Slack, and print the manifest of its app."""

import json
import signal
import threading
from typing import TYPE_CHECKING

import click

from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.group import Command, Subgroup, global_options
from responder.errors import RequestError
from responder.settings import Slack, load_settings

if TYPE_CHECKING:
    from responder.slack.reception import Reception


_DOCTOR = "Questions are open in a terminal, too; `responder doctor` looks at the tokens."


@click.group("slack", cls=Subgroup, invoke_without_command=True, params=global_options(hidden=True, environment=False))
@click.pass_context
def command(ctx: click.Context) -> Exit | None:
    """Listen at Slack, and advance runs, until stopped.

    Connects by Socket Mode: no address of ours has to be reached from outside. `responder serve` takes signed
    requests instead. People begin, decide, approve, follow, hand over and close from there, with the same rules as
    in a terminal; runs that nobody else advances go on here.
    """
    if ctx.invoked_subcommand is not None:
        return None
    return listen(current(), address="")


@command.command("manifest", cls=Command)
@click.option("--url", default="", metavar="URL", help="Where Slack reaches `responder serve`; else for Socket Mode.")
@click.option("--reasons", is_flag=True, help="Say what each permission is for instead.")
def manifest_command(url: str, *, reasons: bool) -> Exit:
    """Print the manifest of the Slack app, to be pasted where Slack makes apps."""
    from responder.slack.manifest import SCOPES, manifest  # noqa: PLC0415 - only where it is needed

    call = current()
    if reasons and not call.json:
        call.out("\n".join(f"{name:<18} {why}" for name, why in SCOPES.items()))
        return Exit.OK
    slack = load_settings(call.config_path()).slack or Slack()
    made = manifest(slack, url)
    call.out(json.dumps({**made, "reasons": SCOPES} if reasons else made, indent=2, ensure_ascii=False))
    return Exit.OK


def listen(call: Call, address: str) -> Exit:
    """Listen until SIGTERM or SIGINT: by Socket Mode, or at an address by HTTP."""
    try:
        from responder.slack.reception import Reception  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        where = error.name or "slack_bolt"
        raise RequestError(
            "What speaks to Slack is not installed", where=where, remedy="pip install 'responder[slack]'"
        ) from None
    stopping = threading.Event()
    with call.open() as app:
        app.check_secrets()
        reception = Reception(app)
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopping.set())
            where = _begin(reception, address)
            call.say(f"Listening at {where}. Ctrl-C ends it; what is open goes on where it is begun again.")
            _until(stopping, call, reception)
        finally:
            reception.close()
    return Exit.OK


def _begin(reception: "Reception", address: str) -> str:
    """Begin to listen; return where."""
    if not address:
        reception.listen()
        reception.start()
        return "Slack, by Socket Mode"
    host, _, port = address.rpartition(":")
    where = reception.serve(host or "127.0.0.1", int(port))
    reception.start()
    return f"{where}, behind whatever holds the certificate"


def _until(stopping: threading.Event, call: Call, reception: "Reception") -> None:
    """Wait until stopped; say when Slack is not heard or takes nothing, or a run stands still, and when it is over."""
    told, deaf, still, silent = "", "", "", list[str]()
    while not stopping.wait(1.0):
        why = reception.deaf
        if bool(why) != bool(deaf):
            call.say(f"Nobody at Slack is heard: {why}. {_DOCTOR}" if why else "Slack is heard again.")
        deaf = why
        trouble = reception.keeper.trouble
        if bool(trouble) != bool(told):
            call.say(f"Slack does not take what is said: {trouble}" if trouble else "Slack takes what is said again.")
        told = trouble
        stands = reception.tender.trouble
        if bool(stands) != bool(still):
            tried = f"A run does not go on here, and is tried again: {stands}"
            call.say(tried if stands else "Runs go on again.")
        still = stands
        for line in reception.keeper.silent:
            if line not in silent:
                call.say(f"Nothing is said in the channel, and people are asked by mail: {line}")
        silent = reception.keeper.silent
