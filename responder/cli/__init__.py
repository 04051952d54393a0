"""The command line: parse, call, print, exit code. One file per command, imported when it is called."""


def main() -> None:
    """Run the command that was typed, and leave with its exit code."""
    from responder.cli.group import group  # noqa: PLC0415 - only where it is needed

    group.main(prog_name="responder")
