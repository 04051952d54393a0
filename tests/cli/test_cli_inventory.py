"""`inventory check`: what the inventory holds, beside what the providers say."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result
from pydantic import BaseModel

from responder import credential
from responder.action import Access, Identity, KeySeen, Outcome, PlaceSeen, Provider
from responder.cli.call import Call
from responder.cli.group import group
from responder.errors import Denied, ProviderError, Unavailable
from responder.registry import Registry
from responder.stocktaking import asking

SETTINGS = """\
people: {ann: {name: Ann}}
connections:
  gate: {provider: office, account: acct-1, secret: "env:OURS", control: "env:CONTROL"}
  store: {provider: vault, account: acct-1}
inventory:
  - id: partner
    connection: gate
    key_id: k1
    known_by: env:PARTNER
    owner: ann
    consumers: [{id: site, connection: store, secret: site-key, owner: ann}]
  - {id: ours, connection: gate, key_id: k-ours, owner: ann}
  - {id: control, connection: gate, known_by: "env:CONTROL", owner: ann}
canaries: [k-canary]
"""


def value_of(key_id: str) -> str:
    return f"val_{key_id}_" + "x7Qp" * 6


class Nothing(BaseModel):
    """No options."""


@dataclass
class Office:
    """A system that lists credentials and keeps secrets, as a test wants it."""

    account: str = "acct-1"
    identity: tuple[str, tuple[str, ...]] = ("k-ours", ())
    keys: list[KeySeen] | None = field(
        default_factory=lambda: [KeySeen(one, "live") for one in ("k1", "k-ours", "k-control", "k-canary")]
    )
    states: dict[str, str] = field(default_factory=dict)
    places: dict[str, PlaceSeen] | None = field(default_factory=lambda: {"site-key": PlaceSeen(exists=True)})
    trouble: dict[str, Callable[[], Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def meet(self, what: str) -> None:
        self.asked.append(what)
        if what in self.trouble:
            self.trouble[what]()

    def identify(self, client: Access) -> Identity:
        self.meet("identity")
        return Identity(self.account, *self.identity)

    def listed(self, client: Access) -> Iterable[KeySeen] | None:
        return None if self.keys is None else self._listed(self.keys)

    def _listed(self, keys: list[KeySeen]) -> Iterable[KeySeen]:
        for key in keys:
            self.meet(f"list {key.key_id}")
            yield key

    def look(self, client: Access, secret: str) -> PlaceSeen | None:
        self.meet(f"place {secret}")
        return None if self.places is None else self.places.get(secret, PlaceSeen(exists=False))

    def provider(self, name: str, **more: Any) -> Provider:
        office = self

        class Look(credential.Inspect):
            name: ClassVar[str] = "office.inspect"

            def read(self, client: Access) -> Outcome:
                assert self.subject.value is None
                office.meet(f"inspect {self.subject.key_id}")
                return Outcome({"state": office.states.get(self.subject.key_id, "unknown")})

        usual: dict[str, Any] = {
            "recognise": lambda _, value: value.split("_")[1] if value.startswith("val_") else None,
            "shape": lambda _: r"val_\w+",
            "keys": self.listed,
            "place": self.look,
        }
        return Provider(
            name=name, actions=(Look,), connect=lambda access: access, identify=self.identify, options=Nothing,
            **{**usual, **more},
        )  # fmt: skip


@dataclass
class House:
    """An installation whose two connections are offices."""

    place: Path
    gate: Office = field(default_factory=Office)
    store: Office = field(default_factory=lambda: Office(identity=("", ()), keys=None))
    gate_hooks: dict[str, Any] = field(default_factory=dict)
    store_hooks: dict[str, Any] = field(default_factory=dict)
    settings: str = SETTINGS

    def change(self, old: str, new: str) -> None:
        assert old in self.settings
        self.settings = self.settings.replace(old, new)

    def called(self, *words: str) -> Result:
        path = self.place / "responder.yaml"
        path.write_text(self.settings)
        offices = {
            "office": self.gate.provider("office", **self.gate_hooks),
            "vault": self.store.provider("vault", **self.store_hooks),
        }
        around = {
            "HOME": str(self.place), "RESPONDER_STORE": "", "OURS": value_of("k-ours"),
            "CONTROL": value_of("k-control"), "PARTNER": value_of("k1"),
        }  # fmt: skip
        where = ["--config", str(path), "--store", str(self.place / "state" / "r.db")]
        call = Call(providers=Registry(offices))
        return CliRunner().invoke(group, [*where, *words, "inventory", "check"], obj=call, env=around)

    def checked(self) -> tuple[int, list[dict[str, Any]]]:
        """Return the exit code and the remarks, without the note that the store has no list."""
        result = self.called("--json")
        assert result.stdout, (result.stderr, result.exception)
        document = json.loads(result.stdout)
        remarks = document["remarks"]
        assert document["agrees"] is (result.exit_code == 0)
        return result.exit_code, [one for one in remarks if (one["connection"], one["kind"]) != ("store", "no list")]

    def kinds(self) -> list[tuple[str, str, str, str]]:
        return [(one["weight"], one["kind"], one["entry"], one["key_id"]) for one in self.checked()[1]]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_where_all_agrees_there_is_nothing_to_do(house: House) -> None:
    assert (0, []) == house.checked()
    assert "Nothing differs from the inventory." in house.called().stdout
    assert not (house.place / "state").exists()


def test_what_was_compared_is_counted(house: House) -> None:
    found = json.loads(house.called("--json").stdout)

    counted = [found[name] for name in ("agrees", "connections", "entries", "consumers", "credentials")]
    assert [True, 2, 3, 1, 4] == counted


def test_an_entry_that_its_issuer_no_longer_has_is_missing(house: House) -> None:
    house.gate.keys = [one for one in house.gate.keys or () if one.key_id != "k1"]

    code, [found] = house.checked()

    assert (1, "missing", "partner", "k1") == (code, found["kind"], found["entry"], found["key_id"])
    assert "take it out" in found["remedy"]


@pytest.mark.parametrize("state", ["disabled", "dead"])
def test_an_entry_that_does_not_work_there_differs(house: House, state: str) -> None:
    house.gate.keys = [one._replace(state=state) if one.key_id == "k1" else one for one in house.gate.keys or ()]

    assert [("difference", state, "partner", "k1")] == house.kinds()


@pytest.mark.parametrize("state", ["live", "unknown"])
def test_an_entry_that_may_work_there_agrees(house: House, state: str) -> None:
    house.gate.keys = [one._replace(state=state) for one in house.gate.keys or ()]

    assert [] == house.kinds()


def test_a_credential_that_no_entry_names_is_told_with_its_owner_and_last_use(house: House) -> None:
    house.gate.keys = [*(house.gate.keys or ()), KeySeen("k9", "disabled", "old-ci", "ben", "2026-04-01")]

    code, [found] = house.checked()

    assert 1 == code
    assert ("unknown", "k9", "ben", "2026-04-01") == tuple(
        found[name] for name in ("kind", "key_id", "owner", "last_used_at")
    )
    assert all(word in found["said"] for word in ("k9", "old-ci", "disabled", "ben", "2026-04-01"))


def test_a_dead_credential_that_no_entry_names_is_no_difference(house: House) -> None:
    house.gate.keys = [*(house.gate.keys or ()), KeySeen("k9", "dead")]

    assert [] == house.kinds()


def test_a_part_of_a_key_id_names_nothing(house: House) -> None:
    house.gate.keys = [one._replace(key_id="k10") if one.key_id == "k1" else one for one in house.gate.keys or ()]

    assert [("difference", "missing", "partner", "k1"), ("difference", "unknown", "", "k10")] == house.kinds()


def test_our_own_credential_that_the_inventory_does_not_hold_is_a_note(house: House) -> None:
    house.change("  - {id: ours, connection: gate, key_id: k-ours, owner: ann}\n", "")

    code, [found] = house.checked()

    assert (0, "note", "own", "k-ours") == (code, found["weight"], found["kind"], found["key_id"])
    assert "known_by: env:OURS" in found["remedy"]


def test_our_own_credential_is_held_by_its_value_too(house: House) -> None:
    house.change("key_id: k-ours", "known_by: env:OURS")
    house.gate_hooks["recognise"] = lambda _, value: None
    house.change("  - {id: control, connection: gate", "  - {id: control, connection: gate, key_id: k-control")

    assert [("note", "no key id", "ours", "")] == house.kinds()


def test_what_our_own_credential_derives_from_is_noted(house: House) -> None:
    house.gate.identity = ("k-ours", ("k-parent",))
    house.gate.keys = [*(house.gate.keys or ()), KeySeen("k-parent", "live")]

    assert [("note", "own", "", "k-parent")] == house.kinds()


def test_a_control_that_the_inventory_does_not_hold_is_a_note(house: House) -> None:
    house.change('  - {id: control, connection: gate, known_by: "env:CONTROL", owner: ann}\n', "")

    assert [("note", "control", "", "k-control")] == house.kinds()


def test_a_control_is_held_by_its_value_wherever_it_stands(house: House) -> None:
    house.change(
        '{id: control, connection: gate, known_by: "env:CONTROL"', '{id: c, connection: far, known_by: "env:CONTROL"'
    )
    house.change("  store: {", "  far: {provider: vault, account: acct-9}\n  store: {")

    assert [] == [one for one in house.kinds() if one[1] in {"control", "unknown"}]


def test_an_entry_by_its_value_is_compared_by_the_id_that_the_value_bears(house: House) -> None:
    house.gate.keys = [one for one in house.gate.keys or () if one.key_id != "k-control"]

    assert [("difference", "missing", "control", "k-control")] == house.kinds()


def test_an_entry_without_a_key_id_cannot_be_compared_and_may_be_a_stranger(house: House) -> None:
    house.change('known_by: "env:CONTROL"', "fingerprint: fp:abc")
    house.change(', control: "env:CONTROL"', "")

    _, remarks = house.checked()

    assert ["unknown", "no key id"] == [one["kind"] for one in remarks]
    assert "control" in remarks[0]["remedy"]


# ---- what the list leaves out


def test_an_entry_that_the_list_leaves_out_is_asked_for_by_its_id(house: House) -> None:
    house.gate.keys = [one for one in house.gate.keys or () if one.key_id != "k1"]
    house.gate.states["k1"] = "live"

    assert [("note", "unlisted", "partner", "k1")] == house.kinds()
    assert ["inspect k1"] == [one for one in house.gate.asked if one.startswith("inspect")]


@pytest.mark.parametrize(("state", "found"), [("dead", "dead"), ("disabled", "disabled")])
def test_without_a_list_entries_are_asked_for_one_by_one(house: House, state: str, found: str) -> None:
    house.gate.keys = None
    house.gate.states |= {"k1": state, "k-ours": "live"}

    assert [("difference", found, "partner", "k1"), ("note", "no list", "", "")] == house.kinds()


def test_without_a_list_and_without_word_nothing_is_said_to_be_missing(house: House) -> None:
    house.gate.keys = None

    code, remarks = house.checked()

    assert (0, ["no list"]) == (code, [one["kind"] for one in remarks])


def test_a_provider_without_the_hook_has_no_list(house: House) -> None:
    house.gate_hooks["keys"] = None

    code, [found] = house.checked()

    assert (0, "note", "no list", "gate") == (code, found["weight"], found["kind"], found["connection"])
    assert "its API has no list" in found["said"]


def test_what_may_not_be_asked_by_its_id_is_not_said_to_be_missing(house: House) -> None:
    house.gate.keys = [one for one in house.gate.keys or () if one.key_id != "k1"]
    house.gate.trouble["inspect k1"] = raising(Denied("no", remedy="our credential needs: keys:read"))

    assert [("unasked", "unasked", "partner", "")] == house.kinds()


def test_what_can_be_asked_with_the_value_only_is_as_the_list_says(house: House) -> None:
    house.gate.keys = [one for one in house.gate.keys or () if one.key_id != "k1"]
    house.gate.trouble["inspect k1"] = raising(ProviderError("needs the value"))

    assert [("difference", "missing", "partner", "k1")] == house.kinds()


# ---- who cannot be asked


def raising(error: Exception) -> Callable[[], Any]:
    def happen() -> None:
        raise error

    return happen


@pytest.mark.parametrize(
    "error",
    [Unavailable("gate cannot be reached", remedy="try again"), Denied("refused", remedy="needs keys:list")],
    ids=["unavailable", "denied"],
)
@pytest.mark.parametrize("when", ["identity", "list k1", "list k-canary"])
def test_a_connection_that_cannot_be_asked_is_one_line_and_nothing_is_missing(
    house: House, error: ProviderError, when: str
) -> None:
    house.gate.trouble[when] = raising(error)

    code, [found] = house.checked()

    assert (4, "unasked", "gate") == (code, found["kind"], found["connection"])
    assert error.remedy == found["remedy"]


def test_half_a_list_counts_as_none(house: House) -> None:
    house.gate.keys = [KeySeen("k9", "live"), *(house.gate.keys or ())]
    house.gate.trouble["list k-canary"] = raising(Unavailable("the third page does not come"))

    found = json.loads(house.called("--json").stdout)

    assert ["unasked"] == [one["kind"] for one in found["remarks"] if one["connection"] == "gate"]
    assert 0 == found["credentials"]


def test_where_an_answer_about_one_entry_does_not_come_none_is_missing(house: House) -> None:
    house.gate.keys = [one for one in house.gate.keys or () if one.key_id != "k1"]
    house.gate.trouble["inspect k1"] = raising(Unavailable("busy"))

    assert [("unasked", "unasked", "", "")] == house.kinds()


def test_what_could_be_asked_is_compared_all_the_same(house: House) -> None:
    house.gate.trouble["identity"] = raising(Unavailable("down"))
    house.store.places = {}

    code, remarks = house.checked()

    assert (4, ["unasked", "no place"]) == (code, [one["kind"] for one in remarks])


def test_the_list_of_another_account_is_not_compared(house: House) -> None:
    house.gate.account = "acct-2"

    code, [found] = house.checked()

    assert (4, "unasked") == (code, found["kind"])
    assert "acct-2" in found["said"]
    assert ["identity"] == house.gate.asked


def test_a_secret_that_is_not_set_is_named(house: House) -> None:
    house.change("env:OURS", "env:NOWHERE")

    code, [found] = house.checked()

    assert (4, "unasked") == (code, found["kind"])
    assert "env:NOWHERE" in found["said"]


# ---- places


@pytest.mark.parametrize(
    ("places", "kind"),
    [({}, "no place"), ({"site-key": PlaceSeen(exists=True, exposed=True)}, "exposed")],
    ids=["missing", "exposed"],
)
def test_a_place_that_is_not_there_or_is_exposed_differs(house: House, places: dict[str, Any], kind: str) -> None:
    house.store.places = places

    code, [found] = house.checked()

    assert (1, kind, "store", "partner", "site") == (
        code, *(found[name] for name in ("kind", "connection", "entry", "consumer")),
    )  # fmt: skip


def test_a_place_that_the_inventory_calls_exposed_agrees(house: House) -> None:
    house.store.places = {"site-key": PlaceSeen(exists=True, exposed=True)}
    house.change("secret: site-key, ", "secret: site-key, exposed: true, ")

    assert [] == house.kinds()


def test_a_place_that_is_written_wrongly_is_a_difference_with_its_remedy(house: House) -> None:
    house.store.trouble["place site-key"] = raising(ProviderError("names no secret", remedy="write owner/name:KEY"))

    code, [found] = house.checked()

    assert (1, "no place", "write owner/name:KEY") == (code, found["kind"], found["remedy"])


@pytest.mark.parametrize("error", [Unavailable("down"), Denied("no")], ids=["unavailable", "denied"])
def test_places_that_cannot_be_looked_at_are_one_line(house: House, error: ProviderError) -> None:
    sites = "".join(f", {{id: s{n}, connection: store, secret: key-{n}, owner: ann}}" for n in range(3))
    house.change("owner: ann}]", f"owner: ann}}{sites}]")
    house.store.trouble = {f"place {name}": raising(error) for name in ("site-key", "key-0", "key-1", "key-2")}

    code, [found] = house.checked()

    assert (4, "unasked", "store") == (code, found["kind"], found["connection"])


def test_a_place_that_is_denied_does_not_hide_the_others(house: House) -> None:
    house.change("owner: ann}]", "owner: ann}, {id: other, connection: store, secret: other-key, owner: ann}]")
    house.store.trouble["place site-key"] = raising(Denied("not this one"))

    code, remarks = house.checked()

    assert (4, [("unasked", "site"), ("no place", "other")]) == (
        code, [(one["kind"], one["consumer"]) for one in remarks],
    )  # fmt: skip


@pytest.mark.parametrize("hooks", [{}, {"place": None}], ids=["nothing shown", "no hook"])
def test_where_places_are_not_shown_that_is_a_note(house: House, hooks: dict[str, Any]) -> None:
    house.store.places, house.store_hooks = None, hooks

    code, [found] = house.checked()

    assert (0, "note", "no places") == (code, found["weight"], found["kind"])


# ---- the inventory by itself


def test_who_has_no_owner_is_named(house: House) -> None:
    house.change(", owner: ann}", "}")

    found = [(kind, entry) for _, kind, entry, _ in house.kinds()]

    assert [("no owner", "partner"), ("no owner", "ours"), ("no owner", "control")] == found


def test_an_entry_that_nobody_would_recognise_is_named(house: House) -> None:
    house.gate_hooks["shape"] = lambda _: ""

    assert [("difference", "unrecognisable", "ours", "k-ours")] == house.kinds()


def test_a_provider_that_reads_no_ids_recognises_nothing(house: House) -> None:
    made = house.gate.provider("office")
    house.gate_hooks["recognise"] = Provider._field_defaults["recognise"]
    assert made.recognise is not house.gate_hooks["recognise"]

    assert ("difference", "unrecognisable", "ours", "k-ours") in house.kinds()


def test_two_entries_of_one_key_id_are_named(house: House) -> None:
    house.change("key_id: k-ours", "key_id: k1")

    assert [("twice", "partner"), ("twice", "ours")] == [
        (kind, entry) for _, kind, entry, _ in house.kinds() if kind == "twice"
    ]


def test_a_value_that_is_another_key_s_is_named(house: House) -> None:
    house.change("known_by: env:PARTNER", "known_by: env:OURS")

    assert [("difference", "contradiction", "partner", "k1")] == house.kinds()


# ---- several connections to one account


def two_doors(house: House, account: str) -> None:
    door = f'  side: {{provider: office, account: {account}, secret: "env:OURS"}}\n'
    house.change("  store: {", f"{door}  store: {{")


def test_what_another_connection_to_the_account_holds_is_no_stranger(house: House) -> None:
    two_doors(house, "acct-1")
    house.change("{id: ours, connection: gate", "{id: ours, connection: side")
    house.gate.keys = [*(house.gate.keys or ()), KeySeen("k9", "live")]

    assert [("difference", "unknown", "", "k9")] == house.kinds()


def test_what_another_account_holds_is_a_stranger(house: House) -> None:
    two_doors(house, "acct-2")  # which the office is not
    house.change('{id: control, connection: gate, known_by: "env:CONTROL"', "{id: c, connection: side, key_id: k9")
    house.gate.keys = [*(house.gate.keys or ()), KeySeen("k9", "live")]

    assert ("difference", "unknown", "", "k9") in house.kinds()


# ---- how it is told


def test_a_line_says_what_where_and_what_next(house: House) -> None:
    house.store.places = {}

    result = house.called()

    assert 1 == result.exit_code
    assert "DIFFERS store, partner, site: its place site-key does not exist\n        next: make it" in result.stdout
    assert "2 connections answered; 3 entries, 1 consumers and 4 listed credentials were compared." in result.stdout


def test_what_must_be_read_first_stands_first(house: House) -> None:
    house.gate.keys = [*(house.gate.keys or ()), KeySeen("k9", "live")]
    house.store.trouble["identity"] = raising(Unavailable("down"))
    house.gate.identity = ("k-ours", ("k-parent",))

    assert ["unasked", "difference", "note"] == [one["weight"] for one in house.checked()[1]]


def test_a_name_at_a_provider_does_nothing_to_a_terminal(house: House) -> None:
    house.gate.keys = [*(house.gate.keys or ()), KeySeen("k9", "live", "evil\x1b[2J\nDIFFERS x", "ben\x07")]

    out = house.called().stdout

    assert not {"\x1b[2J", "\x07"} & set(out)
    assert "\nDIFFERS x" not in out


def test_no_value_is_presented_or_printed(house: House) -> None:
    seen: list[Sequence[Any]] = []
    house.gate_hooks["keys"] = lambda client: seen.append((client.secret, client.control)) or house.gate.keys
    house.change("key_id: k1", "key_id: k2")

    result = house.called("--json")

    assert 1 == result.exit_code
    assert not any(value_of(key) in result.output for key in ("k1", "k-ours", "k-control"))
    assert 1 == len(seen)


def test_who_does_not_answer_for_long_is_told_while_others_are_asked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_TOLD_AFTER", 0.05)
    house.gate.trouble["identity"] = lambda: time.sleep(0.3)

    result = house.called("--json")

    assert "waiting for gate ..." in result.stderr
    assert json.loads(result.stdout)["agrees"]


def test_connections_are_asked_at_once(house: House) -> None:
    both = threading.Barrier(2, timeout=10)
    house.gate.trouble["identity"] = house.store.trouble["identity"] = both.wait

    assert 0 == house.called().exit_code
