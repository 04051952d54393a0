"""The world's own account of what happened: one line a request or effect, with labels and never a value."""

import contextlib
import json
import os
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from responder.clock import Clock
from responder.drill.world.values import SECRET_SHAPE


@dataclass(frozen=True)
class Effect:
    """Something that changed: what kind, which one (`key`), and for whom or where (`subject`)."""

    kind: str
    key: str
    subject: str
    facts: dict[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """Return the effect as the ledger keeps it."""
        return {"kind": self.kind, "key": self.key, "subject": self.subject, **self.facts}


@dataclass(frozen=True)
class Line:
    """One request, or one effect without a request of its own."""

    system: str
    method: str = ""
    path: str = ""
    actor: str = "responder"
    run: str | None = None
    step: str | None = None
    credential: str | None = None
    """The label of the credential that was presented."""
    carried: tuple[str, ...] = ()
    """Labels of every token that the request held anywhere, its body and path included."""
    status: int = 0
    outcome: str = ""
    write: bool = False
    began: datetime | None = None


def shown_time(moment: datetime) -> str:
    """Return a moment as the ledger keeps it: ISO, UTC, microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class Labels:
    """Knows every secret value by its label, and keeps them in `secrets.json`, the only place in clear."""

    def __init__(self, path: Path, values: dict[str, str], watched: re.Pattern[str] = SECRET_SHAPE) -> None:
        self._path = path
        self._watched = watched
        self._values = dict(values)
        self._labels: dict[str, str] = {}
        for label, value in values.items():
            self._labels.setdefault(value, label)
        self._lock = threading.Lock()
        self._write()

    def __getitem__(self, label: str) -> str:
        return self._values[label]

    def add(self, new: dict[str, str]) -> None:
        """Keep further values, in memory and in the file."""
        with self._lock:
            self._values.update(new)
            self._labels.update({value: label for label, value in new.items()})
            self._write()

    def of(self, value: str | None) -> str | None:
        """Return the label of a presented value; `unknown` where it is none of ours, None where none was."""
        return self._labels.get(value, "unknown") if value else None

    def within(self, text: str) -> tuple[str, ...]:
        """Return the labels of every known token in a text, in order, each once."""
        found = (self._labels.get(match.group()) for match in self._watched.finditer(text))
        return tuple(dict.fromkeys(label for label in found if label))

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self._values, file, indent=0)
        fresh.replace(self._path)


class Ledger:
    """Appends lines to `ledger.jsonl`, each flushed before the answer to its request leaves."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8")
        self._count = 0

    @property
    def count(self) -> int:
        """How many lines were written."""
        return self._count

    def write(self, line: Line, *effects: Effect) -> None:
        """Append the line with its first effect, and a line for each further effect of the same request."""
        with self._lock:
            if self._file.closed:
                return
            text = "".join(self._rendered(line, effect) for effect in (effects or (None,)))
            self._file.write(text)
            self._file.flush()

    def close(self) -> None:
        """Flush to the disk and end; later lines are dropped."""
        with self._lock, contextlib.suppress(ValueError):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def _rendered(self, line: Line, effect: Effect | None) -> str:
        self._count += 1
        now = self._clock.now()
        kept = {
            "n": self._count,
            "time": shown_time(now),
            "began": shown_time(line.began or now),
            "real": time.time(),
            "system": line.system,
            "method": line.method,
            "path": line.path,
            "actor": line.actor,
            "run": line.run,
            "step": line.step,
            "credential": line.credential,
            "carried": line.carried,
            "status": line.status,
            "outcome": line.outcome,
            "write": line.write,
            "effect": effect.shown() if effect else None,
        }
        return json.dumps(kept, ensure_ascii=False) + "\n"
