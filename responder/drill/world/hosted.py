"""The cast of a leak at a code host: programs that read Actions secrets, which nobody else can read."""

from collections.abc import Callable, Mapping
from typing import Any

from responder.drill.world.fleet import Judgement, Stored
from responder.drill.world.github import GitHub
from responder.drill.world.leak import Leak
from responder.drill.world.system import Ground


class Hosted(Leak):
    """A leak at a code host; `places` are the secrets that each program reads: the repository, and the name."""

    def __init__(self, ground: Ground, host: GitHub, places: Mapping[str, tuple[str, str]], **more: Any) -> None:
        self._host, self._places = host, places
        super().__init__(ground, [host], accepts=host.accepts, **more)

    def judge(self, value: str) -> Judgement:
        """Say whether the host takes a token, or a private key over SSH, now."""
        with self._host.lock:
            opened = self._host.deploy_keys.opens(value) if value.startswith("-----") else ""
        return Judgement(True, opened) if opened else super().judge(value)

    def _reading(self, name: str) -> Callable[[], Stored | None]:
        place = self._places[name]

        def read() -> Stored | None:
            kept = self._host.boxes.kept.get(place)
            return Stored(kept.value, kept.changed_at) if kept and kept.value else None

        return read
