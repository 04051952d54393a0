"""A described API: what is refused at configuration time, and where it is wrong."""

import copy
from typing import Any

import pytest
from cases.http import described
from pydantic import ValidationError

from responder.errors import SettingsError
from responder.providers.http import PROVIDER
from responder.providers.http.options import Options
from responder.registry import Registry
from responder.settings import Connection

BASE = "https://api.lumen.example"


def changed(path: str, value: Any) -> dict[str, Any]:
    options = copy.deepcopy(described(BASE))
    inner = options
    *parents, last = path.split(".")
    for name in parents:
        inner = inner[name]
    if value is None:
        inner.pop(last)
    else:
        inner[last] = value
    return options


def test_the_description_of_the_documentation_offers_every_verb() -> None:
    offered = PROVIDER.offers(Options.model_validate(described(BASE))) if PROVIDER.offers else None

    assert offered == {
        "inspect",
        "disable",
        "revoke",
        "sessions",
        "end_sessions",
        "issue",
        "prove_dead",
        "deliver",
        "test_consumer",
    }


def test_what_is_not_described_is_not_offered() -> None:
    options = Options.model_validate(
        {
            "base_url": BASE,
            "identity": {"request": "GET /me"},
            "keys": {"state": described(BASE)["keys"]["state"]},
        }
    )

    assert options.verbs() == {"inspect"}
    assert not PROVIDER.traits(options).reversible


@pytest.mark.parametrize(
    ("path", "value", "place", "says"),
    [
        pytest.param(
            "keys.disable.request",
            "POST /keys/{keyid}",
            "keys.disable.request",
            "unknown placeholder {keyid}; known here: {key_id}",
            id="unknown placeholder",
        ),
        pytest.param(
            "keys.disable.request",
            "/keys/x",
            "keys.disable.request",
            "must be a method and an address",
            id="no method",
        ),
        pytest.param(
            "keys.disable.request",
            "POST https://evil.example/{key_id}",
            "keys.disable.request",
            "must begin with /",
            id="our credential to another host",
        ),
        pytest.param("keys.disbale", {"request": "POST /x"}, "keys.disbale", "", id="misspelt key"),
        pytest.param("keys.shape", "lum_(", "keys.shape", "not a regular expression", id="broken expression"),
        pytest.param("keys.shape", "x*", "keys.shape", "fits an empty text", id="expression that fits everything"),
        pytest.param("keys.state", None, "keys", "disable needs state", id="a write that cannot be read back"),
        pytest.param("keys.revoke", None, None, "", id="disable can end an orphan as well"),
        pytest.param("keys.issue.body", {"name": "x"}, "keys.issue", "must send {name}", id="a create without a mark"),
        pytest.param("keys.state.dead", ["active"], "keys.state", "'active' cannot mean two states", id="two meanings"),
        pytest.param(
            "keys.list.request",
            "POST /admin/v1/keys/search",
            "keys.list.request",
            "must be a GET",
            id="a list that writes",
        ),
        pytest.param(
            "keys.list.request",
            "GET /admin/v1/keys?name={name}",
            "keys.list.request",
            "unknown placeholder {name}; known here: none",
            id="a list of one name",
        ),
        pytest.param("keys.list.dead", ["active"], "keys.list", "'active' cannot mean two states", id="a listed word"),
        pytest.param("keys.list", None, None, "", id="a description without a list"),
        pytest.param(
            "keys.probe.surfaces",
            {"api": "POST https://api.lumen.example/v1"},
            "keys.probe.surfaces",
            "a probe changes nothing",
            id="a probe that writes",
        ),
        pytest.param(
            "keys.probe.surfaces",
            {"api": "GET http://api.lumen.example/v1"},
            "keys.probe.surfaces",
            "unencrypted",
            id="a probe in clear",
        ),
        pytest.param(
            "keys.probe.surfaces",
            {"api": "GET https://a.example/?k={secret}"},
            "keys.probe.surfaces",
            "a secret never goes into an address",
            id="a secret in a URL",
        ),
        pytest.param("keys.probe.accepted", [200, 401], "keys.probe", "401 cannot mean both", id="two verdicts"),
        pytest.param("keys.propagation", "soon", "keys.propagation", "is not a duration", id="no duration"),
        pytest.param(
            "secrets.write.request",
            "PUT /s/{name}?v={value}",
            "secrets.write.request",
            "a secret never goes into an address",
            id="a new secret in a URL",
        ),
        pytest.param(
            "secrets.write.body",
            {"value": "x{value}"},
            "secrets.write.body",
            "must stand alone",
            id="a secret joined to text",
        ),
        pytest.param("secrets.read", None, "secrets", "write needs read", id="a store that cannot be read back"),
        pytest.param("base_url", "http://api.lumen.example", "base_url", "unencrypted", id="our credential in clear"),
        pytest.param("base_url", "https://me:pw@api.lumen.example", "base_url", "holds a login", id="a login in a URL"),
        pytest.param("auth", {"form": "Bearer"}, "auth.form", "must hold {secret} once", id="no secret in the form"),
    ],
)
def test_a_wrong_description_is_refused_with_its_place(path: str, value: Any, place: str | None, says: str) -> None:
    connection = Connection.model_validate({"name": "gw", "provider": "http", **changed(path, value)})
    if place is None:
        assert Registry().options(connection)
        return
    with pytest.raises(SettingsError) as caught:
        Registry().options(connection)

    [problem] = caught.value.problems
    assert problem.where == f"connections.gw.{place}"
    assert says in problem.what


def test_a_wrong_description_does_not_quote_what_was_written() -> None:
    wrong = changed("auth", {"form": "Bearer " + "s3cr" * 8})
    with pytest.raises(ValidationError) as caught:
        Options.model_validate(wrong)

    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize("written", ["90s", "1m30s", 90, 90.0], ids=str)
def test_a_span_of_time_is_text_or_seconds(written: Any) -> None:
    assert PROVIDER.traits(Options.model_validate(changed("keys.propagation", written))).propagation == 90.0


def test_a_key_id_is_read_out_of_a_value_offline() -> None:
    options = Options.model_validate(described(BASE))
    value = "lum_k_ab12cd34_" + "Z" * 32

    assert PROVIDER.recognise(options, value) == "k_ab12cd34"
    assert PROVIDER.recognise(options, value + "!") is None
