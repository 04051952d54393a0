"""What the providers' own tests share: a bench around a case's fake."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases.every import case_of
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest

from responder.testing.bench import Bench
from responder.testing.loopback import Seen

CONTRACTS = Path(__file__).resolve().parents[1].parent / "shared" / "contracts"


@contextlib.contextmanager
def bench_of(provider: str) -> Iterator[Bench]:
    """Run a provider's fake."""
    case = case_of(provider)
    with case.open() as live:
        bench = Bench(case.provider, live)
        try:
            yield bench
        finally:
            bench.transport.close()


def check_requests(name: str, origin: str, seen: list[Seen]) -> list[str]:
    """Validate requests by an official description; return the paths that it knows."""
    if not (CONTRACTS / name).is_file():
        pytest.skip("the descriptions are not beside this repository")
    described: dict[str, Any] = yaml.safe_load((CONTRACTS / name).read_text(encoding="utf-8"))
    contract = OpenAPI.from_dict(described, config=Config(spec_validator_cls=None))
    known = [
        one for one in seen if one.path.removeprefix("/api") in described["paths"] or one.path in described["paths"]
    ]
    for one in known:
        contract.validate_request(
            MockRequest(
                origin, one.method.lower(), one.path, args=dict(one.query), headers=dict(one.headers),
                data=one.body, content_type=one.headers.get("content-type", ""),
            )
        )  # fmt: skip
    return [one.path for one in known]
