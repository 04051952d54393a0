"""Whether a message is GitHub's: webhooks, and reports of the secret scanning partner programme. Nothing is sent."""

import base64
import binascii
import hashlib
import hmac


def verify_webhook(secret: bytes, body: bytes, header: str) -> bool:
    """Tell whether `X-Hub-Signature-256` of a webhook is right for the body exactly as it arrived."""
    expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    # As bytes: compare_digest refuses text that is not ASCII, and anybody may send such a header.
    return hmac.compare_digest(expected.encode(), header.encode(errors="replace"))


def verify_partner(public_key_pem: str, signature: str, body: bytes) -> bool:
    """Tell whether `Github-Public-Key-Signature` of a report is right for the body exactly as it arrived.

    ECDSA over P-256 with SHA-256, the signature DER in base64. The key is that of `Github-Public-Key-Identifier` among
    those at `/meta/public_keys/secret_scanning`. Whatever cannot be read is not right.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(public_key_pem.encode())
        data = base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return False
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        return False
    try:
        key.verify(data, body, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
