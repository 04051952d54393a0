"""The Hub's API: who a token is, what a Space is, and what its commits hold."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from responder.action import Access, Identity
from responder.answer import Response
from responder.durations import Duration, duration
from responder.errors import Denied, Unavailable
from responder.redaction import Secret
from responder.settings import BaseUrl

_MISSING = 404
_MOST_PAGES = 50
_NEXT = re.compile(r'<([^<>]+)>;\s*rel="?next"?')
_REFUSED = 401
_UNPAID = 402
_ACCEPTED = 200
ADMIN = "admin of the organisation"
_WHOAMI_ANSWERS = frozenset({401, 403, 429, *range(500, 600)})

Repository = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", max_length=200)]
"""`owner/name`."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*$", max_length=100)]
"""A user or an organisation, as the Hub's addresses name them."""


class Options(BaseModel):
    """A connection to the Hugging Face Hub; its secret is a token of ours, never the leaked one."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: BaseUrl = "https://huggingface.co"
    propagation: Duration = duration("10s")
    """How long a revoked token may still be taken; the Hub says: not at all."""
    pace: Duration = duration("5s")
    """The least time between two questions who a token is: the Hub limits them strictly."""
    organization: Name | None = None
    """The organisation whose audit log tells what was done with a leaked token; without one, `credential.used` and
    `credential.consumers` are not offered."""


class Seat(BaseModel):
    """What the Hub says about a token in one organisation of its owner."""

    name: str
    role: str = "member"
    restrictions: tuple[str, ...] = ()
    """Why it reaches nothing there: `mfa`, `token-policy`, `token-revoked`, `sso`, `ip`."""

    @property
    def is_shut_out(self) -> bool:
        """Whether the organisation has revoked the token for itself; every other restriction can end by itself."""
        return "token-revoked" in self.restrictions


class WhoIs(BaseModel):
    """What the Hub says about a token."""

    state: Literal["live", "dead", "unknown"]
    """`dead` only after a 401; `unknown` counts as live."""
    status: int
    name: str = ""
    token_name: str = ""
    role: str = ""
    reach: tuple[str, ...] = ()
    """What the token reaches: `entity: permission` where it is fine-grained, else user and organisations."""
    seats: tuple[Seat, ...] = ()
    retry_after: float = 0.0

    def seat(self, organization: str) -> Seat | None:
        """Return what is said of one organisation; None where the Hub does not list it."""
        return next((one for one in self.seats if one.name == organization), None)


class Client:
    """One account of ours at the Hub."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options
        self.asked_to_wait = 0.0
        """Seconds for which the Hub wants to be left alone, as its last answers said."""

    def who_is(self, token: Secret) -> WhoIs:
        """Present a token to the Hub, once."""
        answer = self.access.wire.request(
            "GET", self._url("/api/whoami-v2"), write=False, bearer=token, expect=_WHOAMI_ANSWERS
        )
        wait = _number(answer.headers.get("retry-after", ""))
        self.asked_to_wait = max(self.asked_to_wait, wait)
        if answer.status == _REFUSED:
            return WhoIs(state="dead", status=answer.status)
        if answer.status != _ACCEPTED:
            return WhoIs(state="unknown", status=answer.status, retry_after=wait)
        return _who(answer.json() or {})

    def ask(
        self,
        method: str,
        path: str,
        *,
        permission: str,
        write: bool = False,
        body: Mapping[str, Any] | None = None,
        missing: bool = False,
        most_bytes: int | None = None,
    ) -> Response:
        """Send a request with our own token; `missing` tells that a 404 is an answer."""
        answer = self.access.wire.request(
            method,
            self._url(path),
            write=write,
            bearer=self.our_token() if write else self.access.secret,
            body=body,
            expect=frozenset({_UNPAID, _MISSING} if missing else {_UNPAID}),
            permission=permission,
            most_bytes=most_bytes,
        )
        if answer.status == _UNPAID:
            raise Denied(
                "The organisation's plan does not have this (402)",
                where=f"{method} {urlsplit(path).path}",
                remedy=f"our credential needs: {permission}, in an organisation with a Team or Enterprise plan; "
                "without one, a person does it in the organisation's settings",
            )
        return answer

    def pages(self, path: str, *, permission: str) -> Iterator[Any]:
        """Yield the items of a list, page by page, as `Link` says; nothing for a list that is missing."""
        for _ in range(_MOST_PAGES):
            answer = self.ask("GET", path, permission=permission, missing=True)
            found = answer.json() if answer.status != _MISSING else None
            yield from found if isinstance(found, list) else ()
            following = _NEXT.search(answer.headers.get("link", ""))
            if not following or not following[1].startswith(self.options.base_url + "/"):
                return
            path = following[1].removeprefix(self.options.base_url)

    def revoke(self, token: Secret) -> int:
        """Ask the Hub to revoke a token. Nobody signs in for that, and its 202 says nothing."""
        body = {"credentials": [token]}
        return self.access.wire.request("POST", self._url("/api/credentials/revoke"), write=True, body=body).status

    def our_token(self) -> Secret:
        """Return the connection's own token."""
        return self.access.own("token")

    def info(self, repository: str, kind: str = "space") -> dict[str, Any] | None:
        """Read a repository's state; None where the Hub shows us none of that name."""
        answer = self.ask("GET", f"/api/{kind}s/{repository}", permission="read access to the Space", missing=True)
        return None if answer.status == _MISSING else dict(answer.json() or {})

    def page_url(self, path: str) -> str:
        """Return an address at the Hub, each part of its path encoded."""
        return self._url("/" + quote(path))

    def _url(self, path: str) -> str:
        return self.options.base_url + path


