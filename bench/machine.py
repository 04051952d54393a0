"""On what it was measured: cores and versions, no names."""

import os
import platform
import sqlite3
from datetime import UTC, datetime

from bench.peers import installed


def facts() -> dict[str, str]:
    """Return what a reader must know to repeat it."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": _postgresql() or "none",
        "ansible-core": installed("ansible_core") or "none",
        "Prefect": installed("prefect") or "none",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _postgresql() -> str:
    """Return the version of the server that the tests, and these measurements, start for themselves."""
    import subprocess  # noqa: PLC0415 - only where it is needed

    import postgresql  # type: ignore[import-not-found]  # noqa: PLC0415 - in tests, whose folder is on the path by now

    folder = postgresql._binaries()  # noqa: SLF001 - nobody else knows where it is
    if folder is None:
        return ""
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    return next((word for word in told.split() if word[:1].isdigit()), "")
