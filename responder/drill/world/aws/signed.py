"""Signature Version 4, as the one who is asked checks it."""

import hashlib
import hmac
import re
from typing import NamedTuple
from urllib.parse import quote

from responder.drill.world.web import Request

_FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<product>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Signed(NamedTuple):
    """Who says to have signed a request, and how."""

    key_id: str
    date: str
    region: str
    product: str
    headers: tuple[str, ...]
    signature: str


def signed(request: Request) -> Signed | None:
    """Read a signature; None where there is none."""
    found = _FORM.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        return None
    names = tuple(found["headers"].split(";"))
    return Signed(found["id"], found["date"], found["region"], found["product"], names, found["signature"])


def is_signed_with(request: Request, claim: Signed, secret: str) -> bool:
    """Tell whether the request was signed with this secret."""
    query = "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
                            for name, value in request.query.items()))  # fmt: skip
    canonical = "\n".join(
        [
            request.method,
            request.path or "/",
            query,
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in claim.headers),
            "",
            ";".join(claim.headers),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    scope = f"{claim.date}/{claim.region}/{claim.product}/aws4_request"
    stamp = request.headers.get("x-amz-date", "")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (claim.date, claim.region, claim.product, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.new(key, text.encode(), "sha256").hexdigest(), claim.signature)
