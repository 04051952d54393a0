"""Deploy keys: SSH keys that open one repository; they cannot be changed, only replaced."""

from typing import Any, NamedTuple

from responder.errors import ProviderError
from responder.providers.github.client import MISSING, Client, hidden
from responder.providers.github.options import DeployKeyId
from responder.providers.github.permissions import KEYS_READ, KEYS_WRITE
from responder.redaction import Secret


class DeployKey(NamedTuple):
    """A deploy key, as GitHub lists it."""

    id: DeployKeyId
    title: str
    public: str
    read_only: bool
    enabled: bool
    made_at: str
    last_used_at: str
    added_by: str

    @property
    def state(self) -> str:
        """`live`, or `disabled` where the organisation forbids deploy keys."""
        return "live" if self.enabled else "disabled"

    @property
    def reach(self) -> str:
        """What it opens, as scopes say it."""
        return self.id.repository if self.read_only else f"{self.id.repository}:write"


def keys_of(client: Client, repository: str) -> list[DeployKey]:
    """List every deploy key of a repository. ProviderError where GitHub does not show us the list."""
    found = client.pages(f"/repos/{repository}/keys", permission=KEYS_READ)
    return [_read(repository, one) for one in found]


def find(client: Client, key: DeployKeyId) -> DeployKey | None:
    """Return a deploy key; None where the whole list shows that it is gone.

    The key's own address would say 404 as well where the repository is hidden from us.
    """
    return next((one for one in keys_of(client, key.repository) if one.id == key), None)


def remove(client: Client, key: DeployKeyId) -> int:
    """Remove exactly this key, and return the status, which proves nothing."""
    path = f"/repos/{key.repository}/keys/{key.number}"
    return client.ask("DELETE", path, permission=KEYS_WRITE, write=True, expect=frozenset({MISSING})).status


def add(client: Client, repository: str, title: str, public: str, *, read_only: bool) -> DeployKey:
    """Give a repository a new key, and return it."""
    path = f"/repos/{repository}/keys"
    body = {"title": title, "key": public, "read_only": read_only}
    answer = client.ask("POST", path, permission=KEYS_WRITE, write=True, body=body, expect=frozenset({MISSING}))
    if answer.status == MISSING:
        raise hidden(path, KEYS_WRITE)
    return _read(repository, answer.json() or {})


def new_pair(client: Client) -> tuple[Secret, str]:
    """Make a key pair (Ed25519): the private half in OpenSSH's form, and the public half as one line."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return client.access.wire.take_in(text), public


def is_other(client: Client, key: DeployKey, private: Secret) -> bool:
    """Tell whether a key at GitHub is for certain not the one with this private half."""
    public = client.access.wire.with_value(private, _public_half)
    return bool(public) and public.split()[:2] != key.public.split()[:2]


def _public_half(private: str) -> str:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - slow to import
        Encoding,
        PublicFormat,
        load_pem_private_key,
        load_ssh_private_key,
    )

    for load in (load_ssh_private_key, load_pem_private_key):
        try:
            public: Any = load(private.encode(), None).public_key()
            return str(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
        except (ValueError, TypeError):  # in another form, or with a passphrase that we do not have
            continue
    return ""


def _read(repository: str, found: dict[str, Any]) -> DeployKey:
    number = found.get("id")
    if not isinstance(number, int):
        raise ProviderError("GitHub lists a deploy key without an id", where=repository)
    return DeployKey(
        id=DeployKeyId(repository, str(number)),
        title=str(found.get("title", "")),
        public=str(found.get("key", "")),
        read_only=found.get("read_only") is True,
        enabled=found.get("enabled") is not False,
        made_at=str(found.get("created_at") or ""),
        last_used_at=str(found.get("last_used") or ""),
        added_by=str(found.get("added_by") or ""),
    )