def identify(client: Client) -> Identity:
    """Read whom the Hub takes us for."""
    answer = client.access.wire.request(
        "GET",
        client.options.base_url + "/api/whoami-v2",
        write=False,
        bearer=client.our_token(),
        permission="a valid token",
    )
    found = _who(answer.json() or {})
    return Identity(found.name, found.token_name)


def lacking(client: Client, permissions: Sequence[str]) -> list[str]:
    """Return what our own token lacks, as far as the Hub tells: that it only reads, or is no admin's anywhere."""
    found = client.who_is(client.our_token())
    if found.state != "live":
        raise Unavailable(f"The Hub does not say what our token may ({found.status})", where="GET /api/whoami-v2")
    is_admin = any(one.role == "admin" and not one.restrictions for one in found.seats)
    reads = found.role == "read"
    return [one for one in permissions if (reads and one.startswith("write")) or (not is_admin and ADMIN in one)]


def _who(data: Any) -> WhoIs:
    access = (data.get("auth") or {}).get("accessToken") or {}
    scoped = (access.get("fineGrained") or {}).get("scoped") or ()
    reach = [
        f"{(one.get('entity') or {}).get('name', '')}: {permission}"
        for one in scoped
        for permission in one.get("permissions") or ()
    ]
    seats = tuple(map(_seat, data.get("orgs") or ()))
    if not reach:
        # An organisation that has revoked the token for itself is out of its reach.
        reach = [str(data.get("name", "")), *(f"{one.name} ({one.role})" for one in seats if not one.is_shut_out)]
    return WhoIs(
        state="live",
        status=_ACCEPTED,
        name=str(data.get("name", "")),
        token_name=str(access.get("displayName", "")),
        role=str(access.get("role", "")),
        reach=tuple(reach),
        seats=seats,
    )


def _seat(one: Mapping[str, Any]) -> Seat:
    restrictions = tuple(map(str, one.get("securityRestrictions") or ()))
    return Seat(name=str(one.get("name", "")), role=str(one.get("roleInOrg", "member")), restrictions=restrictions)


def _number(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
