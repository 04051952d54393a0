"""The command line: parse, call, print, exit code. One file per command, imported when it is called."""

import gc
import os


def main() -> None:
    """Run the command that was typed, and leave with its exit code."""
    # What imports make stays for good. To look through it for garbage takes long, and finds none: `Group` begins with
    # it when the command is imported.
    gc.disable()
    # No plugin of another package looks into our models, which hold secrets; looking for plugins takes long, too.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from responder.cli.group import group  # noqa: PLC0415 - only where it is needed

    group.main(prog_name="responder")
