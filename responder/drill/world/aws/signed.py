"""Signature Version 4, as the one who is asked checks it."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode

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
    return hmac.compare_digest(_signature(request, claim, secret), claim.signature)


def form(pair: str, product: str, fields: Mapping[str, str], now: datetime) -> Request:
    """Make the signed request of somebody in the world who asks a product something, with `ID:SECRET`."""
    key_id, _, secret = pair.partition(":")
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": "application/x-www-form-urlencoded", "host": f"{product}.amazonaws.com"}
    headers["x-amz-date"] = stamp
    request = Request("POST", "/", {}, headers, urlencode(fields).encode(), now)
    claim = Signed(key_id, stamp[:8], "us-east-1", product, ("host", "x-amz-date"), "")
    scope = f"{key_id}/{claim.date}/{claim.region}/{product}/aws4_request"
    signature = _signature(request, claim, secret)
    names = ";".join(claim.headers)
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}"
    return request


def _signature(request: Request, claim: Signed, secret: str) -> str:
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
    return hmac.new(key, text.encode(), "sha256").hexdigest()
