"""`responder.yaml` and the environment: connections, people, inventory, policy."""

import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from responder.errors import Problem, SettingsError
from responder.keychain import read_entry
from responder.redaction import Secret, looks_like_credential
from responder.sealing import Sealer
from responder.source import read

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
SecretRef = Annotated[str, Field(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|keyring:.+)$")]
"""Where a secret is read from: `env:NAME`, `file:PATH` or `keyring:NAME`. Never the value itself."""


def _day(value: object) -> date:
    """Read a day. ValueError for anything else."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("it is no day; write it like 2026-12-25")
    return date.fromisoformat(value)


Day = Annotated[date, BeforeValidator(_day, json_schema_input_type=str)]


LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def safe_base(url: str) -> str:
    """Return where a system is, without a slash at the end. ValueError where a secret could be overheard on its way."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("must be https (http is for loopback only)")
    return url.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(safe_base)]
"""Where a system is: https, or http on loopback."""


class _Model(BaseModel):
    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True, coerce_numbers_to_str=True
    )


class Person(_Model):
    """Somebody who may be asked, told, or made responsible."""

    name: str
    email: str = ""
    slack: str = ""
    os_user: str = ""
    """The login on this machine that speaks for this person."""
    roles: tuple[str, ...] = ()


class Holder(_Model):
    """Somebody who was given a credential."""

    id: Name
    name: str = ""
    email: str = ""
    person: str = ""
    """The id of the same human under `people`, where they are one of us; a holder never approves."""


class Consumer(_Model):
    """A place where a credential is used, and where a new one must be delivered."""

    id: Name
    connection: Name
    secret: str
    """Its name in the secret store."""
    kind: Literal["server", "client", "public"] = "server"
    """Who can read what it holds: only we, whoever runs it (an app, a browser), or anybody."""
    exposed: bool = False
    """Whether outsiders are known to see into it; nothing is delivered there, nor to `client` or `public` ones."""
    owner: str = ""
    """The id of a person."""
    seen_as: tuple[str, ...] = ()
    """How logs show it: the networks that it comes from, such as `192.0.2.0/24`, or parts of its program's name."""
    short_lived: bool = False
    """Whether it takes a credential that ends within the hour, and can do with that; nobody else is given one."""


class CredentialEntry(_Model):
    """One credential of the inventory: what makes it ours, and whom its end concerns."""

    id: Name
    connection: Name
    kind: str = "key"
    key_id: str = ""
    fingerprint: str = ""
    known_by: SecretRef | None = None
    """Where its value can be read, to recognise it offline when a fingerprint is not at hand."""
    owner: str = ""
    shared: bool = False
    holders: tuple[Holder, ...] = ()
    holders_file: str = ""
    """A CSV file with the columns id, name, email, and person if wanted; beside responder.yaml."""
    consumers: tuple[Consumer, ...] = ()

    @model_validator(mode="after")
    def _can_be_recognised(self) -> Self:
        if not (self.key_id or self.fingerprint or self.known_by):
            raise ValueError("cannot be recognised: give key_id, fingerprint or known_by")
        return self


class Connection(_Model):
    """A named account at a provider. Everything besides the common fields is the provider's own."""

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="allow", hide_input_in_errors=True, coerce_numbers_to_str=True
    )

    name: str = ""
    provider: Name
    account: str = ""
    """The account that it must turn out to be; a change on any other is refused."""
    secret: SecretRef | None = None
    control: SecretRef | None = None
    """A known-good credential of the same kind as the leaked ones, for proofs of death; never itself leaked."""

    @property
    def options(self) -> dict[str, Any]:
        """The provider's own fields."""
        return dict(self.model_extra or {})


def same_account(one: Connection, other: Connection) -> bool:
    """Tell whether two connections lead to the same account of the same provider."""
    return one.name == other.name or (one.provider, one.account) == (other.provider, other.account)


