"""Official descriptions of systems' APIs: every request that a case makes is validated by its system's own.

The descriptions stand beside this repository, not in it. Where they are missing, nothing is validated, and
`test_requests_are_validated` says so by being skipped.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

from responder.testing.loopback import Seen

CONTRACTS = Path(__file__).resolve().parents[2].parent / "shared" / "contracts"


@dataclass(frozen=True)
class Contract:
    """What a system's requests must be like."""

    name: str
    """The file of the description."""
    prefix: str = ""
    """What our paths begin with beyond those of the description, such as `/api`."""
    beyond: Sequence[str] = ()
    """Regular expressions of the paths that the description leaves out, each with a reason beside it in the case."""
    as_sent: Callable[[Seen], Mapping[str, str]] = lambda seen: seen.headers
    """The headers to validate; a fake may stand where the real system has another host or another login."""

    @property
    def is_there(self) -> bool:
        return (CONTRACTS / self.name).is_file()

    def problems(self, seen: Sequence[Seen]) -> list[str]:
        """Return what is wrong with requests, a sentence each; nothing where the description is missing."""
        return [told for one in seen for told in self._problem(one)] if self.is_there else []

    def _problem(self, seen: Seen) -> list[str]:
        if any(re.fullmatch(pattern, seen.path) for pattern in self.beyond):
            return []
        origin = str(described(self.name)["servers"][0]["url"])
        path = seen.path.removeprefix(self.prefix)
        headers = dict(self.as_sent(seen))
        host, base = re.fullmatch(r"(https?://[^/]+)(.*)", origin).groups()  # type: ignore[union-attr]
        request = MockRequest(
            host, seen.method.lower(), base + path, args=dict(seen.query), headers=headers,
            data=seen.body, content_type=headers.get("content-type", ""),
        )  # fmt: skip
        try:
            contract(self.name).validate_request(request)
        except OpenAPIError as error:
            cause = error.__cause__ or error
            return [f"{seen.method} {seen.path}: {cause} {getattr(cause, 'schema_errors', '')}".strip()]
        return []


@cache
def described(name: str) -> dict[str, Any]:
    text = (CONTRACTS / name).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    return found


@cache
def contract(name: str) -> OpenAPI:
    return OpenAPI.from_dict(described(name), config=Config(spec_validator_cls=None))
