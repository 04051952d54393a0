"""What logs show of a credential: who used it, over which time that is known, who depends on it, what else leads in."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from responder.credential import Consumers, Door, Doors, Interval, Records, Subject, Use, Used
from responder.credential.traces import gaps
from responder.lines import swept
from responder.settings import Consumer

START = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
SITE = Consumer(id="site", connection="gate", secret="s", seen_as=("192.0.2.0/24", "deployer"))
JOBS = Consumer(id="jobs", connection="gate", secret="j", seen_as=("2001:db8::/32",))


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def span(since: float, until: float) -> Interval:
    return Interval(at(since), at(until))


class Log:
    """A provider's log, as it is at a moment, and what was asked of it."""

    def __init__(self, *uses: Use, covered: Sequence[Interval] = (), **more: Any) -> None:
        self.records = Records(uses, covered, ("the log",), **more)
        self.asked: list[Interval] = []
        self.access = self.clock = self
        self.marker = "run-1/traces"

    def now(self) -> datetime:
        return at(10)


class LogUsed(Used):
    name = "log.used"

    def usage(self, client: Log, span: Interval) -> Records:
        client.asked.append(span)
        return client.records


class LogConsumers(Consumers):
    name = "log.consumers"

    def usage(self, client: Log, span: Interval) -> Records:
        client.asked.append(span)
        return client.records


def used(log: Log, **given: Any) -> dict[str, Any]:
    return dict(LogUsed(**{"since": at(0), "until": at(10), "known": (SITE, JOBS), **given}).read(log).facts)


@pytest.mark.parametrize(
    ("covered", "missing"),
    [
        pytest.param([], [(0, 10)], id="nothing"),
        pytest.param([(0, 10)], [], id="everything"),
        pytest.param([(-5, 20)], [], id="more than everything"),
        pytest.param([(0, 4), (6, 10)], [(4, 6)], id="a hole"),
        pytest.param([(6, 10), (0, 4)], [(4, 6)], id="in any order"),
        pytest.param([(0, 6), (4, 10)], [], id="one over the other"),
        pytest.param([(0, 9), (1, 2), (9, 10)], [], id="one within another"),
        pytest.param([(2, 8)], [(0, 2), (8, 10)], id="neither beginning nor end"),
        pytest.param([(-9, -1)], [(0, 10)], id="before"),
        pytest.param([(11, 12)], [(0, 10)], id="after"),
        pytest.param([(-9, 1), (11, 12)], [(1, 10)], id="over the edges"),
        pytest.param([(0, 5), (5, 10)], [], id="end to end"),
    ],
)
def test_what_nothing_covers(covered: Iterable[tuple[float, float]], missing: Iterable[tuple[float, float]]) -> None:
    assert [span(*one) for one in missing] == gaps(span(0, 10), [span(*one) for one in covered])


def test_what_is_missing_of_the_exposure_and_of_the_time_before_it_is_told_apart() -> None:
    facts = used(Log(covered=[span(-2, 4), span(6, 10)]), look_back="5h")

    assert [at(4).isoformat(), at(6).isoformat()] == [facts["missing"][0][key] for key in ("since", "until")]
    assert [at(-5).isoformat(), at(-2).isoformat()] == [facts["missing_before"][0][key] for key in ("since", "until")]
    assert (1, 1) == (len(facts["missing"]), len(facts["missing_before"]))


def test_the_log_is_read_further_back_than_the_exposure() -> None:
    log = Log()
    used(log, look_back="5h")

    assert [span(-5, 10)] == log.asked


@pytest.mark.parametrize(
    ("use", "foreign", "consumer"),
    [
        pytest.param({"address": "203.0.113.9"}, 1, "", id="a stranger"),
        pytest.param({"address": "192.0.2.7"}, 0, "site", id="by its network"),
        pytest.param({"agent": "the-Deployer/2"}, 0, "site", id="by its program, in whatever letters"),
        pytest.param({"address": "2001:db8::7"}, 0, "jobs", id="by its network of the other kind"),
        pytest.param({"address": "192.0.2.7.example", "agent": "x"}, 1, "", id="a name that begins as an address does"),
        pytest.param({"address": "192.0.20.7"}, 1, "", id="another network"),
        pytest.param({"agent": "responder/1.0 (run-1; traces)"}, 0, "", id="a probe of this run"),
        pytest.param({"agent": "responder/1.0 (run-12; traces)"}, 1, "", id="a probe of another run"),
        pytest.param({"agent": "responder/1.0"}, 1, "", id="one that takes our name"),
        pytest.param({"agent": "curl/8 responder/1.0 (run-1; traces)"}, 1, "", id="one that names us besides"),
        pytest.param(
            {"address": "203.0.113.9", "consumer": "site"}, 1, "", id="what a log says of it counts for nothing"
        ),
        pytest.param({"address": "203.0.113.9", "hours": -1}, 0, "", id="before the exposure"),
        pytest.param({"address": "203.0.113.9", "hours": 11}, 0, "", id="after it"),
        pytest.param({"address": "203.0.113.9", "hours": 0}, 1, "", id="at its first moment"),
    ],
)
def test_whose_use_it_was(use: dict[str, Any], foreign: int, consumer: str) -> None:
    facts = used(Log(Use(at=at(use.pop("hours", 5)), **use)))

    assert (foreign, consumer) == (facts["foreign"], facts["uses"][0]["consumer"])


