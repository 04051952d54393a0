"""The drill world: loopback systems with odd rules, their people, and a ledger of all that happened."""

from datetime import timedelta
from typing import Self

from responder.clock import ScaledClock
from responder.drill.faults import check_places
from responder.drill.scenes import scene_called
from responder.drill.world.control import Control
from responder.drill.world.ledger import Labels, Ledger, shown_time
from responder.drill.world.mail import MailSink
from responder.drill.world.slack import Slack
from responder.drill.world.spec import WorldSpec
from responder.drill.world.system import Ground, System
from responder.drill.world.trouble import Trouble
from responder.drill.world.values import Inventory, inventory_of, values_of

__all__ = ["Inventory", "World", "WorldSpec", "inventory_of", "values_of"]


class World:
    """All systems and people of a drill; they start on entering its context and end on leaving it.

    Without `clock`, the clock of the specification's file is used. Raises InputError for a fault that is not
    understood, and OSError for a folder that cannot be written.
    """

    def __init__(self, spec: WorldSpec, clock: ScaledClock | None = None) -> None:
        faults = spec.parsed_faults()
        self.scene = scene_called(spec.scene)
        check_places(faults, self.scene.places)
        spec.dir.mkdir(parents=True, exist_ok=True)
        clock = clock or ScaledClock.load(spec.clock)
        self.ground = Ground(
            spec=spec,
            clock=clock,
            ledger=Ledger(spec.dir / "ledger.jsonl", clock),
            labels=Labels(spec.dir / "secrets.json", self.scene.values(spec.seed, spec.holders), self.scene.watched),
            trouble=Trouble(faults, clock),
            inventory=inventory_of(spec.seed, spec.holders),
        )
        self._build()

    @property
    def urls(self) -> dict[str, str]:
        """Where each system is, by its name; `slack` ends in `/api/`."""
        return self.ground.urls

    @property
    def exposed_at(self) -> str:
        """When what leaked was published, as the ledger shows times."""
        before = timedelta(seconds=self.ground.inventory.exposed_before_seconds)
        return shown_time(self.ground.clock.origin - before)

    def ready(self) -> dict[str, object]:
        """Return what the process prints when everything listens."""
        smtp = {"host": "127.0.0.1", "port": self.mail.door.port}
        return {**self.urls, "smtp": smtp, "exposed_at": self.exposed_at}

    def __enter__(self) -> Self:
        for system in self.systems:
            system.open()
        self.mail.open()
        for actor in self.cast.actors:
            actor.start()
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self.cast.actors:
            actor.stop()
        for system in self.systems:
            system.close()
        self.mail.close()
        self.ground.ledger.close()

    def _build(self) -> None:
        ground = self.ground
        self.slack, self.mail = Slack(ground), MailSink(ground)
        self.cast = self.scene.populate(ground)
        self.cast.meet(self.slack)
        self.mail.listeners.extend(self.cast.listeners)
        outside: list[System] = [*self.cast.systems, self.slack]
        ground.inner.update({system.name: system.inner.port for system in outside})
        self.control = Control(ground, self.cast, self.mail, self.slack)
        self.systems = [*outside, self.control]
        for system in self.systems:
            suffix = "/api/" if system is self.slack else ""
            ground.urls[system.name] = f"http://127.0.0.1:{system.door.port}{suffix}"