class Slack(_Model):
    """How people reach us at Slack, and we them."""

    connection: Name = "slack"
    """The connection whose `secret` is the app's bot token, and whose `account` is the workspace."""
    app_token: SecretRef | None = None
    """The app-level token with which `responder slack` listens (Socket Mode)."""
    signing_secret: SecretRef | None = None
    """What requests are signed with that come to `responder serve`."""
    command: Annotated[str, Field(pattern=r"^/[a-z0-9_-]{1,31}$")] = "/responder"
    """What people type."""
    reaction: Annotated[str, Field(pattern=r"^[a-z0-9_+'-]+$")] = "pushpin"
    """The reaction that puts a message of an incident's channel onto the timeline."""


class Organisation(_Model):
    """Who we are, as notices say it."""

    name: str = "our organisation"
    contact: str = ""
    """The person or address that notices name."""
    time_zone: str = "UTC"


class Settings(_Model):
    """Everything that responder.yaml holds."""

    organisation: Organisation = Organisation()
    people: dict[Name, Person] = {}
    connections: dict[Name, Connection] = {}
    inventory: tuple[CredentialEntry, ...] = ()
    canaries: tuple[str, ...] = ()
    """Key ids, fingerprints, or regular expressions between slashes; never probed, never revoked."""
    audiences: dict[Name, tuple[str, ...]] = {}
    """Named lists of mail addresses: executives, press, partner, ..."""
    holidays: dict[Name, tuple[Day, ...]] = {}
    """Named lists of days without business, written like 2026-12-25, for deadlines that count business days."""
    break_glass: tuple[Name, ...] = ()
    """Who may approve containment alone, with `--break-glass`: the ids of people. Everybody hears of it at once."""
    slack: Slack | None = None
    """How people reach us at Slack; without it nobody listens there."""
    store: str = ""
    """The file of the record, beside this one, or a `postgresql://` URL without a password, where neither --store nor
    RESPONDER_STORE names another."""
    sealing_key: Annotated[str, Field(pattern=r"^(keyring:.+)?$")] = ""
    """`keyring:NAME`: the entry of the keyring that seals secrets, in place of the file `sealing.key`."""
    clock: str = ""
    """The file of a drill's clock, beside this one; drills write it, and nobody else has a use for it."""
    facts: dict[str, Any] = {}
    """What templates may say of us: the programme's terms, who hears concerns, ..."""

    @field_validator("canaries")
    @classmethod
    def _patterns_compile(cls, canaries: tuple[str, ...]) -> tuple[str, ...]:
        for canary in canaries:
            if canary.startswith("/"):
                try:
                    re.compile(canary.strip("/"))
                except re.error as error:
                    raise ValueError(f"{canary} is not a regular expression: {error}") from None
        return canaries

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        wrong: list[str] = []
        for entry in self.inventory:
            named = [entry.connection, *(consumer.connection for consumer in entry.consumers)]
            wrong += [
                f"credential {entry.id!r} names the unknown connection {name!r}"
                for name in named
                if name not in self.connections
            ]
            owners = [
                entry.owner,
                *(one.owner for one in entry.consumers),
                *(one.person for one in entry.holders),
            ]
            wrong += [
                f"credential {entry.id!r} names the unknown person {name!r}"
                for name in owners
                if name and name not in self.people
            ]
        wrong += [
            f"`break_glass` names the unknown person {name!r}" for name in self.break_glass if name not in self.people
        ]
        if self.slack is not None and self.slack.connection not in self.connections:
            wrong.append(f"`slack` names the unknown connection {self.slack.connection!r}")
        accounts = [person.slack for person in self.people.values() if person.slack]
        wrong += [
            f"the Slack account {name!r} speaks for several people"
            for name in sorted(set(accounts))
            if accounts.count(name) > 1
        ]
        logins = [person.os_user for person in self.people.values() if person.os_user]
        wrong += [
            f"the login {name!r} speaks for several people" for name in sorted(set(logins)) if logins.count(name) > 1
        ]
        ids = [entry.id for entry in self.inventory]
        wrong += [f"the credential {name!r} stands twice" for name in {name for name in ids if ids.count(name) > 1}]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def people_in(self, role: str) -> list[str]:
        """Return the ids of those who have a role."""
        return [name for name, person in self.people.items() if role in person.roles]

    def person_of(self, os_user: str) -> str:
        """Return the id of the person for whom a login speaks; empty where there is none: they may only look."""
        return next((name for name, person in self.people.items() if person.os_user and person.os_user == os_user), "")