def test_every_use_is_kept_and_strangers_are_shown_first() -> None:
    ours = [Use(at=at(n / 100), address="192.0.2.7") for n in range(300)]
    outcome = LogUsed(since=at(0), until=at(10), known=(SITE,)).read(Log(*ours, Use(at=at(1), address="203.0.113.9")))

    assert (301, 200, 1) == (outcome.facts["count"], len(outcome.facts["uses"]), outcome.facts["foreign"])
    assert "203.0.113.9" == outcome.facts["uses"][0]["address"]
    assert 301 == outcome.evidence[0].data.count(b'"at"')


def test_whether_outsiders_could_alter_the_log_is_told() -> None:
    assert used(Log())["trusted"] is True
    assert used(Log(trusted=False, kept_since=at(-9)))["trusted"] is False
    assert at(-9).isoformat() == used(Log(kept_since=at(-9)))["kept_since"]


def test_rows_are_kept_oldest_first_and_until_when_their_log_keeps_the_oldest_is_told() -> None:
    log = Log(Use(at=at(5)), Use(at=at(1)), Use(at=at(3)), kept_for=timedelta(days=90))
    outcome = LogUsed(since=at(0), until=at(10)).read(log)
    [kept] = outcome.evidence

    assert [at(1), at(3), at(5)] == [datetime.fromisoformat(row["at"]) for row in json.loads(kept.data)]
    assert at(1) + timedelta(days=90) == kept.kept_until
    assert (at(1) + timedelta(days=90)).isoformat() == outcome.facts["kept_until"]


@pytest.mark.parametrize("log", [Log(kept_for=timedelta(days=90)), Log(Use(at=at(1)))])
def test_nobody_says_until_when_a_log_keeps_what_is_not_there_or_is_not_dropped_by_age(log: Log) -> None:
    outcome = LogUsed(since=at(0), until=at(10)).read(log)

    assert "" == outcome.facts["kept_until"]
    assert [None] == [one.kept_until for one in outcome.evidence]


def test_the_consumers_of_the_inventory_are_united_with_those_that_records_show() -> None:
    log = Log(
        Use(at=at(-1), address="192.0.2.7"),
        Use(at=at(3), address="192.0.2.8"),
        Use(at=at(1), address="203.0.113.9", agent="curl"),
        Use(at=at(2), address="203.0.113.9", agent="curl"),
        Use(at=at(2), address="203.0.113.9", agent="responder/1.0 (run-1; users)"),
        Use(at=at(4)),
        covered=[span(-99, 10)],
    )
    facts = LogConsumers(since=at(0), until=at(10), known=(SITE, JOBS), look_back="99h").read(log).facts

    assert [{"id": "site", "last_used_at": at(3).isoformat()}, {"id": "jobs", "last_used_at": ""}] == facts["known"]
    assert ["jobs"] == facts["silent"]
    unknown = [(one["id"], one["count"], one["last_used_at"]) for one in facts["unknown"]]
    unnamed = "somebody whom the records do not name"
    assert [("203.0.113.9 curl", 2, at(2).isoformat()), (unnamed, 1, at(4).isoformat())] == unknown
    assert [] == facts["missing"]


