"""Signing in as a GitHub App: its private key signs a note of our own, and GitHub gives a token for it."""

import base64
import json
from datetime import datetime

from responder.errors import Denied
from responder.redaction import Secret
from responder.transport import Wire

_BACK = 60
"""Seconds by which the note is dated back: clocks differ, and GitHub refuses one from the future."""
_GOOD_FOR = 540
"""Seconds for which it is good; GitHub takes ten minutes at most."""


def signed_note(wire: Wire, private_key: Secret, app_id: str, now: datetime) -> Secret:
    """Return a JSON web token (RS256) by which GitHub knows the app. Denied where the key cannot sign."""
    seconds = int(now.timestamp())
    claims = {"iat": seconds - _BACK, "exp": seconds + _GOOD_FOR, "iss": app_id}
    said = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (_HEADER, claims))
    return wire.take_in(f"{said}.{_encoded(wire.with_value(private_key, lambda pem: _sign(pem, said.encode())))}")


_HEADER = {"alg": "RS256", "typ": "JWT"}


def _sign(pem: str, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise Denied(
            "The connection's secret is no private key of a GitHub App",
            remedy="`app_id` is set: give the PEM file that GitHub made for the app",
        )
    return key.sign(data, PKCS1v15(), SHA256())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