def load_settings(path: Path | None) -> Settings:
    """Read responder.yaml; without a file everything is empty. SettingsError names every problem with its place."""
    if path is None:
        return Settings()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The configuration cannot be read: {type(error).__name__}",
            where=str(path),
            remedy="`responder init` writes one",
        ) from None
    source = read(text, path.name, SettingsError)
    if source.data is None:
        return Settings()
    problems = [
        Problem(
            f"{'.'.join(map(str, place))} seems to hold a credential",
            source.place(place),
            "name its place: env:NAME, file:PATH or keyring:NAME",
        )
        for place, value in _texts(source.data)
        if looks_like_credential(value)
    ]
    settings, wrong = source.check(Settings)
    if settings is None or problems:
        raise SettingsError(problems=(*problems, *wrong))
    return _with_files(settings, path)


def _texts(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(data, str):
        return [(path, data)]
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for key, value in items for found in _texts(value, (*path, key))]


def _with_files(settings: Settings, path: Path) -> Settings:
    """Read the holders' files, and tell each connection its name."""
    problems: list[Problem] = []
    inventory = tuple(_with_holders(entry, path.parent, settings, problems) for entry in settings.inventory)
    if problems:
        raise SettingsError(problems=tuple(problems))
    connections = {name: one.model_copy(update={"name": name}) for name, one in settings.connections.items()}
    return settings.model_copy(update={"inventory": inventory, "connections": connections})


def _with_holders(entry: CredentialEntry, folder: Path, settings: Settings, problems: list[Problem]) -> CredentialEntry:
    """Read the file of a credential's holders, if it has one; each holder stands once, and is whom the row says."""
    seen = {holder.id for holder in entry.holders}
    if len(seen) < len(entry.holders):
        problems.append(Problem(f"two holders of {entry.id!r} have the same id", f"inventory {entry.id}"))
    if not entry.holders_file:
        return entry
    import csv  # noqa: PLC0415 - only where a file is named

    path = folder / entry.holders_file
    holders: list[Holder] = list(entry.holders)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            for row in rows:
                place = f"{path.name}:{rows.line_num}:1"
                if None in row:
                    problems.append(
                        Problem(
                            "this row has more fields than the first line names",
                            place,
                            "put names with commas in quotes",
                        )
                    )
                    continue
                try:
                    holder = Holder.model_validate({k: (v or "").strip() for k, v in row.items()})
                except ValidationError as error:
                    first = error.errors(include_input=False)[0]
                    name = ".".join(map(str, first["loc"]))
                    problems.append(Problem(f"{name}: {first['msg']}", place))
                    continue
                if holder.id in seen:
                    problems.append(Problem(f"the holder {holder.id!r} stands twice", place))
                if holder.person and holder.person not in settings.people:
                    problems.append(
                        Problem(
                            f"names the unknown person {holder.person!r}",
                            place,
                            "they could approve the end of what they hold",
                        )
                    )
                seen.add(holder.id)
                holders.append(holder)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem(f"The holders of {entry.id!r} cannot be read: {type(error).__name__}", str(path)))
    return entry.model_copy(update={"holders": tuple(holders)})


SHORTEST_SECRET = 6
"""A shorter value would be struck out of ordinary words."""


def open_secret(reference: str, sealer: Sealer, environment: Mapping[str, str] | None = None) -> Secret:
    """Read a secret from where a reference says. SettingsError where it is missing or empty."""
    kind, _, name = reference.partition(":")
    value = ""
    if kind == "env":
        value = (os.environ if environment is None else environment).get(name, "")
    elif kind == "file":
        try:
            value = Path(name).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            value = ""
    elif kind == "keyring":
        value = read_entry(name)
    if not value.strip():
        raise SettingsError(
            f"The secret {reference} is missing or empty",
            where=reference,
            remedy="set it where responder runs",
        )
    if len(value.strip()) < SHORTEST_SECRET:
        raise SettingsError(
            f"The secret {reference} is shorter than {SHORTEST_SECRET} characters",
            where=reference,
            remedy="nobody could strike it out of what we write, and anybody can guess it",
        )
    return sealer.secret(value.strip("\r\n"))
