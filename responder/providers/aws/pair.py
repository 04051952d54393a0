"""An access key as people hand it on: its id and its secret, as `ID:SECRET`, `ID:SECRET:TOKEN` or JSON."""

import base64
import json
import re
from collections.abc import Callable
from typing import NamedTuple

from responder.errors import ProviderError
from responder.redaction import Secret
from responder.transport import Wire

_ID = r"(?:AKIA|ASIA)[A-Z0-9]{16}"
SHAPE = rf"(?P<key_id>\b{_ID}\b)(?::[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+]))?"
_BARE = re.compile(_ID)
_PAIR = re.compile(rf"({_ID}):([A-Za-z0-9/+=]+)(?::([A-Za-z0-9/+=]+))?")
_NAMES = {
    "key_id": ("accesskeyid", "awsaccesskeyid"),
    "secret": ("secretaccesskey", "awssecretaccesskey"),
    "token": ("sessiontoken", "awssessiontoken"),
}
_NEW_FORM = 1 << 47
_ACCOUNT_MASK = 0x7FFFFFFFFF80


class Pair(NamedTuple):
    """An access key: its id, which is no secret, and what is."""

    key_id: str
    secret: Secret
    token: Secret | None = None
    """Comes with a temporary key (`ASIA...`), and only together they are accepted."""

    @property
    def is_temporary(self) -> bool:
        """Whether it belongs to a session, and not to a user."""
        return self.key_id.startswith("ASIA")


def parts_of(value: str) -> tuple[str, str, str] | None:
    """Return id, secret and session token of a value; None where it is no such pair."""
    value = value.strip()
    if found := _PAIR.fullmatch(value):
        return found[1], found[2], found[3] or ""
    try:
        data = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    plain = {re.sub("[^a-z]", "", str(name).lower()): text for name, text in data.items() if isinstance(text, str)}
    found_parts = [next((plain[name] for name in names if name in plain), "") for names in _NAMES.values()]
    key_id, secret, token = found_parts
    return (key_id, secret, token) if _BARE.fullmatch(key_id) and secret else None


def pair_of(wire: Wire, value: Secret, whose: str) -> Pair:
    """Read a secret as a pair; its parts are secrets by themselves from here on."""
    return wire.with_value(value, lambda text: _taken_in(text, wire.take_in, whose))


def _taken_in(text: str, take_in: Callable[[str], Secret], whose: str) -> Pair:
    parts = parts_of(text)
    if parts is None:
        raise ProviderError(
            f"{whose} is no access key with its secret",
            remedy="give it as ID:SECRET, or as JSON with AccessKeyId, SecretAccessKey and SessionToken if it has one",
        )
    key_id, secret, token = parts
    return Pair(key_id, take_in(secret), take_in(token) if token else None)


def key_id_in(value: str) -> str | None:
    """Read the key id out of a value, offline; the bare id is one, too."""
    value = value.strip()
    if _BARE.fullmatch(value):
        return value
    parts = parts_of(value)
    return parts[0] if parts else None


def account_in(key_id: str) -> str:
    """Return the account that a key id bears in itself, offline; empty for ids in the form of before 2019.

    The ten bytes behind the prefix hold the account's number from the second bit on. AWS does not document it;
    Aidan Steele found it, and moto makes its ids so. `sts:GetAccessKeyInfo` says the same with a call.
    """
    if not _BARE.fullmatch(key_id):
        return ""
    try:
        number = int.from_bytes(base64.b32decode(key_id[4:])[:6])
    except ValueError:
        return ""
    return f"{(number & _ACCOUNT_MASK) >> 7:012d}" if number & _NEW_FORM else ""


def as_stored(value: str) -> str:
    """Return what a consumer gets: a pair as the JSON that AWS's `credential_process` reads, all else as it is."""
    parts = parts_of(value)
    if parts is None:
        return value
    key_id, secret, token = parts
    told = {"Version": 1, "AccessKeyId": key_id, "SecretAccessKey": secret}
    return json.dumps(told | ({"SessionToken": token} if token else {}))
