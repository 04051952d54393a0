"""Reports of people and scanners: one credential, its value taken in at once, and no word of it in any complaint."""

import pytest

from responder.errors import FindingError
from responder.finding import moment, read_finding
from responder.redaction import Redactor
from responder.sealing import Sealer

TOKEN = "hf_" + "a1B2" * 9
OTHER = "ghp_" + "c3D4" * 9


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(b"k" * 32, Redactor())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param("[]", "is a list", id="a list"),
        pytest.param('{"value": "x"', "s.json:1:14: The finding is not valid JSON", id="cut off"),
        pytest.param("{}", "names no credential", id="no credential"),
        pytest.param('{"value": 12345678, "key_id": "k"}', "`value` is not text", id="a value that is a number"),
        pytest.param('{"value": ["' + TOKEN + '"], "key_id": "k"}', "`value` is not text", id="a value in a list"),
        pytest.param('{"value": "  "}', "`value` is not text", id="an empty value"),
        pytest.param('{"key_id": "' + TOKEN + '"}', "holds a credential itself", id="a value given as key id"),
        pytest.param(
            '{"value": "' + TOKEN + '", "valeu": 1, "exposure": {"kind": "secret"}}',
            "s.json.valeu",
            id="an unknown key",
        ),
        pytest.param(
            '{"key_id": "k", "aware_at": "2026-05-02T09:00:00"}',
            "s.json.aware_at",
            id="a time without a zone",
        ),
        pytest.param("[" * 100_000, "nested too deeply", id="many brackets"),
        pytest.param('{"key_id": "k", "x": ' + "9" * 5000 + "}", "a number without end", id="a very long number"),
        pytest.param("nothing that looks like one", "holds no recognisable credentials", id="text without one"),
        pytest.param(f"{TOKEN} and {OTHER}", "holds 2 recognisable credentials", id="text with two"),
    ],
)
def test_what_is_wrong_is_told_without_a_word_of_the_value(sealer: Sealer, text: str, said: str) -> None:
    with pytest.raises(FindingError) as caught:
        read_finding(text, "s.json", sealer)

    assert said in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_everything_that_is_wrong_is_told_at_once(sealer: Sealer) -> None:
    with pytest.raises(FindingError) as caught:
        read_finding('{"key_id": "k", "valeu": 1, "exposure": {"kind": "odd"}}', "s", sealer)

    assert 2 == len(caught.value.problems)


def test_a_text_that_holds_one_credential_is_a_finding_without_its_value(sealer: Sealer) -> None:
    found = read_finding(f"see https://x.example/a for {TOKEN}.", "s", sealer)

    assert found.value is not None
    assert TOKEN == found.value.reveal()
    assert "https://x.example/a" == found.exposure.url
    assert TOKEN not in found.model_dump_json()


def test_whatever_looks_like_a_credential_anywhere_in_a_report_is_known_from_then_on(sealer: Sealer) -> None:
    text = (
        '{"key_id": "k", "summary": "it was '
        + TOKEN
        + '", "exposure": {"url": "https://x.example/?token='
        + OTHER
        + '"}}'
    )

    read_finding(text, "s", sealer)

    assert TOKEN not in sealer.redactor.scrub(text)
    assert OTHER not in sealer.redactor.scrub(text)


def test_the_value_may_be_given_apart(sealer: Sealer) -> None:
    value = sealer.secret("swordfish-42")

    assert value == read_finding('{"key_id": "k"}', "s", sealer, value).value
    assert value == read_finding("somebody told us", "s", sealer, value).value


def test_an_id_of_a_key_is_an_id(sealer: Sealer) -> None:
    pair = "AKIA" + "A" * 16 + ":" + "nEw/" * 10
    with pytest.raises(FindingError, match="not its id"):
        read_finding('{"key_id": "' + pair + '"}', "s", sealer)
    assert "AKIA" + "A" * 16 == read_finding('{"key_id": "AKIA' + "A" * 16 + '"}', "s", sealer).key_id


@pytest.mark.parametrize("text", ["2026-05-02", "2026-05-02T09:00:00", "yesterday", ""])
def test_a_moment_has_a_zone(text: str) -> None:
    with pytest.raises(FindingError, match="not a time with a zone"):
        moment(text, "aware_at")


def test_a_moment() -> None:
    assert "2026-05-02T09:00:00+02:00" == moment("2026-05-02T09:00:00+02:00", "x").isoformat()
