"""Messages to people as steps of a playbook: rendered from a template, approved by their text, then sent."""

from typing import Any, ClassVar

from pydantic import Field

from responder.action import Action, Effect


class SendNotice(Action):
    """Tell people something, in the words of a template.

    Every field of the template gets its value from `fields`, from the facts that people set, or from the
    template's own source; a blank one stops the step. The text is rendered before anybody is asked.
    An approval signs its digest, and exactly that text is sent.
    """

    name: ClassVar[str] = "notice.send"
    effect: ClassVar[Effect] = Effect.MESSAGE
    idempotent: ClassVar[bool] = False

    template: str
    """The name of the template, like `contributor-notice`."""
    to: Any
    """An address, somebody with an `email` (a holder, a person), or a `#channel`."""
    fields: dict[str, Any] = Field(default={})
    """Values for the template's fields, where facts and the template's own sources do not give them."""


class DraftNotice(Action):
    """Write a text that a person then sends: a takedown request, or whatever we never send by ourselves.

    The finished text is kept with the incident; nothing leaves.
    """

    name: ClassVar[str] = "notice.draft"
    effect: ClassVar[Effect] = Effect.READ

    template: str
    """The name of the template, like `takedown-request`."""
    fields: dict[str, Any] = Field(default={})
    """Values for the template's fields, where facts and the template's own sources do not give them."""


ACTIONS: tuple[type[Action], ...] = (SendNotice, DraftNotice)
"""What playbooks can ask for; the runner turns each into an action of the channel."""
