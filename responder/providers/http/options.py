"""What a connection says about a team's own API: its requests, and where in the answers things stand."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from responder.providers.http.calls import (
    PLACEHOLDER,
    REQUEST,
    Call,
    Described,
    Form,
    Path,
    Span,
    check_placeholders,
    safe_url,
    texts,
)


class WhoAmI(Call):
    """Whom the system takes us for."""

    known: ClassVar[frozenset[str]] = frozenset()
    account: Path = "account"
    key_id: Path | None = None


class Stated(Call):
    """Where an answer says how a key is doing, and in which words."""

    state: Path
    live: tuple[str, ...] = Field(min_length=1)
    disabled: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    owner: Path | None = None
    last_used: Path | None = None

    @model_validator(mode="after")
    def _words_are_told_apart(self) -> Self:
        words = [*self.live, *self.disabled, *self.dead]
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} cannot mean two states")
        return self

    def meaning(self, word: str) -> str:
        """Return the state that a word means; `unknown` for one that was not described."""
        states = {**dict.fromkeys(self.live, "live"), **dict.fromkeys(self.disabled, "disabled")}
        return {**states, **dict.fromkeys(self.dead, "dead")}.get(word, "unknown")


class StateOf(Stated):
    """How a key is doing. Words that stand in none of the lists mean `unknown`, which counts as live."""

    reach: Path | None = None
    dead_since: Path | None = None
    """When a dead key died."""
    missing: Literal["dead", "unknown"] = "unknown"
    """What it means when the system knows no such key (404)."""


class ListOf(Stated):
    """Every key of the account, for `responder inventory check`. A state is told by words, as in `state`."""

    known: ClassVar[frozenset[str]] = frozenset()
    items: Path
    next: Path | None = None
    cursor: str = Field("after", pattern=r"^[A-Za-z0-9_.-]+$")
    """The query parameter that takes what stands at `next`."""
    key_id: Path = "id"
    name: Path | None = "name"

    @field_validator("request")
    @classmethod
    def _reads_only(cls, request: str) -> str:
        if not request.startswith("GET "):
            raise ValueError("must be a GET: the inventory is checked without changing anything")
        return request


class Find(Call):
    """How keys are listed, to find the one that an earlier try made."""

    known: ClassVar[frozenset[str]] = frozenset({"name"})
    items: Path
    next: Path | None = None
    cursor: str = Field("after", pattern=r"^[A-Za-z0-9_.-]+$")
    """The query parameter that takes what stands at `next`."""
    key_id: Path = "id"
    name: Path = "name"
    state: Path
    live: tuple[str, ...] = Field(min_length=1)
    claim: Path | None = None


class IssueCall(Call):
    """How a key is made. `{name}` bears the marker by which an orphan is found again."""

    known: ClassVar[frozenset[str]] = frozenset({"name", "owner", "email", "delivery", "scopes"})
    key_id: Path = "id"
    value: Path | None = None
    claim: Path | None = None
    find: Find

    @model_validator(mode="after")
    def _can_be_found_again(self) -> Self:
        if self.value is None and self.claim is None:
            raise ValueError("says neither `value` nor `claim`: nobody would get the new key")
        if "name" not in {name for text in texts([self.body, self.address]) for name in PLACEHOLDER.findall(text)}:
            raise ValueError("must send {name}: it marks the key, so that a lost one is found again")
        return self


class SessionsOf(Call):
    """The sessions that were opened with a key and are still open."""

    items: Path
    id: Path = "id"


class Probe(Form):
    """How the leaked value itself is presented, without our own credential."""

    surfaces: dict[str, str] = Field(min_length=1)
    """Every place that could accept it: a name, and `GET https://...`."""
    accepted: tuple[int, ...] = (200,)
    refused: tuple[int, ...] = (401, 403)

    @field_validator("surfaces")
    @classmethod
    def _are_requests(cls, surfaces: dict[str, str]) -> dict[str, str]:
        for name, request in surfaces.items():
            match = REQUEST.fullmatch(request)
            if not match or match[1] not in {"GET", "HEAD"}:
                raise ValueError(f"{name}: must be GET or HEAD and a whole URL; a probe changes nothing")
            check_placeholders(request, frozenset(), frozenset({"secret"}))
            safe_url(match[2])
        return surfaces

    @model_validator(mode="after")
    def _answers_are_told_apart(self) -> Self:
        both = set(self.accepted) & set(self.refused)
        if both:
            raise ValueError(f"status {min(both)} cannot mean both accepted and refused")
        return self


class KeyApi(Described):
    """The API of the keys. A verb that is not described is not offered."""

    shape: str = ""
    """A regular expression that finds such a key in text; its group `key_id`, if any, is read offline."""
    propagation: Span = timedelta(seconds=30)
    state: StateOf | None = None
    list: ListOf | None = None
    disable: Call | None = None
    revoke: Call | None = None
    issue: IssueCall | None = None
    sessions: SessionsOf | None = None
    end_sessions: Call | None = None
    probe: Probe | None = None

    @field_validator("shape")
    @classmethod
    def _compiles(cls, shape: str) -> str:
        try:
            pattern = re.compile(shape)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        if shape and pattern.search(""):
            raise ValueError("fits an empty text: it would find keys everywhere")
        return shape

    @model_validator(mode="after")
    def _can_be_read_back(self) -> Self:
        needs: Mapping[str, tuple[object, str, object]] = {
            "disable": (self.disable, "state", self.state),
            "revoke": (self.revoke, "state", self.state),
            "end_sessions": (self.end_sessions, "sessions", self.sessions),
            "issue with `value`": (self.issue and self.issue.value, "revoke", self.revoke or self.disable),
        }
        for name, (described, other, found) in needs.items():
            if described and not found:
                raise ValueError(f"{name} needs {other} as well, to read back or undo what it did")
        return self


class WriteSecret(Call):
    """How a secret is put into the store. With `{marker}`, a repeated write is recognised for certain."""

    known: ClassVar[frozenset[str]] = frozenset({"name", "value", "marker"})
    secret: ClassVar[frozenset[str]] = frozenset({"value"})

    @model_validator(mode="after")
    def _carries_the_value(self) -> Self:
        if "{value}" not in set(texts(self.body)):
            raise ValueError('the body must hold "{value}"')
        return self


class ReadSecret(Call):
    """What can be read about a secret: never its value."""

    known: ClassVar[frozenset[str]] = frozenset({"name"})
    version: Path
    marker: Path | None = None


class TestUse(Call):
    """How a consumer says whether its new credential works."""

    __test__ = False  # not a test case, whatever its name looks like to a test runner
    known: ClassVar[frozenset[str]] = frozenset({"name", "consumer"})
    elsewhere: ClassVar[bool] = True
    ok: Path
    key_id: Path | None = None


class StoreApi(Described):
    """The API of a secret store."""

    write: WriteSecret | None = None
    read: ReadSecret | None = None
    test: TestUse | None = None

    @model_validator(mode="after")
    def _can_be_read_back(self) -> Self:
        if self.write and not self.read:
            raise ValueError("write needs read as well, to read back what it did")
        return self


class Options(Described):
    """A team's own system, described: where it is, who we are there, its keys and its secrets."""

    base_url: str
    auth: Form = Form()
    identity: WhoAmI
    keys: KeyApi = KeyApi()
    secrets: StoreApi = StoreApi()

    @field_validator("base_url")
    @classmethod
    def _is_a_base(cls, base_url: str) -> str:
        if urlsplit(base_url).query or urlsplit(base_url).fragment:
            raise ValueError("must end before any ? or #")
        return safe_url(base_url).rstrip("/")

    def verbs(self) -> frozenset[str]:
        """Return the credential verbs that are described."""
        keys, secrets = self.keys, self.secrets
        described = {
            "inspect": keys.state,
            "disable": keys.disable,
            "revoke": keys.revoke,
            "issue": keys.issue,
            "sessions": keys.sessions,
            "end_sessions": keys.end_sessions,
            "prove_dead": keys.probe,
            "deliver": secrets.write,
            "test_consumer": secrets.test,
        }
        return frozenset(verb for verb, found in described.items() if found is not None)
