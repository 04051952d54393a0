"""Policies: what is allowed, what is denied, and from when on a change of them is felt."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

_AWS = "arn:aws:iam::aws:policy/"


def _policy(effect: str, *actions: str) -> str:
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


MANAGED: dict[str, str] = {
    f"{_AWS}AdministratorAccess": _policy("Allow", "*"),
    f"{_AWS}ReadOnlyAccess": _policy("Allow", "*:Get*", "*:List*", "*:Describe*"),
    f"{_AWS}AWSCompromisedKeyQuarantineV3": _policy(
        "Deny", "iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:PutUserPolicy", "iam:AttachUserPolicy",
        "iam:CreateUser", "iam:CreateLoginProfile", "ec2:RunInstances", "lambda:CreateFunction",
    ),
}  # fmt: skip
"""The few policies of AWS's own that a drill needs; AWS attaches the last one itself, and says not to remove it."""


@dataclass
class Timed:
    """Named texts whose changes are felt after a while."""

    _past: list[tuple[datetime, dict[str, str]]] = field(default_factory=list)

    @property
    def listed(self) -> dict[str, str]:
        """What IAM lists at once, whether it is felt yet or not."""
        return dict(self._past[-1][1]) if self._past else {}

    def felt(self, now: datetime) -> dict[str, str]:
        """Return what is in force."""
        return next((texts for at, texts in reversed(self._past) if at <= now), {})

    def put(self, name: str, text: str | None, at: datetime) -> None:
        """Set a text, or take it away; it is felt from `at` on."""
        texts = self.listed
        texts.pop(name, None)
        if text is not None:
            texts[name] = text
        self._past.append((at, texts))


def statements(document: str) -> list[dict[str, Any]]:
    """Return the statements of a policy. ValueError where it is none."""
    found = json.loads(document)
    listed = found["Statement"] if isinstance(found, dict) and "Statement" in found else None
    if isinstance(listed, dict):
        listed = [listed]
    if not isinstance(listed, list) or not all(isinstance(one, dict) and "Effect" in one for one in listed):
        raise ValueError("no policy")
    return listed


def decide(documents: Iterable[str], action: str, context: Mapping[str, str]) -> str:
    """Return `allowed`, `explicitDeny` or `implicitDeny`, as IAM's simulator names them; resources are all alike."""
    effects = {
        one["Effect"]
        for document in documents
        for one in statements(document)
        if _names(one, action) and _holds(one.get("Condition") or {}, context)
    }
    if "Deny" in effects:
        return "explicitDeny"
    return "allowed" if "Allow" in effects else "implicitDeny"


def _many(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _names(statement: Mapping[str, Any], action: str) -> bool:
    given = "Action" if "Action" in statement else "NotAction"
    fits = any(fnmatchcase(action.lower(), each.lower()) for each in _many(statement.get(given, [])))
    return fits == (given == "Action")


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    known = {name.lower(): value for name, value in context.items()}
    return all(
        _one_holds(operator, _many(wanted), known.get(name.lower()))
        for operator, asked in conditions.items()
        for name, wanted in asked.items()
    )


def _one_holds(operator: str, wanted: list[str], value: str | None) -> bool:
    if operator in ("NotIpAddress", "IpAddress"):
        inside = value is not None and any(ip_address(value) in ip_network(one, strict=False) for one in wanted)
        return inside == (operator == "IpAddress")  # a key that is missing is outside of every network
    if value is None:
        return False
    if operator == "DateLessThan":
        return moment(value) < moment(wanted[0])
    if operator in ("Bool", "StringEquals"):
        return value.lower() in [one.lower() for one in wanted]
    raise ValueError(f"the drill's IAM does not know {operator}")


def moment(text: str) -> datetime:
    """Read a time as policies have it."""
    return datetime.fromisoformat(text).astimezone(UTC)
