"""`responder`: the list of its commands, each imported when called, and what every call has in common."""

import gc
import importlib
import itertools
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from responder import __version__
from responder.cli.call import Call, Unwritten, current
from responder.cli.errors import refuse_credentials, show_defect, show_error, show_unwritten, show_usage
from responder.cli.exits import Exit, exit_for
from responder.errors import ResponderError

COMMANDS: dict[str, str] = {
    "init": "Write a commented responder.yaml, and an example playbook with its scenario.",
    "doctor": "Check the connections, their permissions, and the store.",
    "inventory": "Compare the inventory with what the providers say.",
    "drill": "Practise a playbook in a loopback world that misbehaves.",
    "playbook": "List, show, lint, test and draw playbooks.",
    "plan": "Show what a run would do; write nothing.",
    "run": "Respond to a leaked credential with a playbook.",
    "status": "Show the open runs, or one.",
    "watch": "Follow a run until it ends.",
    "approve": "Agree to what a step would change.",
    "decline": "Refuse what a step asks.",
    "decide": "Choose an option that a step offers.",
    "done": "Say that a task is done.",
    "resume": "Take a run up again after a crash or a stop.",
    "abort": "Let no further step of a run start.",
    "retry": "Let a failed or declined step start over.",
    "note": "Write a sentence onto the timeline.",
    "set": "Add a fact, or correct one.",
    "timeline": "Show the record of an incident.",
    "verify": "Check that the record is whole and unaltered.",
    "notice": "List, lint, preview and send notices.",
    "postmortem": "Render the review of an incident.",
    "close": "Close an incident, and shred its leaked values.",
    "slack": "Listen at Slack, and advance runs, until stopped.",
    "serve": "Take what people do at Slack as signed requests by HTTP, and advance runs, until stopped.",
    "worker": "Advance the runs of a shared record, beside other workers.",
    "store": "Check, migrate and copy the record.",
}
"""Every command, and what it is for; a command's own short help says the same."""

GROUPS = {
    "Prepare": ("init", "doctor", "inventory", "drill", "playbook"),
    "Respond": (
        "plan",
        "run",
        "status",
        "watch",
        "approve",
        "decline",
        "decide",
        "done",
        "resume",
        "abort",
        "retry",
        "note",
        "set",
    ),
    "Review": ("timeline", "verify", "notice", "postmortem", "close"),
    "Serve": ("slack", "serve", "worker"),
    "Keep": ("store",),
}


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep a global option in the call, wherever it stood."""
    call = ctx.find_object(Call)
    if call is None or value is None or value is False or param.name is None:
        return
    setattr(call, param.name, value)
    given = ctx.get_parameter_source(param.name)
    if param.name in {"config", "store"} and given is click.core.ParameterSource.COMMANDLINE:
        call.typed[param.name] = str(value)


def global_options(*, hidden: bool, environment: bool) -> list[click.Parameter]:
    """Return the options that may stand before or after a command."""

    def option(name: str, help_text: str, **more: Any) -> click.Option:
        variable = f"RESPONDER_{name.upper()}" if environment else None
        return click.Option(
            [f"--{name}"], help=help_text, envvar=variable, show_envvar=environment, expose_value=False,
            callback=_remember, hidden=hidden and name != "json", **more,
        )  # fmt: skip

    file = click.Path(dir_okay=False, path_type=Path)
    return [
        option(
            "config",
            "The configuration; else responder.yaml here or in the user's folder.",
            type=file,
            metavar="FILE",
        ),
        option(
            "store",
            "Where the record is kept: a file or postgresql://HOST/DATABASE; else in the user's state folder.",
            metavar="PLACE",
        ),
        option("json", "Print one JSON document.", is_flag=True),
        option("debug", "Show tracebacks and log records, without secrets.", is_flag=True),
    ]


class Command(click.Command):
    """A command that takes the global options too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += global_options(hidden=True, environment=False)


class Subgroup(click.Group):
    """A group of commands below one of ours."""

    command_class = Command


class Group(click.Group):
    """The commands, found by their file's name, and the one place where errors become sentences and codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click asks like this
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"responder.cli.{cmd_name}").command
        if not gc.isenabled():  # `main` said so, until here
            gc.freeze()
            gc.enable()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; for an unknown one, name the nearest."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib  # noqa: PLC0415 - only where it is needed

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`responder --help` lists them"
            raise click.UsageError(f"There is no command {args[0]!r} ({hint})", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands by what they are for, without importing any."""
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, COMMANDS[name]) for name in names])

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Answer one call, and leave with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        call = extra.setdefault("obj", Call())
        try:
            refuse_credentials(words)
            code = super().main(words, *rest, **extra)
        except ResponderError as error:
            call.json = call.json or _asks_for_json(words)
            with suppress(Unwritten):
                show_error(call, error, _details(call, error))
            code = exit_for(error)
        except click.ClickException as error:
            call.json = call.json or _asks_for_json(words)
            with suppress(Unwritten):
                show_usage(call, error)
            code = Exit.WRONG_INPUT
        except (KeyboardInterrupt, click.Abort):
            with suppress(Unwritten):
                call.say("Interrupted")
            code = Exit.INTERRUPTED
        except Unwritten as error:
            code = show_unwritten(call, error)
        except Exception as error:  # noqa: BLE001 - it is told, or raised again, below
            with suppress(Unwritten):
                show_defect(call, error, _details(call, error))
            code = Exit.DEFECT
        sys.exit(int(code) if isinstance(code, int) else Exit.OK)


def _asks_for_json(words: Sequence[str]) -> bool:
    """Tell whether `--json` was typed: where words are wrong, click may not have come to it."""
    return "--json" in itertools.takewhile(lambda word: word != "--", words)


def _details(call: Call, error: BaseException) -> str:
    """Return the traceback where it was asked for."""
    if not call.debug:
        return ""
    import traceback  # noqa: PLC0415 - only where it is needed

    return "".join(traceback.format_exception(error))


@click.group(
    cls=Group,
    invoke_without_command=True,
    params=global_options(hidden=False, environment=True),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 contained, or read; 1 not contained; 2 wrong input; 3 refused; 4 provider; "
    "5 unknown or unverified; 6 record; 7 waiting or detached; 130 interrupted.",
)
@click.version_option(__version__, prog_name="responder")
@click.pass_context
def group(ctx: click.Context) -> Exit | None:
    """Contain a leaked credential, prove that it is dead, and tell everyone who must know."""
    if ctx.invoked_subcommand is not None:
        return None
    from responder.cli.status import first_screen  # noqa: PLC0415 - only where it is needed

    return first_screen(current())
