"""The cast of a Hub token that our own Space shows: the Hub, our services, and strangers who change something."""

import dataclasses
import json
import string
from collections.abc import Sequence

from responder.drill.world.hub import Hub
from responder.drill.world.leak import Leak, bearing
from responder.drill.world.system import Ground
from responder.drill.world.values import drawn

_LETTERS = 34


class SpaceLeak(Leak):
    """A token of our bot, in the code of a Space of ours."""

    def __init__(self, ground: Ground, leaked: str, *, services: Sequence[str]) -> None:
        self.hub = Hub(ground)
        space = self.hub.spaces[ground.inventory.own_space]
        shown = {"app.py": f"TOKEN = {json.dumps(ground.labels[leaked])}\nprint('demo')\n"}
        space.commits[0] = dataclasses.replace(space.commits[0], files=shown)
        # What strangers did with it stands in our organisation's log, as far as it was a change there.
        by_bot = next(each for each in self.hub.accounts if each.label == leaked)
        self.hub.front.note(self.hub.organisation, "repo.create", by_bot)
        super().__init__(
            ground, [self.hub], services=dict.fromkeys(services, leaked), leaked=[leaked], accepts=self.hub.accepts,
            names=lambda label: label, use=bearing(ground.labels[leaked], "/api/whoami-v2"), makes=self._make,
        )  # fmt: skip

    def _make(self, service: str) -> str:
        """Make a token for a service, on the Hub's page."""
        label = f"{service}-token"
        value = "hf_" + drawn(self.ground.spec.seed, label, _LETTERS, string.ascii_letters)
        self.ground.labels.add({label: value})
        with self.hub.lock:
            self.hub.add_token(label, service, "read", "read")
        return self.made(label, service)
