"""Secrets at rest: fingerprints, and the only way in which a secret may be kept."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from responder.errors import RecordError, SettingsError
from responder.keychain import OURS, read_entry
from responder.redaction import Redactor, Secret

_KEYRING = "keyring:"
_KEY_BYTES = 32
_NONCE_BYTES = 12  # AES-GCM, NIST SP 800-38D section 8.2


class Sealed(NamedTuple):
    """A sealed value: its ciphertext, and its own key wrapped by the master key.

    Dropping the wrapped key shreds the value, wherever copies of the ciphertext may be.
    """

    wrapped_key: bytes
    ciphertext: bytes


class Sealer:
    """Makes secrets out of values, seals them, and signs entries; holds the installation's master key."""

    def __init__(self, master_key: bytes, redactor: Redactor) -> None:
        if len(master_key) != _KEY_BYTES:
            raise SettingsError("The sealing key does not have 32 bytes", remedy="make one with `responder init`")
        self._wrap = _derive(master_key, b"wrap")
        self._fingerprint = _derive(master_key, b"fingerprint")
        self._sign = hmac.new(_derive(master_key, b"timeline"), digestmod=hashlib.sha256)
        self.redactor = redactor

    def secret(self, value: str) -> Secret:
        """Take a value in: from here on it is a Secret, and the Redactor knows it."""
        secret = Secret(value, self.fingerprint(value))
        self.redactor.learn(secret)
        return secret

    def fingerprint(self, value: str) -> str:
        """Return the keyed hash by which a value is known here: equal values, equal fingerprints."""
        return (
            "fp:" + hmac.new(self._fingerprint, value.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:16]
        )

    def sign(self, data: bytes) -> str:
        """Return the HMAC of an entry's hash, whose key is never in the store."""
        mac = self._sign.copy()
        mac.update(data)
        return mac.hexdigest()

    @property
    def check(self) -> str:
        """What a store remembers of the key, so that another key is told from a forged record."""
        return self.sign(b"responder: the key of this store")

    def seal(self, secret: Secret, about: str) -> Sealed:
        """Seal a secret; it opens only together with the same `about`."""
        return self.seal_bytes(secret.reveal().encode(errors="surrogatepass"), about)

    def unseal(self, sealed: Sealed, about: str) -> Secret:
        """Open what `seal` made. RecordError where key, text or `about` do not fit."""
        return self.secret(self.unseal_bytes(sealed, about).decode(errors="surrogatepass"))

    def seal_bytes(self, data: bytes, about: str) -> Sealed:
        """Seal evidence: the same as for a secret, for bytes."""
        key = os.urandom(_KEY_BYTES)
        return Sealed(_encrypt(self._wrap, key, about), _encrypt(key, data, about))

    def unseal_bytes(self, sealed: Sealed, about: str) -> bytes:
        """Open what `seal_bytes` made. RecordError where key, data or `about` do not fit."""
        if not sealed.wrapped_key:
            raise RecordError("This sealed value was shredded", where=about)
        return _decrypt(_decrypt(self._wrap, sealed.wrapped_key, about), sealed.ciphertext, about)


def _derive(master_key: bytes, purpose: bytes) -> bytes:
    """Derive one key a purpose (HKDF-Expand of RFC 5869, one block; the master key is uniformly random)."""
    return hmac.new(master_key, b"responder/1/" + purpose + b"\x01", hashlib.sha256).digest()


def _encrypt(key: bytes, data: bytes, about: str) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - slow to import

    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, about.encode())


def _decrypt(key: bytes, data: bytes, about: str) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    try:
        return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], about.encode())
    except (InvalidTag, ValueError):
        raise RecordError(
            "A sealed value does not open with this sealing key",
            where=about,
            remedy="use the key that the store was written with: RESPONDER_SEALING_KEY, `sealing_key:` in "
            "responder.yaml, or sealing.key beside it",
        ) from None


def load_master_key(
    path: Path, environment: Mapping[str, str], *, create: bool, named: str = "", momentary: bool = False
) -> bytes:
    """Read the master key from RESPONDER_SEALING_KEY, else from where it is `named`, else from `path`.

    The variable holds it in base64, or is `keyring:NAME`, as `named` is. The file is made if `create`; if
    `momentary`, a key stands in for it that is kept nowhere. The key is never in the store. SettingsError where it is
    missing, malformed, or readable by others; RecordError where it cannot be made.
    """
    given = environment.get("RESPONDER_SEALING_KEY")
    if given is None or given.startswith(_KEYRING):
        named = given or named
    else:
        return _decode_key(given, "RESPONDER_SEALING_KEY")
    if named:
        return _decode_key(_from_keyring(named.removeprefix(_KEYRING)), named)
    try:
        return os.urandom(_KEY_BYTES) if momentary and not path.exists() else _read_key(path, create=create)
    except OSError as error:
        kind = RecordError if create else SettingsError  # where there is no key yet, no record can be begun
        raise kind(
            f"The sealing key cannot be read or made: {error.strerror or type(error).__name__}",
            where=str(path),
            remedy="free space, or mend the rights of its folder",
        ) from None


def _from_keyring(name: str) -> str:
    made = f"`openssl rand -base64 32 | keyring set {OURS} {name}` makes one; a store that exists needs its own"
    return read_entry(name, made)


def _read_key(path: Path, *, create: bool) -> bytes:
    if not path.exists():
        if not create:
            raise SettingsError(
                "There is no sealing key for this store",
                where=str(path),
                remedy="set RESPONDER_SEALING_KEY, or restore the file",
            )
        _write_key(path)
    if path.stat().st_mode & 0o077:
        raise SettingsError("Others may read the sealing key", where=str(path), remedy=f"chmod 600 {path}")
    return _decode_key(path.read_text(encoding="ascii", errors="replace"), str(path))


def _write_key(path: Path, key: bytes = b"") -> None:
    """Write a new key, whole or not at all: a key that is half there would be read by whoever starts beside us."""
    new = [path, *(folder for folder in path.parents if not folder.exists())]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(key or os.urandom(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first; its key counts
            os.link(draft, path)
        for one in new:  # else a power cut may leave what was sealed with it, on a server, without it
            _sync_folder(one.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put on disk what stands in a folder, where we may and its file system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def share_key(path: Path, other: Path) -> Path:
    """Keep the key of a file in another place, too; return that place.

    SettingsError where another key is there: what that one sealed needs it.
    """
    key = _read_key(path, create=False)
    if not other.exists():
        _write_key(other, key)
    if _read_key(other, create=False) != key:
        raise SettingsError(
            "Another sealing key is where this host looks for that of the new store",
            where=str(other),
            remedy=f"set RESPONDER_SEALING_KEY to the key in {path} wherever the new store is used",
        )
    return other


def _decode_key(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise SettingsError(
            "The sealing key is not 32 bytes in base64",
            where=where,
            remedy="restore the key that the store was written with",
        )
    return key
