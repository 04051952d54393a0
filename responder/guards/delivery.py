"""Delivery: no secret is put into a place that is public, client-side, or where one was just found."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import BaseModel

from responder.errors import Problem
from responder.finding import Exposure
from responder.guards.carried import handed_over
from responder.guards.case import Case
from responder.settings import Consumer

_REMEDY = "name another place in `consumers`: a secret store that outsiders cannot read, away from the exposure"


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse to hand a secret over to where outsiders can read, or could."""
    if not handed_over(case):
        return
    from responder.credential import Deliver  # noqa: PLC0415 - only where a secret is handed over

    action = case.resolved.action
    consumer = action.consumer if isinstance(action, Deliver) else None
    if consumer is not None:
        yield from _declared(consumer)
    for place in _places(action, consumer):
        for exposure in case.state.standing.exposures:
            if in_exposure(place, exposure, str(case.resolved.connection.options.get("base_url", ""))):
                seen = exposure.url or exposure.place
                yield Problem(f"the credential was found in this very place: {seen}", f"{case.place}: {place}", _REMEDY)


def _declared(consumer: Consumer) -> Iterator[Problem]:
    """Yield what responder.yaml itself says against a consumer."""
    place = f"consumer {consumer.id}"
    if consumer.kind != "server":
        told = {"client": "runs at its users, who can read what it holds", "public": "can be read by anybody"}
        yield Problem(f"the place {told[consumer.kind]}", place, _REMEDY)
    if consumer.exposed:
        yield Problem("the place is exposed, as responder.yaml says", place, _REMEDY)


def _places(action: BaseModel, consumer: Consumer | None) -> list[str]:
    """Return the names of the places to which an action hands something over."""
    if consumer is not None:
        return [consumer.secret, consumer.id]
    values = [getattr(action, name) for name in type(action).model_fields]
    return [value for value in values if isinstance(value, str) and "/" in value.strip("/")]


def in_exposure(place: str, exposure: Exposure, base_url: str = "") -> bool:
    """Tell whether an exposure lies in a place: it is called so, or its address leads through the place.

    A name of one word counts only on the host that `base_url` names, or the whole host is exposed.
    """
    if exposure.place and exposure.place in {place, place.partition(":")[0]}:
        return True
    url, system = urlsplit(exposure.url.casefold()), urlsplit(base_url.casefold())
    if not url.netloc:
        return False
    same_host = bool(system.netloc) and url.netloc == system.netloc
    path = [part for part in url.path.split("/") if part]
    if same_host and not path:
        return True
    words = [part for part in place.partition(":")[0].casefold().split("/") if part]
    through = any(path[start : start + len(words)] == words for start in range(len(path)))
    return bool(words) and through and (same_host or len(words) > 1)
