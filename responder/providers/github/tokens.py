"""A leaked token: whose it is, what it reaches, ending it, and whether it is still taken."""

from collections.abc import Mapping
from typing import Any, Literal

from responder.credential import Probe
from responder.errors import ProviderError, Unavailable
from responder.providers.github.client import FORBIDDEN, INVALID, MISSING, OK, REFUSED, Client, part
from responder.providers.github.options import Seen
from responder.providers.github.permissions import ANYBODY, APP_SECRET, NONE
from responder.redaction import Secret

_KINDS = ("github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_")
_REVOKED_BY_ANYBODY = frozenset({"ghp_", "github_pat_", "gho_", "ghu_", "ghr_"})
_REVOKED_ON_A_SERVER = frozenset({"ghp_", "github_pat_"})
_OF_APPS = frozenset({"gho_", "ghu_"})
_DEAD = "Bad credentials"
_ANSWERS = frozenset({REFUSED, FORBIDDEN, MISSING, 429, *range(500, 600)})
_MOST_SHOWN = 100

SURFACES: Mapping[str, str] = {"user": "/user", "limits": "/rate_limit"}
"""Where a token is presented: one that has a user to the first; an installation's, which has none, to the second."""
APP_SURFACE = "app"
"""Where our OAuth app asks whether a token is one of its own; GitHub counts no failed sign-in there."""


def kind_of(client: Client, token: Secret) -> str:
    """Return what a token's value begins with; empty where it is no token of today's GitHub."""
    return client.access.wire.with_value(token, lambda v: next((kind for kind in _KINDS if v.startswith(kind)), ""))


def look(client: Client, token: Secret) -> Seen:
    """Ask what a token is, once. A refresh token cannot be asked about: to use it is to change it.

    Whoever uses up a token's own quota is answered 403: that leaves it `unknown`, and does not keep us from ending it.
    """
    kind = kind_of(client, token)
    if kind == "ghr_":
        return Seen("unknown")
    if kind == "ghs_":
        return _installation(client, token)
    answer = client.send("GET", "/user", bearer=token, expect=_ANSWERS)
    state = _state(answer.status, answer)
    if state != "live":
        return Seen(state, answer.status)
    owner = str((answer.json() or {}).get("login", ""))
    scopes = [one.strip() for one in answer.headers.get("x-oauth-scopes", "").split(",")]
    reach = (owner, *(f"scope {one}" for one in scopes if one))
    expires_at = answer.headers.get("github-authentication-token-expiration", "")
    of_app = client.options.client_id and kind in _OF_APPS
    key_id = _checked(client, token).key_id if of_app else ""  # only the app that it was given to sees one
    return Seen("live", OK, owner, reach, expires_at, key_id)


def probe(client: Client, surface: str, token: Secret) -> Probe:
    """Present a token at one place, once; everything but acceptance and the plain refusal is unknown."""
    if kind_of(client, token) == "ghr_":
        return Probe.UNKNOWN
    if surface == APP_SURFACE:
        state = _checked(client, token).state
    else:
        answer = client.send("GET", SURFACES[surface], bearer=token, expect=_ANSWERS)
        state = _state(answer.status, answer)
    return {"live": Probe.ACCEPTED, "dead": Probe.REFUSED}.get(state, Probe.UNKNOWN)


def surfaces_of(client: Client, token: Secret) -> tuple[str, ...]:
    """Return the places where a token could be taken."""
    kind = kind_of(client, token)
    if kind == "ghs_":
        return ("limits",)
    return ("user", APP_SURFACE) if client.options.client_id and kind in _OF_APPS else ("user",)


def revocable(client: Client, token: Secret) -> str:
    """Return the token's kind. ProviderError where nobody can end such a one here."""
    kind = kind_of(client, token)
    if client.access.secret == token:
        raise ProviderError(
            "It is the token that we act with", remedy="give the connection another one, then plan again"
        )
    if kind == "ghs_":
        return kind
    if client.options.client_id:
        # To the app, a dead token and one of somebody else's app look the same: 404.
        if kind not in _OF_APPS or _checked(client, token).state == "dead":
            raise ProviderError(
                f"It is no token of the app {client.options.client_id}, or no more",
                remedy="use a connection without `client_id`: whoever knows such a token may revoke it",
            )
        return kind
    allowed = _REVOKED_ON_A_SERVER if client.options.is_enterprise_server else _REVOKED_BY_ANYBODY
    if kind not in allowed:
        raise ProviderError(
            "GitHub revokes no such token by its value",
            where=client.options.base_url,
            remedy=f"it does so for {', '.join(sorted(allowed))}; its owner can end it in their settings",
        )
    return kind


def revoke(client: Client, token: Secret) -> int:
    """Ask for a token's end in the way that there is for its kind, and return the status, which proves nothing."""
    kind = kind_of(client, token)
    if client.options.client_id and kind in _OF_APPS:
        path = f"/applications/{part(client.options.client_id)}/token"
        gone = frozenset({MISSING, INVALID})
        sent = client.send(
            "DELETE",
            path,
            basic=client.our_basic(),
            permission=APP_SECRET,
            write=True,
            body={"access_token": token},
            expect=gone,
        )
        return sent.status
    if kind == "ghs_":
        # Only the token itself can ask for this; a 401 is what a dead one gets.
        refused = frozenset({REFUSED})
        return client.send(
            "DELETE", "/installation/token", bearer=token, permission=NONE, write=True, expect=refused
        ).status
    # On github.com whoever signs in is refused (403); on a server of one's own whoever does not.
    bearer = client.our_token() if client.options.is_enterprise_server else None
    body = {"credentials": [token]}
    return client.send("POST", "/credentials/revoke", bearer=bearer, permission=ANYBODY, write=True, body=body).status


def _checked(client: Client, token: Secret) -> Seen:
    """Ask as the OAuth app that the token was given to; 404 says that it is none of the app's, or no more."""
    path = f"/applications/{part(str(client.options.client_id))}/token"
    expect = frozenset({FORBIDDEN, MISSING, INVALID, 429, *range(500, 600)})
    # A POST that changes nothing: the value goes into the body so that it stands in no log.
    answer = client.send(
        "POST", path, basic=client.our_basic(), permission=APP_SECRET, body={"access_token": token}, expect=expect
    )
    if answer.status == MISSING:
        return Seen("dead", MISSING)
    if answer.status != OK:
        return Seen("unknown", answer.status)
    return Seen("live", OK, key_id=str((answer.json() or {}).get("id") or ""))


def _installation(client: Client, token: Secret) -> Seen:
    """Ask what an installation's token reaches: it has no user, and whoever asks for one is refused (403)."""
    answer = client.send("GET", "/installation/repositories?per_page=100", bearer=token, expect=_ANSWERS)
    state = _state(answer.status, answer)
    if state != "live":
        return Seen(state, answer.status)
    found = (answer.json() or {}).get("repositories") or ()
    owner = str(next(((one.get("owner") or {}).get("login", "") for one in found), ""))
    return Seen("live", OK, owner, tuple(str(one.get("full_name", "")) for one in found)[:_MOST_SHOWN])


def _state(status: int, answer: Any) -> Literal["live", "dead", "unknown"]:
    """Read a state out of an answer. 403 is a suspended user, a policy, an address that is not allowed: no death."""
    if status == OK:
        return "live"
    if status != REFUSED:
        return "unknown"
    try:
        told = answer.json()
    except Unavailable:  # a proxy answers in GitHub's place
        return "unknown"
    return "dead" if isinstance(told, dict) and told.get("message") == _DEAD else "unknown"
