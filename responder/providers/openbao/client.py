"""The API of OpenBao and HashiCorp Vault: requests in a namespace, and what an error's text tells apart."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from responder.action import Access, Identity
from responder.answer import Response
from responder.durations import Duration, duration
from responder.errors import Denied, ProviderError, Unavailable
from responder.redaction import Secret
from responder.settings import BaseUrl

LOOKUP = "update on auth/token/lookup"
LOOKUP_ACCESSOR = "update on auth/token/lookup-accessor"
LIST_ACCESSORS = "list and sudo on auth/token/accessors/"
LOOKUP_SELF = "read on auth/token/lookup-self"

_ACCEPTED = 200
_BAD = 400
_FORBIDDEN = 403
_MISSING = 404
_FAILED = 500
_NAMED = re.compile(r"(?P<capabilities>[a-z, ]+) on (?P<path>\S+)")
_PLACEHOLDER = re.compile(r"[A-Z]{2,}")

Mount = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][\w./-]*$", max_length=200)]
"""Where something is mounted, such as `approle` or `teams/approle`."""


class Options(BaseModel):
    """A connection to OpenBao or HashiCorp Vault; its secret is a token of ours, never the leaked one."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: BaseUrl
    """Such as `https://bao.example:8200`; the active node, or what leads to it."""
    namespace: str = ""
    """The namespace of everything that this connection touches; empty for the root namespace."""
    approle: Mount = "approle"
    """Where AppRole is mounted, below `auth/`."""
    database: Mount = "database"
    """Where the secrets engine for databases is mounted."""
    propagation: Duration = duration("5s")
    """How long a revoked credential may still be taken by some node."""
    token_life: Duration | None = None
    """How long a new token lives without being renewed; by itself, as long as the server gives."""

    @field_validator("base_url")
    @classmethod
    def _is_whole(cls, base_url: str) -> str:
        return base_url.removesuffix("/v1")

    @field_validator("namespace", "approle", "database")
    @classmethod
    def _is_bare(cls, path: str) -> str:
        return path.strip("/")


class Client:
    """One namespace of one cluster."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options
        self.refused_since: datetime | None = None
        """Since when the leaked value is refused, as the looks so far show it."""

    def ask(
        self,
        method: str,
        path: str,
        *,
        permission: str,
        write: bool = False,
        body: Mapping[str, Any] | None = None,
        expect: Sequence[int] = (),
        token: Secret | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request with our own token, or with another."""
        if {"", ".", ".."} & set(path.partition("?")[0].removesuffix("/").split("/")):
            raise ProviderError(f"{path!r} is no path at the server", where=path, remedy="correct it where it is given")
        presented = token or self.our_token()
        space = {"X-Vault-Namespace": self.options.namespace} if self.options.namespace else {}
        return self.access.wire.request(
            method,
            f"{self.options.base_url}/v1/{quote(path.partition('?')[0], safe='/')}{_query(path)}",
            write=write,
            # A listener of an agent may insist on the second, against requests that are forged in a browser.
            headers={"X-Vault-Token": presented, "X-Vault-Request": "true", **space, **(headers or {})},
            body=body,
            expect=frozenset(expect),
            permission=permission,
        )

    def our_token(self) -> Secret:
        """Return the connection's own token."""
        return self.access.own("token")

    def data(self, path: str, *, permission: str) -> dict[str, Any] | None:
        """Read one thing; None where there is none."""
        answer = self.ask("GET", path, permission=permission, expect=(_MISSING,))
        return None if answer.status == _MISSING else data_of(answer)

    def names(self, path: str, *, permission: str) -> list[str]:
        """List what is under a path; nothing is 404, as the API has it."""
        found = self.data(f"{path}?list=true", permission=permission)
        return [str(one) for one in (found or {}).get("keys") or ()]

    def token(self, *, accessor: str = "", value: Secret | None = None) -> dict[str, Any] | None:
        """Look a token up, by its value or by its accessor; None where there is no such token.

        It is 403 `bad token` or 400 `invalid accessor` then; a 403 that says anything else is about ourselves.
        """
        if value is not None:
            return self._sought("auth/token/lookup", {"token": value}, "bad token", LOOKUP)
        return self._sought("auth/token/lookup-accessor", {"accessor": accessor}, "invalid accessor", LOOKUP_ACCESSOR)

    def tokens(self) -> Iterator[dict[str, Any]]:
        """Yield every token of the namespace; one that ends while we look is left out."""
        for accessor in self.names("auth/token/accessors", permission=LIST_ACCESSORS):
            found = self.token(accessor=accessor)
            if found is not None:
                yield found

    def _sought(self, path: str, body: Mapping[str, Any], gone: str, permission: str) -> dict[str, Any] | None:
        answer = self.ask("POST", path, body=body, permission=permission, expect=(_BAD, _FORBIDDEN))
        if answer.status == _ACCEPTED:
            return data_of(answer)
        told = errors_of(answer)
        if gone in told:
            return None
        raise refusal(self, answer, permission)


