"""A scene: a world for a playbook, and what a team there would have written down before anything happened."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.world.cast import Cast
from responder.drill.world.system import Ground
from responder.drill.world.values import SECRET_SHAPE, Leaked
from responder.errors import RequestError
from responder.finding import Exposure

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.playbook import Playbook
    from responder.state import RunState
    from responder.unit import Ask


class Scene(ABC):
    """One kind of leak. The world's process uses `values` and `populate`, the drill all the rest."""

    playbook: ClassVar[str]
    """The playbook that is practised here."""
    title: ClassVar[str]
    """What happened, in a sentence, as whoever reports it would say."""
    places: ClassVar[frozenset[str]]
    """The systems that faults can strike."""
    secrets: ClassVar[Mapping[str, str]]
    """The environment variables of the runner, and the world's labels of what they hold."""
    leaked: ClassVar[str]
    """The label of the value that is reported."""
    watched: ClassVar[re.Pattern[str]] = SECRET_SHAPE
    """What the values of this scene look like, to find them where they should not be."""
    was_dead: ClassVar[bool] = False
    """Whether it was dead before it was exposed: a report of no leak, for which nothing is ended."""
    holders: ClassVar[bool] = False
    """Whether many people hold the credential."""
    libraries: ClassVar[Mapping[str, str]] = {}
    """The modules that are needed here besides the usual ones, and the extras of ours that bring them."""

    def check_installed(self, find: Callable[[str], object] = find_spec) -> None:
        """Raise RequestError where something is not installed that a drill in this scene needs."""
        missing = [name for name in self.libraries if find(name) is None]
        if missing:
            extras = ",".join(dict.fromkeys(self.libraries[name] for name in missing))
            raise RequestError(
                f"What a drill of {self.playbook} needs is not installed",
                where=", ".join(missing),
                remedy=f"pip install 'responder[{extras}]'",
            )

    # The world --------------------------------------------------------------------------------------------------

    @abstractmethod
    def values(self, seed: int, holders: int) -> dict[str, str]:
        """Return every secret value by its label: a function of the seed."""

    @abstractmethod
    def populate(self, ground: Ground) -> Cast:
        """Make the systems, and those who use them."""

    # What was written down --------------------------------------------------------------------------------------

    @abstractmethod
    def settings(self, stage: "Stage", *, live: bool) -> dict[str, Any]:
        """Return responder.yaml as this team would have written it."""

    @abstractmethod
    def exposure(self, stage: "Stage") -> Exposure:
        """Return where the value was seen, without the time."""

    def key_id(self, stage: "Stage") -> str:
        """Return the id that the report names beside the value; empty where it names none."""
        return ""

    def inputs(self, stage: "Stage") -> Mapping[str, Any]:
        """Return what is known of a playbook's inputs."""
        return {}

    def opens(self, playbook: "Playbook") -> Sequence[str]:
        """Return the playbooks of the runs that are opened here for what a playbook's steps find."""
        return ()

    # What people do ---------------------------------------------------------------------------------------------

    def choice(self, state: "RunState", ask: "Ask") -> str:
        """Return the option that somebody chooses."""
        return next(iter(ask.options))

    def act(self, state: "RunState", ask: "Ask", person: str) -> tuple[str, Mapping[str, Any]] | None:
        """Return what a person does in the world for a task or a decision: a path of its side door, and a body."""
        return None

    def report(self, state: "RunState", ask: "Ask") -> str:
        """Return what a person says of a task for which there is nothing to do in the world."""
        return "looked at it, and it works" if "at work" in ask.text else "done as asked"

    # What is scored ---------------------------------------------------------------------------------------------

    @abstractmethod
    def all_leaked(self, stage: "Stage", state: "RunState") -> Sequence[Leaked]:
        """Return the leaked values that the playbook can come to know, and the systems that accept them."""

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return the effects that a finished drill must show."""
        return ()

    def hides(self, stage: "Stage") -> Expected | None:
        """Return what takes the place out of sight where the credential is somebody else's; None where it is ours."""
        return None

    def evidence_path(self, stage: "Stage") -> str:
        """Return the path of the page that must be kept; empty where there is none."""
        return ""
