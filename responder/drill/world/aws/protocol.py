"""How AWS is asked and answers: forms and XML for IAM and STS, JSON 1.1 for the others."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from responder.drill.world.ledger import Effect
from responder.drill.world.web import Answer, Rejected, Request

_SPACES = {"iam": "https://iam.amazonaws.com/doc/2010-05-08/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
_IN_JSON = {
    "AccessDenied": "AccessDeniedException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "ExpiredToken": "ExpiredTokenException",
    "Throttling": "ThrottlingException",
}
_OUTCOMES = {"AccessDenied": "denied", "Throttling": "limited"}
"""How the ledger names refusals that say nothing of the credential: it was accepted, or not looked at."""
_REQUEST_ID = "00000000-0000-4000-8000-000000000000"


class Refused(Exception):
    """The operation is answered with this error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


@dataclass
class Done:
    """What an operation answers, and what it changed."""

    result: dict[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    traced: dict[str, Any] | None = None
    """What CloudTrail shows of the answer."""


@dataclass
class Call:
    """One operation as it was asked for."""

    product: str
    region: str
    operation: str
    fields: Mapping[str, Any]
    caller: Any = None
    """The key or the session that signed."""

    def text(self, name: str) -> str:
        """Return a field that must be there."""
        value = str(self.fields.get(name) or "")
        if not value:
            raise Refused(400, "ValidationError", f"1 validation error detected: {name} must not be null")
        return value

    def many(self, name: str) -> list[str]:
        """Return a list as the Query protocol has it: `Name.member.1`, `Name.member.2`."""
        found: list[str] = []
        while (value := self.fields.get(f"{name}.member.{len(found) + 1}")) is not None:
            found.append(str(value))
        return found

    def page(self, name: str, items: list[Any], size: int) -> Done:
        """Return the part of a list that is asked for."""
        start = int(self.fields.get("Marker") or 0)
        more = start + size < len(items)
        told = {name: items[start : start + size], "IsTruncated": more}
        return Done(told | ({"Marker": str(start + size)} if more else {}))


def asked(request: Request) -> Call:
    """Read which operation of which product is asked for. Rejected where the request is signed by nobody."""
    scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request", request.headers.get("authorization", ""))
    if scope is None:
        raise Rejected(403, "MissingAuthenticationToken")
    region, product = scope[1], scope[2]
    target = request.headers.get("x-amz-target", "")
    operation = target.rpartition(".")[2] or str(request.fields.get("Action", ""))
    return Call(product, region, operation, request.fields)


def answered(call: Call, done: Done, headers: Mapping[str, str]) -> Answer:
    """Return the answer of an operation as its product writes it."""
    if call.product not in _SPACES:
        body = json.dumps(done.result, default=_epoch)
        return Answer(200, body, done.effects, headers, "application/x-amz-json-1.1")
    name, space = call.operation, _SPACES[call.product]
    inner = f"<{name}Result>{_xml(done.result)}</{name}Result>" if done.result else ""
    body = (
        f'<{name}Response xmlns="{space}">{inner}<ResponseMetadata><RequestId>{_REQUEST_ID}</RequestId>'
        f"</ResponseMetadata></{name}Response>"
    )
    return Answer(200, body, done.effects, headers, "text/xml")


def refused(product: str, refusal: Refused, headers: Mapping[str, str]) -> Answer:
    """Return an error as the product writes it."""
    outcome = _OUTCOMES.get(refusal.code, "")
    if product not in _SPACES:
        code = _IN_JSON.get(refusal.code, refusal.code)
        status = 400 if refusal.status < 500 else refusal.status  # noqa: PLR2004 - JSON services say all with 400
        outcome = outcome or ("refused" if code in _IN_JSON.values() else "")
        body = json.dumps({"__type": code, "message": refusal.message})
        return Answer(status, body, (), headers, "application/x-amz-json-1.1", outcome)
    body = (
        f'<ErrorResponse xmlns="{_SPACES[product]}"><Error><Type>Sender</Type><Code>{escape(refusal.code)}</Code>'
        f"<Message>{escape(refusal.message)}</Message></Error><RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"
    )
    return Answer(refusal.status, body, (), headers, "text/xml", outcome)


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(inner)}</{name}>" for name, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return "".join(f"<member>{_xml(one)}</member>" for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return escape(str(value))


def _epoch(value: object) -> float:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return value.timestamp()
