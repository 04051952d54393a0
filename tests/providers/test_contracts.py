"""Requests are validated by official descriptions: a wrong field, method, path or header is found."""

from dataclasses import replace

import pytest
from cases.contracts import Contract

from responder.testing.loopback import Seen

GITHUB = Contract("github.json")
GOOD = Seen(
    "POST", "/credentials/revoke", {}, {"content-type": "application/json"}, b'{"credentials": ["x"]}',
    "/credentials/revoke",
)  # fmt: skip


@pytest.fixture(autouse=True)
def described() -> None:
    if not GITHUB.is_there:
        pytest.skip("the descriptions are not beside this repository")


def test_requests_are_validated() -> None:
    assert GITHUB.problems([GOOD]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        replace(GOOD, body=b'{"tokens": ["x"]}'),
        replace(GOOD, body=b'{"credentials": "x"}'),
        replace(GOOD, method="PUT"),
        replace(GOOD, path="/credentials/end"),
    ],
    ids=["field", "type", "method", "path"],
)
def test_what_is_wrong_is_found(wrong: Seen) -> None:
    assert len(GITHUB.problems([wrong])) == 1


def test_a_path_that_the_description_leaves_out_is_named_by_its_case() -> None:
    beyond = replace(GITHUB, beyond=["/credentials/end"])

    assert beyond.problems([replace(GOOD, path="/credentials/end")]) == []
