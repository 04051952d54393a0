"""No secret goes to a place that is public, client-side or exposed."""

from pathlib import Path
from typing import Any

import clockwork
import pytest
from guard_bench import OURS, assert_refused, case, effects, ran, refusals, settings

from responder.credential import Deliver
from responder.finding import Exposure
from responder.guards.delivery import in_exposure
from responder.settings import Consumer

NEW = """\
  - {id: new, phase: analysis, action: credential.issue, with: {label: svc}}
  - id: give
    phase: containment
    action: credential.deliver
    with: {consumer: "${{ incident.credential.consumers[0] }}", value: "${{ steps.new.value }}"}
"""


class Deliver2(Deliver, clockwork.Turn):
    """A delivery that changes something."""

    key: str = "k"


def delivery(**more: Any) -> Deliver:
    return Deliver2(consumer=Consumer(id="site", connection="gate", secret="acme/site:KEY", **more), value=OURS)


@pytest.mark.parametrize(
    ("consumer", "said"),
    [
        pytest.param({}, [], id="a secret store"),
        pytest.param({"kind": "client"}, ["the place runs at its users"], id="an app"),
        pytest.param({"kind": "public"}, ["the place can be read by anybody"], id="a public page"),
        pytest.param({"exposed": True}, ["the place is exposed"], id="a store that is known to be open"),
        pytest.param({"kind": "client", "exposed": True}, ["the place runs", "the place is"], id="both"),
    ],
)
def test_what_responder_yaml_says_of_a_place(consumer: dict[str, Any], said: list[str]) -> None:
    found = refusals("delivery", case(delivery(**consumer)))

    assert len(said) == len(found)
    assert all(line.startswith(part) for part, line in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("place", "exposure", "base_url", "inside"),
    [
        pytest.param("acme/site:KEY", "https://hub.example/spaces/acme/site/blob/app.py", "", True, id="its own page"),
        pytest.param("Acme/Site", "https://hub.example/spaces/acme/site", "", True, id="however it is written"),
        pytest.param("acme/site:KEY", "https://hub.example/spaces/acme/other", "", False, id="a neighbour"),
        pytest.param("acme/site:KEY", "https://hub.example/spaces/acme/sitemap", "", False, id="a longer name"),
        pytest.param("prod", "https://vault.example/v1/prod", "https://vault.example", True, id="one word, same host"),
        pytest.param("prod", "https://pages.example/prod", "https://vault.example", False, id="one word elsewhere"),
        pytest.param("prod", "https://vault.example/", "https://vault.example/api", True, id="the host as a whole"),
        pytest.param("prod", "", "https://vault.example", False, id="an exposure without an address"),
    ],
)
def test_where_an_exposure_lies(place: str, exposure: str, base_url: str, *, inside: bool) -> None:
    assert inside is in_exposure(place, Exposure(url=exposure), base_url)


def test_an_exposure_in_words_names_its_place() -> None:
    assert in_exposure("ci/deploy:KEY", Exposure(place="ci/deploy"))
    assert not in_exposure("ci/deploy:KEY", Exposure(place="a chat"))


def test_any_action_that_hands_a_secret_over_is_a_delivery() -> None:
    one = case(clockwork.Put(key="k", space="acme/site", value=OURS))
    one.state.standing.exposures.append(Exposure(url="https://hub.example/spaces/acme/site"))

    assert ["the credential was found in this very place: https://hub.example/spaces/acme/site"] == refusals(
        "delivery", one
    )
    assert [] == refusals("delivery", case(clockwork.Put(key="k", space="acme/site")))


def consumer(place: Path, more: str) -> None:
    line = f"consumers: [{{id: site, connection: cw, secret: acme/site:KEY{more}}}]"
    settings(place, "    shared: true\n", f"    shared: true\n    {line}\n")


@pytest.mark.parametrize(
    ("more", "url", "what", "where"),
    [
        pytest.param(", kind: client", "https://x.example/", "runs at its users", "consumer site", id="client-side"),
        pytest.param(", exposed: true", "https://x.example/", "the place is exposed", "consumer site", id="exposed"),
        pytest.param(
            "", "https://hub.example/acme/site", "found in this very place", "acme/site:KEY", id="found there"
        ),
    ],
)
def test_from_the_command_line_nothing_is_delivered(place: Path, more: str, url: str, what: str, where: str) -> None:
    consumer(place, more)

    result = ran(place, NEW, url=url)

    assert_refused(result, "delivery", what=what, place=where, way_out="name another place in `consumers`")
    assert ["key svc"] == effects(place)


def test_a_secret_store_gets_it(place: Path) -> None:
    consumer(place, "")

    ran(place, NEW)

    assert 2 == len(effects(place))
