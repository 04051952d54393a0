"""What AWS's error codes mean, and what may be done next."""

from collections.abc import Mapping
from typing import Any

from responder.errors import Denied, ProviderError, Unavailable

DEAD = frozenset({"InvalidClientTokenId", "UnrecognizedClientException"})
"""No such key, or one that is switched off. A temporary key that comes without its token is answered so, too."""
WRONG_SECRET = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException"})
"""The key id exists, and this is not its secret."""
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
FORBIDDEN = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
"""The key was accepted, and what it asked for is not allowed."""
_GONE = frozenset({"NoSuchEntity", "NoSuchEntityException", "ResourceNotFoundException", "ParameterNotFound"})
_BUSY = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "RequestThrottled",
        "RequestThrottledException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "EntityTemporarilyUnmodifiable",
        "ConcurrentModification",
        "TooManyUpdates",
    }
)
_FORBIDDEN_STATUS = 403


class Gone(ProviderError):
    """There is no such thing."""


class LimitReached(ProviderError):
    """There are as many already as AWS allows."""


def code_of(response: Mapping[str, Any]) -> str:
    """Return AWS's own word for what is wrong."""
    return str((response.get("Error") or {}).get("Code", ""))


def is_explicit(response: Mapping[str, Any]) -> bool:
    """Tell whether a refusal names a deny in a policy, and not a missing permission.

    IAM says which of the two it is in the sentence alone (IAM guide, "Troubleshoot access denied error messages").
    """
    return "explicit deny" in str((response.get("Error") or {}).get("Message", ""))


def refusal(response: Mapping[str, Any], place: str, permission: str) -> ProviderError:
    """Turn an answer that is an error into what may be done next; every one of these says that nothing changed."""
    code = code_of(response)
    status = int((response.get("ResponseMetadata") or {}).get("HTTPStatusCode", 0))
    if code in _BUSY:
        return Unavailable(f"AWS is busy ({code})", where=place)
    if code in DEAD | WRONG_SECRET | EXPIRED:
        return Denied(
            f"AWS does not accept our own credential ({code})",
            where=place,
            remedy=f"check the connection's secret; it needs: {permission}",
        )
    if code in FORBIDDEN or (status == _FORBIDDEN_STATUS and code not in _GONE):
        return Denied(f"AWS refuses us ({code})", where=place, remedy=f"our credential needs: {permission}")
    if code in _GONE:
        return Gone(f"AWS knows no such thing ({code})", where=place, remedy="check the name")
    if code == "LimitExceeded":
        return LimitReached(f"AWS allows no more of them ({code})", where=place, remedy="delete one that nobody uses")
    return ProviderError(f"AWS does not accept the request ({code})", where=place, remedy="see what the code says")