def refusal(client: Client, answer: Response, permission: str) -> ProviderError:
    """Return the error for an answer that was let through to be looked at, and holds nothing that we know."""
    host = urlsplit(client.options.base_url).netloc
    if answer.status == _FORBIDDEN:
        return Denied(f"{host} refuses us (403)", where=answer.url, remedy=f"our credential needs: {permission}")
    if answer.status >= _FAILED:
        return Unavailable(f"{host} fails ({answer.status})", where=answer.url)
    return ProviderError(
        f"{host} does not accept the request ({answer.status})",
        where=answer.url,
        remedy="check the connection's namespace and mounts",
    )


def data_of(answer: Response) -> dict[str, Any]:
    """Return what an answer is about. Unavailable where it holds nothing."""
    found = answer.json()
    data = found.get("data") if isinstance(found, dict) else None
    if not isinstance(data, dict):
        raise Unavailable("The answer holds no data", where=answer.url)
    return dict(data)


def errors_of(answer: Response) -> str:
    """Return what an error says, as one text; empty where it says nothing."""
    try:
        found = answer.json()
    except (ProviderError, OSError):
        return ""
    if not isinstance(found, dict):
        return ""
    data = found.get("data")
    inner = data.get("error") if isinstance(data, dict) else ""
    return "\n".join([*(str(one) for one in found.get("errors") or ()), str(inner or "")]).strip()


def identify(client: Client) -> Identity:
    """Read which cluster it is, and which token we act with.

    The account is the cluster's id, and `ID/NAMESPACE` in a namespace: names are given by people, and two clusters
    may bear the same one.
    """
    token = data_of(client.ask("GET", "auth/token/lookup-self", permission=LOOKUP_SELF))
    # Standing by, a node answers 429 here unless it is told not to; no namespace knows this path.
    health = client.access.wire.request(
        "GET",
        f"{client.options.base_url}/v1/sys/health",
        write=False,
        params={"standbyok": "true", "perfstandbyok": "true"},
        permission="none: it is open",
    ).json()
    cluster = str((health or {}).get("cluster_id") or "")
    space = f"/{client.options.namespace}" if client.options.namespace else ""
    return Identity(cluster + space if cluster else "", str(token.get("accessor") or ""))


def lacking(client: Client, permissions: Sequence[str]) -> list[str]:
    """Return which permissions our token lacks; those for a role that is not named yet are left out."""
    wanted = [(one, found) for one in permissions if (found := _NAMED.fullmatch(one))]
    asked = [(one, found) for one, found in wanted if not _PLACEHOLDER.search(found["path"])]
    paths = sorted({found["path"] for _, found in asked})
    if not paths:
        return []
    answer = client.ask(
        "POST", "sys/capabilities-self", body={"paths": paths}, permission="update on sys/capabilities-self"
    )
    held = data_of(answer)
    return [one for one, found in asked if not _suffices(held.get(found["path"]) or (), found["capabilities"])]


def _suffices(held: Sequence[str], wanted: str) -> bool:
    return "root" in held or set(re.split(r",\s*|\s+and\s+", wanted.strip())) <= set(held)


def _query(path: str) -> str:
    _, mark, query = path.partition("?")
    return mark + query
