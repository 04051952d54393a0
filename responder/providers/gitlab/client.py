"""The API of GitLab: tokens as they answer for themselves, and as an administrator is shown them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field

from responder.action import Access, Identity
from responder.answer import Response
from responder.durations import Duration, duration
from responder.errors import ProviderError, Unavailable
from responder.redaction import Secret
from responder.settings import BaseUrl

OTHERS = "scope api, as an administrator (anybody else sees and ends only their own tokens)"
PROJECT = "scope api, as Maintainer of the project, by a personal access token"
READ_USER = "scope read_user, or api"

_ACCEPTED = 200
_REFUSED = 401
_FORBIDDEN = 403
_MISSING = 404
_MOST_PAGES = 200
_ANSWERS = (_REFUSED, _FORBIDDEN, _MISSING, 429, *range(500, 600))


class Options(BaseModel):
    """A connection to GitLab; its secret is a personal access token of ours, never the leaked one."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: BaseUrl = "https://gitlab.com/api/v4"
    """Where its API is, with `/api/v4` at the end."""
    propagation: Duration = duration("10s")
    """How long a revoked token may still be taken; GitLab promises nothing."""
    project: str = ""
    """The project in which new tokens are made, by its number or its path; without it none are."""
    access_level: Annotated[int, Field(ge=10, le=50)] = 30
    """The role of a new token in the project: 10 Guest, 15 Planner, 20 Reporter, 30 Developer, 40 Maintainer."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,20}$")] = "glpat-"
    """What access tokens begin with there; a GitLab of one's own may have another."""
    token_life: Duration = duration("90d")
    """After how long a new token expires; GitLab wants a day, and allows a year."""


class Shown(BaseModel):
    """What GitLab says of a token."""

    state: Literal["live", "dead", "unknown"]
    """`unknown` counts as live."""
    why: str = ""
    """Why it is dead or unknown."""
    accepted: bool = False
    """Whether GitLab took the token when it was presented, whatever its record says."""
    key_id: str = ""
    name: str = ""
    user_id: int | None = None
    scopes: tuple[str, ...] = ()
    last_used_at: str = ""
    expires_at: str = ""


class Client:
    """One GitLab, as one user of ours sees it."""

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
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        expect: tuple[int, ...] = (),
        token: Secret | None = None,
    ) -> Response:
        """Send a request with our own token, or with another."""
        return self.access.wire.request(
            method,
            f"{self.options.base_url}{path}" + (f"?{urlencode(params)}" if params else ""),
            write=write,
            headers={"PRIVATE-TOKEN": token or self.our_token()},
            body=body,
            expect=frozenset(expect),
            permission=permission,
        )

    def our_token(self) -> Secret:
        """Return the connection's own token."""
        return self.access.own("token")

    def pages(self, path: str, *, permission: str, **params: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page by page. Unavailable where it does not end."""
        page = "1"
        for _ in range(_MOST_PAGES):
            asked = {**params, "per_page": "100", "page": page}
            answer = self.ask("GET", path, permission=permission, params=asked)
            found = answer.json()
            if not isinstance(found, list):
                raise Unavailable("The answer holds no list", where=path)
            yield from (dict(one) for one in found)
            page = answer.headers.get("x-next-page", "")
            if not page:
                return
        raise Unavailable(f"The list has more than {_MOST_PAGES} pages", where=path)

    def present(self, value: Secret) -> Shown:
        """Present a token once: every token may ask about itself.

        A token that was revoked or has expired is told so, by 401 `invalid_token`; one that this GitLab does not know
        gets a bare 401. Where an account is blocked, or impersonation is switched off for a while, the token lives.
        """
        answer = self.ask("GET", "/personal_access_tokens/self", permission="", token=value, expect=_ANSWERS)
        if answer.status == _ACCEPTED:
            return shown(answer.json()).model_copy(update={"accepted": True})
        told = _told(answer)
        if answer.status == _REFUSED and told.get("error") == "invalid_token":
            why = str(told.get("error_description", ""))
            for sign in ("was revoked", "is expired"):
                if sign in why:
                    return Shown(state="dead", why=sign.split()[1])
            return Shown(state="unknown", why=why[:100])
        if answer.status == _REFUSED and told == {"message": "401 Unauthorized"}:
            return Shown(state="dead", why="not known here")
        return Shown(state="unknown", why=f"GitLab answers {answer.status}")

    def by_id(self, key_id: str) -> Shown:
        """Read a token by its id, as an administrator or as its user. Denied where we are neither.

        Whoever is no administrator is told 401 both of what is not theirs and of what is not there.
        """
        if not key_id.isdecimal():
            raise ProviderError(
                f"{key_id!r} is no id of a token", where="key_id", remedy="give its number, as GitLab lists it"
            )
        path = f"/personal_access_tokens/{key_id}"
        answer = self.ask("GET", path, permission=OTHERS, expect=(_MISSING,))
        if answer.status == _MISSING:
            # A wrong `base_url` is 404 as well, in other words; that is no death.
            if not str(_told(answer).get("message", "")).startswith("404"):
                raise ProviderError("There is no API of GitLab", where=path, remedy="check the connection's base_url")
            return Shown(state="dead", why="gone", key_id=key_id)
        found = shown(answer.json())
        if found.key_id != key_id:
            raise Unavailable(f"GitLab shows token {found.key_id} when it is asked for {key_id}", where=path)
        return found

    def project_path(self) -> str:
        """Return the address of the project's tokens."""
        if not self.options.project:
            raise ProviderError(
                "The connection names no project for new tokens",
                where=f"connections.{self.access.connection.name}",
                remedy="set `project`",
            )
        return f"/projects/{quote(self.options.project, safe='')}/access_tokens"


def shown(found: Any) -> Shown:
    """Read a token as GitLab shows it. Unavailable where it is none."""
    if not isinstance(found, dict) or not isinstance(found.get("id"), int):
        raise Unavailable("The answer holds no token")
    gone = "revoked" if found.get("revoked") else "" if found.get("active") else "expired"
    user = found.get("user_id")
    return Shown(
        state="dead" if gone else "live",
        why=gone,
        key_id=str(found["id"]),
        name=str(found.get("name") or ""),
        user_id=user if isinstance(user, int) else None,
        scopes=tuple(str(one) for one in found.get("scopes") or ()),
        last_used_at=str(found.get("last_used_at") or ""),
        expires_at=str(found.get("expires_at") or ""),
    )


def identify(client: Client) -> Identity:
    """Read whom GitLab takes us for: the user's page, without `https://`, so that two GitLabs are not mixed up."""
    user = client.ask("GET", "/user", permission=READ_USER).json()
    ours = client.present(client.our_token())
    page = str((user or {}).get("web_url") or "")
    return Identity(page.partition("://")[2], ours.key_id)


def lacking(client: Client, permissions: Sequence[str]) -> list[str]:
    """Return which permissions our token lacks: its scopes it tells itself, and who is an administrator is told so."""
    scopes = set(client.present(client.our_token()).scopes)
    user = client.ask("GET", "/user", permission=READ_USER).json() or {}
    held = {
        READ_USER: bool(scopes & {"api", "read_user"}),
        OTHERS: "api" in scopes and user.get("is_admin") is True,
        PROJECT: "api" in scopes,
    }
    return [one for one in permissions if not held.get(one, True)]


def _told(answer: Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except Unavailable:
        return {}
    return found if isinstance(found, dict) else {}