@pytest.mark.parametrize(
    ("since", "earlier"),
    [
        pytest.param(at(0), ["cron", "curl"], id="before outsiders could"),
        pytest.param(at(-9), [], id="none so early"),
        pytest.param(None, ["cron", "curl", "python"], id="nobody knows since when"),
    ],
)
def test_whoever_used_it_before_outsiders_could_is_told_apart_from_strangers(
    since: datetime | None, earlier: list[str]
) -> None:
    log = Log(
        Use(at=at(-3), address="198.51.100.9", agent="cron"),
        Use(at=at(-2), address="198.51.100.8", agent="curl"),
        Use(at=at(2), address="198.51.100.8", agent="curl"),
        Use(at=at(2), address="198.51.100.8", agent="curl"),
        Use(at=at(0), address="203.0.113.9", agent="python"),
        Use(at=at(-3), address="192.0.2.7", agent="the site"),
    )
    facts = LogConsumers(since=since, known=(SITE,), look_back="99h").read(log).facts

    assert earlier == sorted(one["agent"] for one in facts["earlier"])
    assert {"cron", "curl", "python"} == {one["agent"] for one in facts["unknown"]}
    assert at(-2).isoformat() == next(one["first_used_at"] for one in facts["unknown"] if one["agent"] == "curl")


def test_of_consumers_the_whole_time_that_was_read_must_be_covered() -> None:
    facts = LogConsumers(since=at(0), until=at(10), look_back="2h").read(Log(covered=[span(0, 10)])).facts

    assert [at(-2).isoformat()] == [one["since"] for one in facts["missing"]]


class Ways(Doors):
    name = "log.doors"

    def open_doors(self, client: Any) -> Iterable[Door]:
        yield from client

    def unseen(self, client: Any) -> Sequence[str]:
        return ["the roles"] if len(client) > 2 else []


@pytest.mark.parametrize(
    ("opened", "since", "new"),
    [
        pytest.param(at(1), at(0), True, id="made since"),
        pytest.param(at(0), at(0), True, id="made at that moment"),
        pytest.param(at(-1), at(0), False, id="made before"),
        pytest.param(None, at(0), True, id="nobody knows when"),
        pytest.param(at(1), None, False, id="nobody knows since when"),
    ],
)
def test_which_door_is_new(opened: datetime | None, since: datetime | None, new: bool) -> None:
    facts = Ways(since=since).read([Door(kind="access key", id="k2", opened_at=opened)]).facts

    assert (["k2"], ["k2"] if new else [], new) == (facts["unresolved"], facts["new"], facts["doors"][0]["new"])


def test_what_the_run_has_issued_itself_is_no_door() -> None:
    doors = [Door(kind="access key", id=f"k{n}") for n in range(2)]

    assert ["k0"] == Ways(subject=Subject(issued=("k1",))).read(doors).facts["unresolved"]


def test_a_sweep_that_could_not_look_everywhere_says_so() -> None:
    doors = [Door(kind="access key", id=f"k{n}") for n in range(3)]

    assert (True, []) == tuple(Ways().read(doors[:2]).facts[key] for key in ("complete", "unseen"))
    assert (False, ["the roles"]) == tuple(Ways().read(doors).facts[key] for key in ("complete", "unseen"))


@pytest.mark.parametrize(
    ("opened_at", "decided"),
    [
        pytest.param(None, True, id="nobody tells when it was made"),
        pytest.param(at(1), True, id="made before it was decided"),
        pytest.param(at(3), False, id="changed since it was decided"),
    ],
)
def test_what_was_decided_is_asked_no_more_unless_it_was_changed_since(
    opened_at: datetime | None, decided: bool
) -> None:
    doors = [Door(kind="access key", id="k0", opened_at=opened_at), Door(kind="access key", id="k1")]
    facts = Ways(subject=Subject(left_open={"k0": at(2)}), since=at(0)).read(doors).facts
    left = ["k1"] if decided else ["k0", "k1"]

    assert (left, left) == (facts["unresolved"], facts["new"])
    assert left == [row["id"] for row in facts["doors"]]
    assert (["k0"] if decided else []) == facts["decided"]


def test_what_a_sweep_could_not_look_at_is_said_first_of_all_to_people() -> None:
    doors = [Door(kind="access key", id=f"k{n}") for n in range(3)]
    facts = Ways(subject=Subject(left_open={"k0": at(2)}), since=at(0)).read(doors).facts

    assert (
        "2 other ways in are open, 2 of them new; 1 more stay open as decided; INCOMPLETE, not looked at: the roles"
    ) == swept(facts)
    assert "INCOMPLETE" not in swept(Ways().read(doors[:2]).facts)
    assert "" == swept({"state": "live"})


@pytest.mark.parametrize("action", [Used(), Consumers(), Doors()])
def test_what_a_provider_does_not_say_is_a_defect(action: Any) -> None:
    with pytest.raises(TypeError, match="must"):
        action.read(Log())
