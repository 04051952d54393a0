"""GitHub's API: how we sign in, how it refuses, and what its lists look like."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from responder.action import Access, Identity
from responder.answer import Response
from responder.errors import Denied, ProviderError, Unavailable
from responder.providers.github.app import signed_note
from responder.providers.github.options import Options, Seen
from responder.providers.github.permissions import APP_SECRET
from responder.redaction import Secret

OK, GONE = 200, 204
ELSEWHERE, REFUSED, FORBIDDEN, MISSING, INVALID = 302, 401, 403, 404, 422
_BUSY = frozenset({FORBIDDEN, 429})
_MOST_PAGES = 100
_LONGEST_WAIT = 600.0
_NEXT = re.compile(r'<([^<>]+)>;\s*rel="?next"?')


class Client:
    """One account of ours at GitHub: a user, an installation of an app, or an OAuth app."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options
        self.permissions: dict[str, str] | None = None
        """Those of our installation, once we signed in as one."""
        self.seen: Seen | None = None
        """What GitHub said of the leaked token in this try; each question presents it once more."""
        self.asked_to_wait = 0.0
        """Seconds for which GitHub wants to be left alone, as its answers in this try said."""
        self._token: Secret | None = None

    def ask(
        self,
        method: str,
        path: str,
        *,
        permission: str,
        write: bool = False,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        expect: frozenset[int] = frozenset(),
    ) -> Response:
        """Send a request as ourselves."""
        bearer = self.our_token(permission)
        return self.send(
            method, path, bearer=bearer, permission=permission, write=write, body=body, params=params, expect=expect
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        bearer: Secret | None = None,
        basic: Secret | None = None,
        permission: str = "",
        write: bool = False,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        expect: frozenset[int] = frozenset(),
    ) -> Response:
        """Send a request with this credential, or with none at all."""
        headers: dict[str, str | Secret] = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": self.options.api_version,
        }
        if basic is not None:
            headers["Authorization"] = basic
        answer = self.access.wire.request(
            method,
            self.options.base_url + path,
            write=write,
            bearer=bearer,
            headers=headers,
            params=params,
            body=body,
            expect=expect | {FORBIDDEN},
            permission=permission,
        )
        wait = self._pause(answer.headers) if answer.status in _BUSY else None
        self.asked_to_wait = max(self.asked_to_wait, wait or 0.0)
        if answer.status == FORBIDDEN and FORBIDDEN not in expect:
            raise self._refused(answer, permission, wait)
        return answer

    def pages(
        self,
        path: str,
        *,
        permission: str,
        params: Mapping[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield every item of a list. ProviderError where GitHub does not show it to us; Unavailable if it is endless.

        Only the whole list shows that something is not in it.
        """
        query: Mapping[str, str] | None = {"per_page": "100", **(params or {})}
        for _ in range(_MOST_PAGES):
            answer = self.ask("GET", path, permission=permission, params=query, expect=frozenset({MISSING}))
            if answer.status == MISSING:
                raise hidden(path, permission)
            found = answer.json()
            if not isinstance(found, list):
                raise Unavailable("GitHub's answer is no list", where=path)
            yield from (one for one in found if isinstance(one, dict))
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return
            if not following[1].startswith(self.options.base_url + "/"):
                raise Unavailable("GitHub sends us to another host for the rest of a list", where=path)
            path, query = following[1].removeprefix(self.options.base_url), None
        raise Unavailable(f"The list has more than {_MOST_PAGES} pages", where=path)

    # ---- who we are

    def our_token(self, permission: str = "") -> Secret:
        """Return the token that we act with: the connection's own, or one that our app's key gets us."""
        secret = self.our_secret()
        if self.options.client_id:
            raise ProviderError(
                "This connection is an OAuth app: it checks and ends its users' tokens, and nothing else",
                where=f"connections.{self.access.connection.name}",
                remedy="use a connection with a token or `app_id`",
            )
        if self.options.app_id is None:
            return secret
        if self._token is None:
            self._token = self._sign_in(permission)
        return self._token

    def our_secret(self) -> Secret:
        """Return the connection's own secret. Denied where it has none."""
        return self.access.own("secret")

    def our_note(self) -> Secret:
        """Return what our app presents for itself."""
        return signed_note(self.access.wire, self.our_secret(), str(self.options.app_id), self.access.clock.now())

    def our_basic(self) -> Secret:
        """Return how our OAuth app signs in: its client id and secret."""
        wire, client_id = self.access.wire, self.options.client_id
        return wire.with_value(
            self.our_secret(),
            lambda value: wire.take_in("Basic " + base64.b64encode(f"{client_id}:{value}".encode()).decode()),
        )

    def _sign_in(self, permission: str) -> Secret:
        """Fetch a token for our installation; it dies within the hour.

        It is no write: signing in changes nothing for anybody else, and every plan needs it.
        """
        path = f"/app/installations/{self.options.installation_id}/access_tokens"
        need = f"the private key of a GitHub App that has: {permission or 'any permission'}"
        answer = self.send("POST", path, bearer=self.our_note(), permission=need)
        token = answer.secret("token")
        if token is None:
            raise Unavailable("GitHub's answer holds no installation token", where=path)
        self.permissions = dict((answer.json() or {}).get("permissions") or {})
        return token

    def _refused(self, answer: Response, permission: str, wait: float | None) -> Denied | Unavailable:
        """Tell apart what 403 means: asked too often (GitHub seldom says 429), or not allowed."""
        place = answer.url.partition("?")[0]
        if wait is not None:
            return Unavailable("GitHub is asked too often (403)", where=place, retry_after=wait)
        need = f"our credential needs: {permission}" if permission else "check the connection's secret"
        return Denied("GitHub refuses us (403)", where=place, remedy=need)

    def _pause(self, headers: Mapping[str, str]) -> float | None:
        """Return for how many seconds GitHub wants to be left alone; None where that is not what it says."""
        if headers.get("retry-after", "").isdigit():
            return min(float(headers["retry-after"]), _LONGEST_WAIT)
        if headers.get("x-ratelimit-remaining") != "0":
            return None
        reset = headers.get("x-ratelimit-reset", "")
        left = float(reset) - self.access.clock.now().timestamp() if reset.isdigit() else _LONGEST_WAIT
        return min(max(left, 1.0), _LONGEST_WAIT)


def hidden(path: str, permission: str) -> ProviderError:
    """Return the error for a 404 of something that must be there: GitHub hides what we may not see."""
    return ProviderError(
        "GitHub shows us no such thing (404): it is not there, or hidden from us",
        where=path,
        remedy=f"check the name, and that our credential has: {permission}",
    )


def part(name: str) -> str:
    """Return one part of a path, whatever stands in it."""
    return quote(name, safe="")


def identify(client: Client) -> Identity:
    """Read whom GitHub takes us for: a user, the account of our installation, or our OAuth app."""
    permission = "a valid credential"
    if client.options.client_id:
        client.send("GET", "/rate_limit", basic=client.our_basic(), permission=APP_SECRET)
        return Identity(client.options.client_id, client.options.client_id)
    if client.options.app_id:
        path = f"/app/installations/{client.options.installation_id}"
        found = client.send(
            "GET", path, bearer=client.our_note(), permission="the private key of the GitHub App"
        ).json()
        account = str(((found or {}).get("account") or {}).get("login", ""))
        return Identity(account, f"app {client.options.app_id}")
    answer = client.ask("GET", "/user", permission=permission, expect=frozenset({FORBIDDEN}))
    if answer.status != FORBIDDEN:
        return Identity(str((answer.json() or {}).get("login", "")))
    # An installation's token has no user; all that it reaches belongs to one account.
    reached = client.ask("GET", "/installation/repositories", permission=permission, params={"per_page": "1"}).json()
    first: dict[str, Any] = next(iter((reached or {}).get("repositories") or ()), {})
    return Identity(str((first.get("owner") or {}).get("login", "")))
