"""What `inventory check` sees of a described API: against the drill's issuer and its vault."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cases.common import connection
from cases.http import HOLDER, SITE, described, shared_key
from click.testing import CliRunner, Result
from provider_bench import bench_of

from responder.action import KeySeen, PlaceSeen
from responder.cli.group import group
from responder.errors import Denied, Unavailable
from responder.providers.http import PROVIDER
from responder.providers.http.issuing import IssueKey
from responder.testing.bench import Bench
from responder.testing.loopback import Reply, Seen


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("http") as made:
        yield made


def listed(bench: Bench) -> list[KeySeen] | None:
    assert PROVIDER.keys is not None
    found = PROVIDER.keys(bench.client())
    return None if found is None else list(found)


def looked(bench: Bench, secret: str) -> PlaceSeen | None:
    assert PROVIDER.place is not None
    return PROVIDER.place(bench.client(), secret)


def describe(bench: Bench, change: Any) -> None:
    """Describe the API otherwise."""
    options = described(bench.live.gate.url)
    change(options)
    bench.live.connection = connection("http", account=bench.live.account, **options)


def issue(bench: Bench, label: str) -> str:
    action = IssueKey(subject=shared_key(bench.live, bench.secret), holder=HOLDER, label=label)
    change = action.plan(bench.client())
    return str(action.apply(bench.client(may_write=True), change).facts["key_id"])


def test_every_key_is_listed_with_its_state_owner_and_name(bench: Bench) -> None:
    keys = bench.live.world.cast.keys
    shared = bench.live.world.ground.inventory.shared_key_id
    keys.disable(keys.get(shared))

    found = listed(bench) or []

    assert [("disabled", "early-access"), ("live", "platform")] == [(one.state, one.owner) for one in found]
    assert [shared, "uptime-probe"] == [found[0].key_id, found[1].name]


def test_the_last_use_is_told(bench: Bench) -> None:
    key = bench.live.world.cast.keys.get(bench.live.world.ground.inventory.shared_key_id)
    key.last_used_at = bench.live.clock.now()

    assert (listed(bench) or [])[0].last_used_at.startswith("2026-05-02")


def test_every_page_is_read(bench: Bench) -> None:
    keys = bench.live.world.cast.keys
    for number in range(120):
        keys.issue(f"more-{number}", "ben", "value", ())

    assert 122 == len({one.key_id for one in listed(bench) or []})


def test_a_word_that_was_not_described_is_unknown(bench: Bench) -> None:
    describe(bench, lambda options: options["keys"]["list"].update(live=["on"], disabled=["off"], dead=["gone"]))

    assert {"unknown"} == {one.state for one in listed(bench) or []}


def test_without_a_list_there_is_none(bench: Bench) -> None:
    describe(bench, lambda options: options["keys"].pop("list"))

    assert listed(bench) is None  # `issue.find` lists the keys of one name only
    assert [] == bench.live.gate.seen


def test_what_finds_orphans_lists_all_keys_where_it_takes_no_name(bench: Bench) -> None:
    def change(options: dict[str, Any]) -> None:
        options["keys"].pop("list")
        options["keys"]["issue"]["find"]["request"] = "GET /admin/v1/keys"

    keys = bench.live.world.cast.keys
    issued = issue(bench, "one")
    keys.revoke(keys.get(issued))
    describe(bench, change)

    found = {one.key_id: one.state for one in listed(bench) or []}

    assert 3 == len(found)
    assert "dead" == found[issued]
    assert "live" == found[bench.live.world.ground.inventory.shared_key_id]


def test_what_finds_orphans_knows_no_word_of_its_own_but_live(bench: Bench) -> None:
    def change(options: dict[str, Any]) -> None:
        for name in ("list", "state", "disable", "revoke", "end_sessions", "sessions"):
            options["keys"].pop(name)
        options["keys"]["issue"].pop("value")
        options["keys"]["issue"]["find"]["request"] = "GET /admin/v1/keys"

    keys = bench.live.world.cast.keys
    keys.revoke(keys.get(bench.live.world.ground.inventory.shared_key_id))
    describe(bench, change)

    assert ["unknown", "live"] == [one.state for one in listed(bench) or []]


@pytest.mark.parametrize(
    "answer", [{}, {"keys": None}, {"keys": [{"status": "active"}]}], ids=["nothing", "no list", "no id"]
)
def test_a_list_that_is_not_understood_is_no_empty_one(bench: Bench, answer: Any) -> None:
    bench.live.gate._answer = lambda seen: Reply(200, answer)
    with pytest.raises(Unavailable):
        listed(bench)


def test_being_denied_names_the_permission(bench: Bench) -> None:
    describe(bench, lambda options: options["keys"]["list"].update(permission="keys:list"))
    bench.live.gate._answer = lambda seen: Reply(403, {})
    with pytest.raises(Denied) as caught:
        listed(bench)

    assert "keys:list (keys.list)" in caught.value.remedy


def test_a_place_is_there_or_not(bench: Bench) -> None:
    assert PlaceSeen(exists=True) == looked(bench, SITE.secret)
    assert PlaceSeen(exists=False) == looked(bench, "nobody-s")


def test_a_store_without_reading_shows_no_places(bench: Bench) -> None:
    describe(bench, lambda options: options.pop("secrets"))

    assert looked(bench, SITE.secret) is None


def test_an_answer_without_a_version_is_no_place(bench: Bench) -> None:
    bench.live.gate._answer = lambda seen: Reply(200, {"errors": []})
    with pytest.raises(Unavailable, match="no version"):
        looked(bench, SITE.secret)


# ---- the command, against the drill's world


def checked(bench: Bench, place: Path, secret: str = SITE.secret) -> Result:
    shared = bench.live.world.ground.inventory.shared_key_id
    consumer = {"id": "demo-site", "connection": "gate", "secret": secret, "owner": "ann"}
    settings = {
        "people": {"ann": {"name": "Ann"}},
        "connections": {
            "gate": {"provider": "http", "account": bench.live.account, "secret": "env:OURS", "control": "env:CONTROL",
                     **described(bench.live.gate.url)},
        },
        "inventory": [
            {"id": "shared", "connection": "gate", "key_id": shared, "owner": "ann", "consumers": [consumer]},
            {"id": "probe", "connection": "gate", "known_by": "env:CONTROL", "owner": "ann"},
            {"id": "admin", "connection": "gate", "key_id": bench.live.world.ground.inventory.admin_key_id,
             "known_by": "env:OURS", "owner": "ann"},
        ],
    }  # fmt: skip
    (place / "responder.yaml").write_text(yaml.safe_dump(settings))
    around = {
        "HOME": str(place), "OURS": bench.live.value("issuer-admin"), "CONTROL": bench.live.value("control-token"),
    }  # fmt: skip
    where = ["--config", str(place / "responder.yaml"), "--store", str(place / "r.db"), "--json"]
    return CliRunner().invoke(group, [*where, "inventory", "check"], env=around)


def remarks(result: Result) -> list[tuple[str, str, str]]:
    found = json.loads(result.stdout)["remarks"]
    return [(one["weight"], one["kind"], one["entry"] or one["key_id"]) for one in found]


def test_the_drill_s_gateway_is_as_its_inventory_says(bench: Bench, tmp_path: Path) -> None:
    result = checked(bench, tmp_path)

    assert (0, []) == (result.exit_code, remarks(result))  # the admin's own key, which the issuer does not list, too
    assert {"GET"} == {seen.method for seen in bench.live.gate.seen}
    presented = {seen.headers.get("authorization") for seen in bench.live.gate.seen}
    assert {f"Bearer {bench.live.value('issuer-admin')}"} == presented


def test_what_is_made_ended_or_removed_there_is_seen(bench: Bench, tmp_path: Path) -> None:
    made = issue(bench, "somebody-s")
    keys = bench.live.world.cast.keys
    keys.disable(keys.get(bench.live.world.ground.inventory.shared_key_id))

    result = checked(bench, tmp_path, secret="never-made")

    assert 1 == result.exit_code
    expected = [
        ("difference", "no place", "shared"),
        ("difference", "disabled", "shared"),
        ("difference", "unknown", made),
    ]
    assert expected == remarks(result)


def test_a_gateway_that_is_down_is_one_line(bench: Bench, tmp_path: Path) -> None:
    def down(seen: Seen) -> Reply:
        return Reply(503, {})

    bench.live.gate._answer = down
    result = checked(bench, tmp_path)

    assert (4, [("unasked", "unasked", "")]) == (result.exit_code, remarks(result))
