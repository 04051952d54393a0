"""OpenAI's API: asking with our admin key, and presenting a key to see whether it is taken."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from responder.action import Access
from responder.answer import Response
from responder.credential import Presented, Probe
from responder.durations import Duration, duration
from responder.errors import ProviderError, Unavailable
from responder.redaction import Secret
from responder.settings import BaseUrl

_EVERY_STATUS = frozenset(range(100, 600))
_ACCEPTED, _REFUSED, _RESTRICTED, _MISSING = 200, 401, 403, 404
_DEAD = "invalid_api_key"
_ELSEWHERE = frozenset({"unsupported_country_region_territory"})
"""Codes of a 403 that is about where we stand, not about the key."""
_MOST_PAGES = 500
_PAGE = "100"

READ = "an admin key that may read projects, keys and people"
WRITE = "an admin key that may change projects, keys and people"
READ_USAGE = "an admin key that may read usage"
READ_AUDIT = "an admin key that may read the audit log"

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=120)]
"""An id as OpenAI writes it, such as `proj_...`, `user-...` or `key_...`."""


class Options(BaseModel):
    """A connection to an OpenAI organisation; its secret is an admin key of ours, never the leaked key.

    Its `control` is a key of the leaked one's kind: a project key for project keys, an admin key for admin keys. Its
    `account` is the organisation as OpenAI names it in the header `openai-organization` of its answers.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: BaseUrl = "https://api.openai.com/v1"
    """Where its API is."""
    project: Id | None = None
    """The project of the keys that may leak; without it, every project of the organisation is looked through."""
    organization: Id | None = None
    """Sent as `OpenAI-Organization`, so that OpenAI refuses an admin key of another organisation."""
    propagation: Duration = duration("60s")
    """How long a deleted key may still be taken. OpenAI documents no time; this one is a cautious guess."""


SURFACES: Mapping[str, str] = {"me": "/me", "models": "/models", "organization": "/organization/projects?limit=1"}
"""Where a key can be presented: two places for project keys, one for admin keys, which nothing else takes."""


class Client:
    """One organisation."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options

    def ask(
        self,
        method: str,
        path: str,
        *,
        permission: str,
        write: bool = False,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        missing: bool = False,
    ) -> Response:
        """Send a request with our admin key; `missing` tells that a 404 is an answer."""
        ours = self.options.organization
        return self.access.wire.request(
            method,
            self.options.base_url + path,
            write=write,
            bearer=self.our_key(),
            headers={"openai-organization": ours} if ours else None,
            params=params,
            body=body,
            expect=frozenset({_MISSING}) if missing else frozenset(),
            permission=permission,
        )

    def found(self, path: str, *, permission: str = READ) -> dict[str, Any] | None:
        """Read one thing; None where there is none."""
        answer = self.ask("GET", path, permission=permission, missing=True)
        return None if answer.status == _MISSING else dict(answer.json() or {})

    def pages(
        self, path: str, *, permission: str = READ, params: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page by page. What is no list proves nothing: Unavailable."""
        asked = {**(params or {}), "limit": _PAGE}
        for _ in range(_MOST_PAGES):
            data = self.ask("GET", path, permission=permission, params=asked).json()
            items = data.get("data") if isinstance(data, dict) else None
            if not isinstance(items, list):
                raise Unavailable("OpenAI's answer holds no list", where=f"GET {path}")
            yield from items
            if not data.get("has_more"):
                return
            last = str(data.get("last_id") or (items[-1].get("id") if items else ""))
            if not last or last == asked.get("after"):
                raise Unavailable("OpenAI's list does not go on where it says that there is more", where=f"GET {path}")
            asked["after"] = last
        raise ProviderError(f"The list does not end after {_MOST_PAGES} pages", where=f"GET {path}")

    def present(self, surface: str, value: Secret) -> Presented:
        """Present a key once, without anything of ours.

        Refused is a 401 with the code `invalid_api_key` alone: a 401 comes for an address outside an allow-list and
        for a wrong organisation, too. A 403 for want of a scope is the answer to a restricted key, which lives.
        """
        url = self.options.base_url + SURFACES[surface]
        answer = self.access.wire.request("GET", url, write=False, bearer=value, expect=_EVERY_STATUS)
        try:
            data = answer.json()
        except Unavailable:
            data = None  # a page of a proxy, whatever its status
        if not isinstance(data, dict):
            return Presented(Probe.UNKNOWN, answer.status)
        error = data.get("error")
        code = str(error.get("code") or "") if isinstance(error, dict) else None
        if answer.status == _ACCEPTED and error is None:
            return Presented(Probe.ACCEPTED, answer.status, data)
        if answer.status == _REFUSED and code == _DEAD:
            return Presented(Probe.REFUSED, answer.status)
        if answer.status == _RESTRICTED and code is not None and code not in _ELSEWHERE:
            return Presented(Probe.ACCEPTED, answer.status)
        return Presented(Probe.UNKNOWN, answer.status)

    def is_admin(self, value: Secret) -> bool:
        """Tell, offline, whether a value is an admin key."""
        return self.access.wire.with_value(value, lambda text: text.startswith("sk-admin-"))

    def surfaces_of(self, value: Secret) -> tuple[str, ...]:
        """Return every place that would take a key of this kind."""
        return ("organization",) if self.is_admin(value) else ("me", "models")

    def our_key(self) -> Secret:
        """Return the connection's own admin key."""
        return self.access.own("admin key")


def project_path(project: str, *parts: str) -> str:
    """Return the path of something in a project, each part encoded."""
    return "/".join(["/organization/projects", *(quote(part, safe="") for part in (project, *parts))])
