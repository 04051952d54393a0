"""Fills a described request in, sends it with our credential, and finds things in the answer."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from responder.action import Access, Identity
from responder.answer import Response
from responder.credential import Inspection
from responder.errors import Denied, ProviderError, Unavailable
from responder.providers.http.calls import PLACEHOLDER, Call, Form
from responder.providers.http.options import Options, StateOf
from responder.redaction import Secret

_MOST_PAGES = 200
_MISSING = 404
_EVERY_STATUS = frozenset(range(100, 600))


class Client:
    """One connection to a described system."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options

    def ask(
        self,
        call: Call,
        place: str,
        values: Mapping[str, Any] | None = None,
        *,
        write: bool = False,
        expect: frozenset[int] = frozenset(),
        cursor: str = "",
    ) -> Response:
        """Send a described request. `place` is where it stands in the connection; an error names it."""
        url = filled_url(call.address, values or {})
        url = self.options.base_url + url if url.startswith("/") else url
        return self.access.wire.request(
            call.method,
            url + (("&" if "?" in url else "?") + cursor if cursor else ""),
            write=write,
            headers=self._our_credential(url),
            body=filled(call.body, values or {}),
            expect=expect,
            permission=f"{call.permission} ({place})" if call.permission else place,
        )

    def _our_credential(self, url: str) -> dict[str, str | Secret]:
        """Return the header that bears our credential; nothing for any other host than our own."""
        if _origin(url) != _origin(self.options.base_url):
            return {}
        if self.access.secret is None:
            raise Denied(
                "The connection has no credential",
                where=f"connections.{self.access.connection.name}",
                remedy="set `secret: env:NAME`",
            )
        return self._presented(self.access.secret, self.options.auth)

    def present(self, request: str, value: Secret, form: Form) -> int:
        """Present a value in its own header, without our credential; return the status."""
        method, url = request.split(" ", 1)
        headers = self._presented(value, form)
        wire = self.access.wire
        return wire.request(method, url, write=False, headers=headers, expect=_EVERY_STATUS).status

    def _presented(self, secret: Secret, form: Form) -> dict[str, str | Secret]:
        def whole(value: str) -> Secret:
            return Secret(form.form.replace("{secret}", value), secret.fingerprint)

        return {form.header.lower(): self.access.wire.with_value(secret, whole)}

    def inspect(self, key_id: str) -> Inspection:
        """Read how a key is doing."""
        call = self.options.keys.state
        if call is None:
            return Inspection(state="unknown", key_id=key_id)
        answer = self.ask(call, "keys.state", {"key_id": key_id}, expect=frozenset({_MISSING}))
        if answer.status == _MISSING:
            return Inspection(state=call.missing, key_id=key_id)
        return _inspection(call, answer.json(), key_id)

    def pages(self, call: Call, place: str, values: Mapping[str, Any], following: str, cursor: str) -> Iterator[Any]:
        """Yield the answers of a list, page by page."""
        asked = ""
        for _ in range(_MOST_PAGES):
            data = self.ask(call, place, values, cursor=asked).json()
            yield data
            token = at(data, following) if following else None
            if not token:
                return
            asked = f"{cursor}={quote(str(token), safe='')}"
        raise ProviderError(f"The list does not end after {_MOST_PAGES} pages", where=place)


def identify(client: Client) -> Identity:
    """Read whom the system takes us for."""
    call = client.options.identity
    data = client.ask(call, "identity").json()
    return Identity(word(at(data, call.account)), word(at(data, call.key_id)))


def listed(data: Any, path: str, place: str) -> list[Any]:
    """Return the list at a path; Unavailable where there is none: what is not understood proves nothing."""
    found = at(data, path)
    if not isinstance(found, list):
        raise Unavailable(f"The answer holds no list at {path!r}", where=place)
    return found


def at(data: Any, path: str | None) -> Any:
    """Return what stands at a dotted path; None where nothing does."""
    for name in path.split(".") if path else ():
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, list) and name.isdecimal() and int(name) < len(data):
            data = data[int(name)]
        else:
            return None
    return data if path else None


def word(value: Any) -> str:
    """Return a plain value as text, as YAML would write it; nothing for None."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def filled_url(address: str, values: Mapping[str, Any]) -> str:
    """Fill an address in; every value is percent-encoded, so that none can change where it leads."""

    def encoded(match: re.Match[str]) -> str:
        value = word(values.get(match[1]))
        if value in {"", ".", ".."}:  # an empty or dotted part would name another thing than was meant
            raise ProviderError(f"{{{match[1]}}} is {value!r}, which cannot stand in an address", where=address)
        return quote(value, safe="")

    return PLACEHOLDER.sub(encoded, address)


def filled(body: Any, values: Mapping[str, Any]) -> Any:
    """Fill a body in; a placeholder that stands alone becomes the value itself, with its type."""
    if isinstance(body, dict):
        return {key: filled(inner, values) for key, inner in body.items()}
    if isinstance(body, list):
        return [filled(inner, values) for inner in body]
    if not isinstance(body, str):
        return body
    alone = PLACEHOLDER.fullmatch(body)
    if alone:
        return values.get(alone[1])
    return PLACEHOLDER.sub(lambda match: word(values.get(match[1])), body)


def key_id_in(options: Options, value: str) -> str | None:
    """Read a key id out of a value, offline."""
    match = re.fullmatch(options.keys.shape, value) if options.keys.shape else None
    return match.groupdict().get("key_id") if match else None


def _inspection(call: StateOf, data: Any, key_id: str) -> Inspection:
    reach = at(data, call.reach)
    return Inspection.model_validate(
        {
            "state": call.meaning(word(at(data, call.state))),
            "owner": word(at(data, call.owner)),
            "reach": [word(one) for one in reach] if isinstance(reach, list) else [word(reach)] if reach else [],
            "last_used_at": word(at(data, call.last_used)),
            "dead_since": word(at(data, call.dead_since)),
            "key_id": key_id,
        }
    )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
