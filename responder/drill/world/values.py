"""Who and what is in the world, and every secret value: a function of the seed alone."""

import random
import re
import string
from dataclasses import dataclass

TOKEN_SHAPE = re.compile(r"lum_(k_[a-z0-9]{8})_[A-Za-z0-9]{32}")
"""A key of the gateway; the group is its key id, so that it can be named without asking anybody."""
SECRET_SHAPE = re.compile(TOKEN_SHAPE.pattern + r"|hf_[A-Za-z]{34}")

_LOWER = string.ascii_lowercase + string.digits
_ALNUM = string.ascii_letters + string.digits
_FIRST = (
    "Ada", "Amara", "Björn", "Chiara", "Dmitri", "Elena", "Farid", "Grace", "Hana", "Ibrahim",
    "José", "Kwame", "Lina", "Mei", "Noor", "Olu", "Priya", "Ravi", "Sofía", "Zoë",
)  # fmt: skip
_LAST = (
    "Abara", "Bianchi", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ito", "Jansen",
    "Kowalski", "Lindqvist", "Mensah", "Novák", "O'Brien", "Park", "Quispe", "Rossi", "Sato",
)  # fmt: skip


@dataclass(frozen=True)
class Holder:
    """A person who was given the shared token."""

    id: str
    name: str
    email: str
    login: str


@dataclass(frozen=True)
class Staff:
    """A member of the company, as the chat knows them."""

    id: str
    name: str
    email: str
    chat_id: str


@dataclass(frozen=True)
class Consumer:
    """A place where the shared token is used."""

    id: str
    owner: str
    secret_name: str
    """The name under which the secret store keeps its token."""


@dataclass(frozen=True)
class Leaked:
    """A leaked value: its label, its id, and the systems that accept it."""

    label: str
    key_id: str
    systems: tuple[str, ...]


@dataclass(frozen=True)
class Inventory:
    """What somebody who runs these systems would know about them before anything happened."""

    account: str
    shared_key_id: str
    shared_key_name: str
    control_key_id: str
    admin_key_id: str
    hub_org: str
    hub_account: str
    """The user of the hub to whom our own token belongs."""
    hub_bot: str
    """The user of the hub to whom the token in the earlier commit belongs."""
    space: str
    own_space: str
    chat_team: str
    vault_account: str
    abuse_address: str
    mail_login: str
    exposed_before_seconds: int
    """How long before the clock's origin the Space was pushed."""
    consumers: tuple[Consumer, ...]
    holders: tuple[Holder, ...]
    staff: tuple[Staff, ...]

    @property
    def leaked(self) -> tuple[Leaked, ...]:
        """The two leaked values, and the systems that are their own."""
        return (
            Leaked("shared-token", self.shared_key_id, ("issuer", "edge")),
            Leaked("space-token", self.hub_bot, ("hub",)),
        )


def drawn(seed: int, label: str, length: int, letters: str = _ALNUM) -> str:
    """Return `length` letters that depend on the seed and the label alone, not on what was drawn before."""
    return "".join(random.Random(f"{seed}:{label}").choices(letters, k=length))


def key_id(seed: int, label: str) -> str:
    """Return the key id that belongs to a label."""
    return "k_" + drawn(seed, f"id:{label}", 8, _LOWER)


def token(seed: int, label: str, of_key: str) -> str:
    """Return the gateway's token of a label; the key id can be read in it."""
    return f"lum_{of_key}_{drawn(seed, f'token:{label}', 32)}"


def key_id_of(value: str) -> str | None:
    """Return the key id in a token of the gateway, or None where it is none."""
    found = TOKEN_SHAPE.fullmatch(value)
    return found.group(1) if found else None


def values_of(seed: int, holders: int = 300) -> dict[str, str]:
    """Return every secret value by its label, the same ones for the same seed."""
    values = {
        "shared-token": token(seed, "shared-token", key_id(seed, "shared-token")),
        "control-token": token(seed, "control-token", key_id(seed, "control-token")),
        "issuer-admin": "lumadmin_" + drawn(seed, "issuer-admin", 40),
        "slack-bot": "xoxb-" + drawn(seed, "slack-bot", 36),
        "slack-app": "xapp-1-A0RESPONDER-" + drawn(seed, "slack-app", 32),
        "slack-signing": drawn(seed, "slack-signing", 32, "0123456789abcdef"),
        "smtp-password": drawn(seed, "smtp-password", 24),
        "vault-token": "vlt_" + drawn(seed, "vault-token", 32),
    }
    for label in ("space-token", "hub-admin", "hub-control"):
        values[label] = "hf_" + drawn(seed, label, 34, string.ascii_letters)
    values["site-token-old"] = values["shared-token"]
    for number in range(1, holders + 1):
        label = f"holder-{number:03d}-password"
        values[label] = drawn(seed, label, 18)
    return values


def holders_of(seed: int, count: int) -> tuple[Holder, ...]:
    """Return the first `count` people who were given the shared token."""
    pairs = [(first, last) for first in _FIRST for last in _LAST]
    random.Random(f"{seed}:names").shuffle(pairs)
    found = []
    for number in range(1, count + 1):
        first, last = pairs[(number - 1) % len(pairs)]
        tag = f"h{number:03d}"
        found.append(Holder(f"h-{number:03d}", f"{first} {last}", f"{tag}@early.example", tag))
    return tuple(found)


_STAFF = (
    ("ines", "Inês Carvalho"), ("tomas", "Tomáš Dvořák"), ("ruth", "Ruth Adeyemi"), ("kenji", "Kenji Mori"),
    ("salma", "Salma Rahman"), ("leo", "Leo Martin"),
)  # fmt: skip


def inventory_of(seed: int, holders: int = 300) -> Inventory:
    """Return what is known about the systems, without any value of a secret."""
    staff = (Staff(name, full, f"{name}@lumen.example", f"U{name.upper()}") for name, full in _STAFF)
    return Inventory(
        account="lumen-gateway",
        shared_key_id=key_id(seed, "shared-token"),
        shared_key_name="early-access-shared",
        control_key_id=key_id(seed, "control-token"),
        admin_key_id=key_id(seed, "issuer-admin"),
        hub_org="lumen-labs",
        hub_account="lumen-security",
        hub_bot="lumen-space-bot",
        space="PR-Puppets/generate-with-lumen",
        own_space="lumen-labs/demo",
        chat_team="Lumen",
        vault_account="lumen-vault",
        abuse_address="abuse@hub.example",
        mail_login="responder@lumen.example",
        exposed_before_seconds=17 * 60,
        consumers=(Consumer("demo-site", "demo-site", "demo-site-token"),),
        holders=holders_of(seed, holders),
        staff=tuple(staff),
    )
