"""A report that a credential is where it should not be: what a person or a scanner says becomes a Finding."""

import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from responder.errors import FindingError, Problem
from responder.redaction import CREDENTIAL_SHAPES, Secret, looks_like_credential
from responder.sealing import Sealer

_FIRST_YEAR, _LAST_YEAR = 1970, 2999


def _in_our_time(at: datetime) -> datetime:
    """Refuse a moment that no incident has, and from which no calendar could count. ValueError says so."""
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise ValueError(f"a moment lies in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]


class Exposure(BaseModel):
    """Where the credential was seen, and since when."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = ""
    place: str = ""
    """In words, where a URL does not say it: a file, a commit, a channel."""
    kind: Literal["public", "private", "unknown"] = "unknown"
    exposed_at: Moment | None = None
    """Since when it was there; None while nobody knows."""


class Finding(BaseModel):
    """One credential that was found in one place. The value, where we have it, is a Secret."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    value: Secret | None = None
    key_id: str = ""
    connection: str = ""
    """The connection of its issuer, where the finder knows it."""
    kind: str = ""
    exposure: Exposure = Field(default_factory=Exposure)
    reported_by: str = ""
    reported_at: Moment | None = None
    aware_at: Moment | None = None
    """When we were reasonably certain; the moment of intake where nothing else is said."""
    public_coverage_at: Moment | None = None
    summary: str = ""

    @model_validator(mode="after")
    def _names_a_credential(self) -> Self:
        if self.value is None and not self.key_id:
            raise ValueError("names no credential: give `value` or `key_id`")
        return self

    @property
    def fingerprint(self) -> str:
        """The keyed hash of the value; empty where only an id is known."""
        return self.value.fingerprint if self.value else ""


def read_finding(text: str, source: str, sealer: Sealer, value: Secret | None = None) -> Finding:
    """Make a Finding of a report: our own JSON, or free text that holds exactly one credential.

    `value` is the secret where it was given apart from the report. FindingError names every problem at once.
    """
    stripped = text.strip()
    for name, shape in CREDENTIAL_SHAPES.items():
        if name not in {
            "aws",
            "private key",
        }:  # an id and a first line; all others are values, wherever they stand
            for match in shape.finditer(stripped):
                sealer.secret(match.group())
    if not stripped:
        raise FindingError(
            "The finding is empty",
            where=source,
            remedy="give JSON with `value` or `key_id`, or text that holds the credential",
        )
    if not stripped.startswith(("{", "[")):
        return _from_text(stripped, source, sealer, value)
    try:
        data = json.loads(stripped)
    except json.JSONDecodeError as error:
        raise FindingError(
            f"The finding is not valid JSON: {error.msg}", where=f"{source}:{error.lineno}:{error.colno}"
        ) from None
    except (ValueError, RecursionError):
        raise FindingError(
            "The finding is nested too deeply, or holds a number without end", where=f"{source}:1:1"
        ) from None
    if not isinstance(data, dict):
        raise FindingError("The finding is a list", where=f"{source}:1:1", remedy="give one finding: a JSON object")
    return _from_data(data, source, sealer, value)


def _from_data(data: dict[str, Any], source: str, sealer: Sealer, value: Secret | None) -> Finding:
    raw = data.pop("value", None)
    if raw is not None and not (isinstance(raw, str) and raw.strip()):
        raise FindingError("`value` is not text", where=f"{source}.value", remedy="put it in quotes, or leave it out")
    if looks_like_credential(str(data.get("key_id", ""))):
        raise FindingError(
            "`key_id` holds a credential itself, not its id",
            where=f"{source}.key_id",
            remedy="give it as `value`",
        )
    if value is not None:
        data["value"] = value
    elif isinstance(raw, str) and raw.strip():
        data["value"] = sealer.secret(raw.strip())
    try:
        return Finding.model_validate(data)
    except ValidationError as error:
        problems = tuple(
            Problem(item["msg"].removeprefix("Value error, "), ".".join([source, *map(str, item["loc"])]))
            for item in error.errors(include_input=False, include_url=False)
        )
        raise FindingError(problems=problems) from None


def _from_text(text: str, source: str, sealer: Sealer, value: Secret | None) -> Finding:
    if value is None:
        found = {match.group() for shape in CREDENTIAL_SHAPES.values() for match in shape.finditer(text)}
        if len(found) != 1:
            raise FindingError(
                f"The text holds {len(found) or 'no'} recognisable credentials, not one",
                where=source,
                remedy="give JSON with `value` and `connection`, or the value by --secret-from",
            )
        value = sealer.secret(found.pop())
    url = re.search(r"https?://[^\s\"'<>]+", text)
    exposure = Exposure(url=url.group() if url else "")
    return Finding(value=value, exposure=exposure, summary=sealer.redactor.scrub(text)[:2000])


def moment(text: str, where: str) -> datetime:
    """Read a point in time with its zone. FindingError where the zone is missing: clocks hang on it."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise FindingError(
            f"{text!r} is not a time with a zone",
            where=where,
            remedy="write it like 2026-05-02T09:20:00+00:00",
        )
    try:
        return _in_our_time(parsed)
    except ValueError as error:
        raise FindingError(f"{text[:40]!r}: {error}", where=where, remedy="look at the year") from None
