"""Who clicked: a team and a user of Slack, and the person of responder.yaml for whom they speak."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from responder.errors import RequestError
from responder.settings import Settings
from responder.slack.speaker import Later, Refused, Speaker


@dataclass(frozen=True)
class Somebody:
    """Somebody at Slack."""

    user: str
    """Their Slack id."""
    team: str
    person: str
    """The id of a person of responder.yaml; empty where they are none of them."""


def somebody(body: Mapping[str, Any], settings: Settings, team: str) -> Somebody:
    """Return who is behind a payload; `team` is the workspace that ours is.

    A user id means nothing without its team: in a shared channel somebody of another workspace may have the same.
    """
    given = body.get("user")
    user: Mapping[str, Any] = given if isinstance(given, Mapping) else {"id": given or body.get("user_id")}
    found = str(user.get("id") or "")
    theirs = str(user.get("team_id") or body.get("team_id") or (body.get("team") or {}).get("id") or "")
    person = next((name for name, one in settings.people.items() if one.slack and one.slack == found), "")
    return Somebody(found, theirs, person if theirs == team else "")


def checked(one: Somebody, speaker: Speaker) -> str:
    """Return the person who may decide. RequestError for strangers, and for whom Slack does not know as one of us now.

    Whether somebody still is is asked anew for each decision: an account that was closed decides nothing.
    """
    if not one.person:
        raise RequestError(
            "Your Slack account speaks for nobody in responder.yaml; you may only look",
            where=one.user,
            remedy="set `slack:` of a person to this id",
        )
    try:
        user = speaker.read("users.info", user=one.user).get("user") or {}
    except Refused as refused:
        raise RequestError(f"Slack does not say who you are: {refused.code}", where=one.user) from None
    except Later:
        raise RequestError(
            "Slack does not say now who you are; nothing was written",
            where=one.user,
            remedy="try again, or use a terminal",
        ) from None
    if user.get("deleted") or user.get("is_stranger") or user.get("is_restricted"):
        raise RequestError("Your Slack account is closed, or that of a guest: it decides nothing", where=one.user)
    return one.person
