"""Anthropic's Admin API, and presenting a key to see whether it is taken."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from responder.action import Access, Identity
from responder.answer import Response
from responder.credential import Presented, Probe
from responder.durations import Duration, duration
from responder.errors import ProviderError, Unavailable
from responder.redaction import Secret
from responder.settings import BaseUrl

_VERSION = "2023-06-01"
_EVERY_STATUS = frozenset(range(100, 600))
_ACCEPTED, _REFUSED, _RESTRICTED, _MISSING = 200, 401, 403, 404
_MOST_PAGES = 100
_PAGE = "1000"

READ = "an Admin API key (sk-ant-admin...)"
WRITE = "an Admin API key (sk-ant-admin...) that may change keys and people"

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=120)]
"""An id as Anthropic writes it, such as `apikey_...`, `user_...` or `invite_...`."""


class Options(BaseModel):
    """A connection to an Anthropic organisation; its secret is an Admin API key of ours, never the leaked key.

    Its `control` is a key of the leaked one's kind: an API key for API keys, an Admin API key for those. Its `account`
    is the organisation's id, a UUID.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: BaseUrl = "https://api.anthropic.com"
    """Where its API is."""
    propagation: Duration = duration("60s")
    """How long a key that was switched off may still be taken. Anthropic documents no time; this is a guess."""


SURFACES: Mapping[str, str] = {"models": "/v1/models?limit=1", "organization": "/v1/organizations/me"}
"""Where a key can be presented: API keys where models are listed, Admin API keys where the organisation is shown."""


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
        """Send a request with our Admin API key; `missing` tells that a 404 is an answer."""
        return self.access.wire.request(
            method,
            self.options.base_url + path,
            write=write,
            headers={"x-api-key": self.our_key(), "anthropic-version": _VERSION},
            params=params,
            body=body,
            expect=frozenset({_MISSING}) if missing else frozenset(),
            permission=permission,
        )

    def found(self, path: str) -> dict[str, Any] | None:
        """Read one thing; None where there is none."""
        answer = self.ask("GET", path, permission=READ, missing=True)
        return None if answer.status == _MISSING else dict(answer.json() or {})

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page by page. What is no list proves nothing: Unavailable."""
        asked = {"limit": _PAGE}
        for _ in range(_MOST_PAGES):
            data = self.ask("GET", path, permission=READ, params=asked).json()
            items = data.get("data") if isinstance(data, dict) else None
            if not isinstance(items, list):
                raise Unavailable("Anthropic's answer holds no list", where=f"GET {path}")
            yield from items
            if not data.get("has_more"):
                return
            last = str(data.get("last_id") or "")
            if not last or last == asked.get("after_id"):
                raise Unavailable("Anthropic's list does not go on where it says that there is more", where=path)
            asked["after_id"] = last
        raise ProviderError(f"The list does not end after {_MOST_PAGES} pages", where=f"GET {path}")

    def present(self, surface: str, value: Secret) -> Presented:
        """Present a key once, without anything of ours.

        Refused is a 401 of the type `authentication_error` alone. A `permission_error` is the answer to a key that
        may not do this, and lives.
        """
        url = self.options.base_url + SURFACES[surface]
        headers: dict[str, str | Secret] = {"x-api-key": value, "anthropic-version": _VERSION}
        answer = self.access.wire.request("GET", url, write=False, headers=headers, expect=_EVERY_STATUS)
        try:
            data = answer.json()
        except Unavailable:
            data = None  # a page of a proxy, whatever its status
        if not isinstance(data, dict):
            return Presented(Probe.UNKNOWN, answer.status)
        error = data.get("error")
        kind = str(error.get("type") or "") if isinstance(error, dict) else ""
        if answer.status == _ACCEPTED and error is None:
            return Presented(Probe.ACCEPTED, answer.status)
        if (answer.status, kind) == (_REFUSED, "authentication_error"):
            return Presented(Probe.REFUSED, answer.status)
        if (answer.status, kind) == (_RESTRICTED, "permission_error"):
            return Presented(Probe.ACCEPTED, answer.status)
        return Presented(Probe.UNKNOWN, answer.status)

    def surface_of(self, value: Secret) -> str:
        """Return the place that takes a key of this kind; told offline, by how the value begins."""
        admin = self.access.wire.with_value(value, lambda text: text.startswith("sk-ant-admin"))
        return "organization" if admin else "models"

    def our_key(self) -> Secret:
        """Return the connection's own Admin API key."""
        return self.access.own("Admin API key")


def identify(client: Client) -> Identity:
    """Read which organisation takes us for its own. Admin API keys are in no list, so ours has no id that it tells."""
    data = client.ask("GET", "/v1/organizations/me", permission=READ).json()
    return Identity(str(data.get("id") or "") if isinstance(data, dict) else "")
