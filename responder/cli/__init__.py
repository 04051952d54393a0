"""The command line: parse, call, print, exit code. One file per command, imported when it is called."""

import atexit
import gc
import importlib
import os
import sys
import threading
from types import ModuleType

from responder.stack import roomy


@roomy  # some hundred times, a command would ask the system for memory and give it back
def main() -> None:
    """Run the command that was typed, and leave with its exit code."""
    # What imports make stays for good. To look through it for garbage takes long, and finds none: `Group` begins with
    # it when the command is imported.
    gc.disable()
    _let_no_plugin_in()
    from responder.cli.group import group  # noqa: PLC0415 - only where it is needed

    try:
        group.main(prog_name="responder")
    except SystemExit as end:
        _leave(end.code)
        raise


def _let_no_plugin_in() -> None:
    """Let no plugin of another package look into our models, which hold secrets, unless the user says otherwise."""
    if os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__") == "__all__":
        none = _NoPlugins("pydantic.plugin._loader")
        sys.modules[none.__name__] = none


class _NoPlugins(ModuleType):
    """What stands for the module in which pydantic looks for plugins, which takes long to import."""

    get_plugins = tuple

    def __getattr__(self, name: str) -> object:
        """Let that module itself answer whatever else is asked of it."""
        if name.startswith("__"):  # imports ask for such, and do without
            raise AttributeError(name)
        del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def _leave(code: object) -> None:
    """End the process, all its output written. Return where Python's own end has more to do than to free memory.

    A thread that is still at work is waited for by Python, as is a profiler; what cannot be written is told by it.
    """
    others = [one for one in threading.enumerate() if one is not threading.main_thread()]
    if not isinstance(code, int) or not all(one.daemon for one in others) or sys.getprofile() is not None:
        return
    atexit._run_exitfuncs()  # noqa: SLF001 - what was registered is done, by us or by Python
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # it was closed before we began
                stream.flush()
    except (OSError, ValueError):
        return
    os._exit(code)  # to take every module and model apart first takes as long as a run of a few steps
