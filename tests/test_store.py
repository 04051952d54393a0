"""Where a record is: what is shown of its URL, whatever stands in it."""

from pathlib import Path

import pytest
from cli_bench import typed
from psycopg import conninfo

from responder.store import Location

AS_TYPED = [
    "responder:horse#9@host:5432/record",
    "responder:horse?9@host/record?sslmode=require",
    "responder:#horse/?9@host/record",
    "responder:horse/9@host/record",
    "responder:hor@se-9@host/record",
    "responder:horse[9@host/record",
    "responder:horse%239@host/record",
    "responder@host/record?password=horse#9&sslmode=require",
    "responder@host/record?password=horse+9",
    "responder@host/record?p%61ssword=horse-9",
]
"""Passwords as somebody types or generates them; libpq takes most of them as they are."""


@pytest.mark.parametrize("typed_in", AS_TYPED)
def test_a_password_in_a_url_is_known_however_it_was_typed(place: Path, typed_in: str) -> None:
    location = Location(url=f"postgresql://{typed_in}")

    assert "horse" in location.password.replace("@", "")
    shown = str(location)
    assert shown.startswith("postgresql://responder@host")
    assert not any(part in shown for part in ("horse", "se-", "9"))


@pytest.mark.parametrize("typed_in", [one for one in AS_TYPED if "%61" not in one])
def test_a_password_in_a_url_is_refused_on_the_command_line(place: Path, typed_in: str) -> None:
    for words in (["--store", f"postgresql://{typed_in}"], [f"--store=postgresql://{typed_in}"]):
        result = typed(place, *words, "status")

        assert 2 == result.exit_code
        assert "PGPASSFILE" in result.output
        assert "horse" not in result.output


@pytest.mark.parametrize("typed_in", ["responder:horse/9@host/record", "responder:9horse/8@127.0.0.1:1/record"])
def test_no_part_of_a_password_with_a_slash_is_shown(place: Path, typed_in: str) -> None:
    result = typed(place, "--debug", "status", store=f"postgresql://{typed_in}")

    assert 2 == result.exit_code
    assert "%2F" in result.stderr
    assert "horse" not in result.output


@pytest.mark.parametrize(
    "typed_in", [one for one in AS_TYPED if "/9" not in one and "/?9" not in one and "@se" not in one]
)
def test_a_password_is_the_one_that_the_library_takes(typed_in: str) -> None:
    url = f"postgresql://{typed_in}"

    assert conninfo.conninfo_to_dict(url)["password"] == Location(url=url).password


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/record",
        "postgresql://responder@host:5432/record?sslmode=require",
        "postgresql://[::1]:5432/record",
        "postgresql://one:5432,two:5432/record?target_session_attrs=read-write",
        "postgresql:///record?host=/run/postgresql&user=ann@host",
        "postgresql://?service=record",
    ],
)
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert (url, "") == (str(Location(url=url)), Location(url=url).password)
