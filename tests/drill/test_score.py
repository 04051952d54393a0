"""The score's rules, each seen green and red on a small ledger made by hand."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from responder.drill.goals import disagreements
from responder.drill.lines import refused
from responder.drill.score import Expected, Facts, Leaked, final_effects, lost_effects, notices, score, total

START = datetime(2026, 5, 2, 9, 0, tzinfo=UTC)
LEAKED = (
    Leaked("shared-token", "k_shared01", ("issuer", "edge")),
    Leaked("space-token", "bot", ("hub",)),
)
HOLDERS = {"h-001": "h001@early.example", "h-002": "h002@early.example"}
EXPECTED = tuple(
    Expected(kind, subject, name)
    for holder, address in HOLDERS.items()
    for kind, subject, name in (("key_issued", holder, ""), ("mail_sent", address, "contributor-notice"))
)
FACTS = Facts(
    exposed_at=START - timedelta(minutes=17),
    aware_at=START,
    leaked=LEAKED,
    holders=HOLDERS,
    consumers={"demo-site": "demo-site-token"},
    expected=EXPECTED,
    ready_at=START + timedelta(seconds=40),
)
PAGE = "/spaces/PR-Puppets/generate-with-lumen"


def line(second: float, system: str, actor: str = "responder", **more: Any) -> dict[str, Any]:
    when = (START + timedelta(seconds=second)).isoformat()
    began = START + timedelta(seconds=more.pop("began", second))
    blank = {
        "method": "GET",
        "path": "/",
        "credential": None,
        "carried": [],
        "status": 200,
        "outcome": "served",
    }
    effect = more.pop("effect", None)
    return {
        "time": when,
        "began": began.isoformat(),
        "system": system,
        "actor": actor,
        **blank,
        "effect": effect,
    } | more


def used(second: float, system: str, label: str, status: int = 200, actor: str = "public") -> dict[str, Any]:
    outcome = "served" if status == 200 else "refused"
    return line(second, system, actor, credential=label, status=status, outcome=outcome)


def effect(  # noqa: PLR0917 - a row reads like a line of the ledger
    second: float, system: str, kind: str, key: str, subject: str, actor: str = "responder", **facts: Any
) -> dict[str, Any]:
    told = {"kind": kind, "key": key, "subject": subject, **facts}
    return line(second, system, actor, method="POST", effect=told)


def probe(key: str, subject: str, **facts: Any) -> dict[str, Any]:
    return effect(900, subject, "final_probe", key, subject, "score", **facts)


def issued(second: float, holder: str, key: str) -> dict[str, Any]:
    return effect(second, "issuer", "key_issued", f"early-{holder}", holder, id=key)


def mailed(second: float, number: int, template: str) -> dict[str, Any]:
    key, to = f"<{template}.{number}>", f"h{number:03d}@early.example"
    return effect(second, "mail", "mail_sent", key, to, template=template)


def numbered(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ordered = sorted(lines, key=lambda each: each["time"])
    return [each | {"n": number} for number, each in enumerate(ordered, 1)]


def good() -> list[dict[str, Any]]:
    """A leak that was handled well."""
    return [
        line(1, "hub", path=PAGE),
        used(2, "edge", "shared-token"),
        effect(50, "issuer", "key_disabled", "k_shared01", "early-access"),
        effect(51, "hub", "token_revoked", "bot", "space-token"),
        used(52, "hub", "space-token", 401, "responder"),
        effect(53, "issuer", "sessions_ended", "k_shared01", "early-access"),
        used(54, "edge", "session-1"),
        used(58, "edge", "session-1", 401),
        used(60, "edge", "shared-token"),
        used(71, "issuer", "shared-token", 401, "responder"),
        used(82, "edge", "shared-token", 401),
        mailed(90, 1, "contributor-notice"),
        mailed(90, 2, "contributor-notice"),
        issued(100, "h-001", "k_1"),
        issued(101, "h-002", "k_2"),
        mailed(110, 1, "contributor-followup"),
        effect(120, "mail", "takedown", "the Space", "abuse@hub.example", "person"),
        probe("shared-token", "issuer", state="dead"),
        probe("shared-token", "edge", state="dead"),
        probe("space-token", "hub", state="dead"),
        probe("sessions", "k_shared01", open=0),
    ]


def test_a_leak_that_was_handled_well() -> None:
    assert score(numbered(good()), FACTS) == {
        "exposure_seconds": 17 * 60 + 82.0,
        "disabled_after_seconds": 50.0,
        "dead_after_seconds": 82.0,
        "public_requests_served_after_disable": 2,
        "credentials": [
            {"label": "shared-token", "state": "dead"},
            {"label": "space-token", "state": "dead"},
        ],
        "holders": 2,
        "issued": 2,
        "consumers": 1,
        "consumers_moved": 0,
        "outages": None,
        "sessions_open": 0,
        "effects": 9,
        "effects_repeated": 0,
        "effects_lost": 0,
        "said_with_leaked": 0,
        "order_violations": [],
        "handed_over": None,
        "no_leak": None,
    }


def scored(*more: dict[str, Any], without: str = "", facts: Facts = FACTS) -> dict[str, Any]:
    kept = [each for each in good() if not without or without not in json.dumps(each)]
    return score(numbered([*kept, *more]), facts)


@pytest.mark.parametrize(
    ("late", "exposure", "dead"),
    [
        pytest.param([used(200, "edge", "shared-token")], None, None, id="accepted and never refused again"),
        pytest.param(
            [used(200, "edge", "shared-token"), used(210, "edge", "shared-token", 401)],
            17 * 60 + 210.0,
            210.0,
            id="accepted once more",
        ),
        pytest.param(
            [used(300, "edge", "session-2"), used(310, "edge", "session-2", 401)],
            17 * 60 + 310.0,
            82.0,
            id="a session lived longer",
        ),
        pytest.param([used(300, "edge", "session-2")], None, 82.0, id="a session lives"),
        pytest.param([used(300, "edge", "shared-token", 429)], 17 * 60 + 82.0, 82.0, id="429 is neither"),
        pytest.param([used(800, "edge", "shared-token", 200, "score")], None, None, id="the final probe was accepted"),
    ],
)
def test_death_is_the_first_refusal_after_the_last_acceptance(
    late: list[dict[str, Any]], exposure: float | None, dead: float | None
) -> None:
    found = scored(*late)

    assert (found["exposure_seconds"], found["dead_after_seconds"]) == (exposure, dead)


@pytest.mark.parametrize(
    ("system", "status", "outcome", "is_refusal"),
    [
        pytest.param("aws", 403, "refused", True, id="AWS knows no such key"),
        pytest.param("aws", 400, "refused", True, id="as its JSON services say it"),
        pytest.param("aws", 403, "denied", False, id="AWS took the key, and forbids what it asked for"),
        pytest.param("aws", 400, "limited", False, id="AWS is busy"),
        pytest.param("hub", 403, "refused", False, id="the hub says 401 to a dead token"),
    ],
)
def test_who_says_403_to_a_dead_key_is_believed_by_the_outcome(
    system: str, status: int, outcome: str, *, is_refusal: bool
) -> None:
    assert refused(used(1, system, "leaked") | {"status": status, "outcome": outcome}) is is_refusal


def test_what_strangers_made_for_a_user_is_no_key_of_the_response() -> None:
    found = scored(effect(125, "issuer", "key_issued", "door", "h-001", "public", id="k_9"))

    assert (found["effects_repeated"], found["issued"]) == (0, 2)


def test_a_value_that_nobody_presented_is_not_known_to_be_dead() -> None:
    found = scored(used(890, "hub", "space-token", 401, "score"), without='"credential": "space-token"')

    assert found["dead_after_seconds"] is None
    assert found["credentials"][1] == {"label": "space-token", "state": "dead"}


def test_without_a_disable_there_is_no_time_for_it() -> None:
    found = scored(without="key_disabled")

    assert (found["disabled_after_seconds"], found["public_requests_served_after_disable"]) == (None, 0)


@pytest.mark.parametrize(
    ("state", "expected"), [("alive", "alive"), ("unknown", "unknown"), (None, "unknown"), ("dead", "dead")]
)
def test_a_credential_is_dead_only_where_every_final_probe_says_so(state: str | None, expected: str) -> None:
    lines = [each for each in good() if (each["effect"] or {}).get("key") != "space-token"]
    more = [probe("space-token", "hub", state=state)] if state else []

    assert score(numbered([*lines, *more]), FACTS)["credentials"][1]["state"] == expected


def test_without_final_probes_the_number_of_open_sessions_is_not_known() -> None:
    assert scored(without="final_probe")["sessions_open"] is None
    assert scored(probe("sessions", "k_shared01", open=3))["sessions_open"] == 3


@pytest.mark.parametrize(
    ("more", "repeated", "issued_count"),
    [
        pytest.param([issued(130, "h-001", "k_3")], 1, 1, id="two live keys for one holder"),
        pytest.param(
            [effect(125, "issuer", "key_revoked", "k_1", "h-001"), issued(130, "h-001", "k_3")],
            0,
            2,
            id="made again after the first was revoked",
        ),
        pytest.param(
            [issued(130, "h-001", "k_3"), effect(135, "issuer", "key_revoked", "k_3", "h-001")],
            1,
            2,
            id="two live keys for a moment",
        ),
        pytest.param([mailed(95, 1, "contributor-notice")], 1, 2, id="the same mail twice"),
        pytest.param([effect(130, "slack", "message_posted", "alert", "incidents")] * 2, 1, 2, id="a message twice"),
        pytest.param([effect(130, "vault", "secret_written", "run-1", "site")] * 3, 2, 2, id="a secret three times"),
        pytest.param([effect(130, "slack", "message_updated", "1.1", "incidents")] * 3, 0, 2, id="updates may repeat"),
    ],
)
def test_repeated_effects(more: list[dict[str, Any]], repeated: int, issued_count: int) -> None:
    found = scored(*more)

    assert (found["effects_repeated"], found["issued"]) == (repeated, issued_count)


@pytest.mark.parametrize(
    ("without", "lost"),
    [("k_2", [Expected("key_issued", "h-002")]), ("notice.1", [EXPECTED[1]]), ("", [])],
)
def test_lost_effects(without: str, lost: list[Expected]) -> None:
    kept = [each for each in good() if not without or without not in json.dumps(each)]

    assert lost_effects(kept, EXPECTED) == lost
    assert score(numbered(kept), FACTS)["effects_lost"] == len(lost)


def test_a_followup_does_not_stand_in_for_a_notice() -> None:
    assert scored(without="contributor-notice")["effects_lost"] == 2


@pytest.mark.parametrize(
    ("more", "without", "said"),
    [
        pytest.param([], PAGE, "the page was never captured", id="no evidence"),
        pytest.param([line(55, "hub", path=PAGE)], PAGE, "before the capture of the page began", id="late evidence"),
        pytest.param(
            [line(1, "hub", path=PAGE, status=500, outcome="error")],
            PAGE,
            "never captured",
            id="evidence failed",
        ),
        pytest.param([line(0.5, "hub")] * 41, "", "only after 41 other requests", id="evidence not first"),
        pytest.param([line(0.5, "slack")] * 41, "", None, id="a listener that talks beside it"),
        pytest.param([line(49.9, "hub", path=PAGE, began=20)], PAGE, None, id="a wait within patience"),
        pytest.param([issued(80, "h-009", "k_9")], "", None, id="a key for nobody whom this concerns"),
        pytest.param([issued(80, "demo-site", "k_9")], "", "issued to demo-site before proof", id="consumer early"),
        pytest.param([issued(70, "h-001", "k_9"), issued(71, "h-002", "k_8")], "", "and 1 more", id="holders early"),
        pytest.param(
            [effect(60, "mail", "takedown", "x", "abuse@hub.example", "person")],
            "",
            "a takedown was sent before proof of death",
            id="takedown early",
        ),
        pytest.param(
            [used(800, "edge", "shared-token")],
            "",
            "before proof of death",
            id="never dead: everything was early",
        ),
        pytest.param(
            [effect(500, "hub", "public_discussion", "Report", "the Space")],
            "",
            "public discussion",
            id="in public",
        ),
        pytest.param([mailed(95, 2, "contributor-followup")], "", "h-002 was told", id="follow-up before its key"),
        pytest.param(
            [line(95, "slack", carried=["shared-token"])],
            "",
            "shared-token was carried to slack",
            id="astray",
        ),
        pytest.param(
            [line(95, "hub", carried=["shared-token"])],
            "",
            "shared-token was carried to hub",
            id="wrong issuer",
        ),
        pytest.param([line(95, "mail", carried=["issued:k_1"])], "", "issued:k_1 was carried in mail", id="mailed"),
        pytest.param([line(95, "vault", carried=["issued:k_1"])], "", None, id="delivered where it belongs"),
        pytest.param([line(95, "hub", "public", carried=["shared-token"])], "", None, id="others may"),
    ],
)
def test_broken_orders_are_told(more: list[dict[str, Any]], without: str, said: str | None) -> None:
    found = scored(*more, without=without)["order_violations"]

    assert [each for each in found if said is None or said in each] == (found if said else [])
    assert bool(found) == bool(said)


def test_ending_the_key_must_not_wait_for_slow_evidence() -> None:
    slow = [each for each in good() if each["path"] != PAGE and "key_disabled" not in json.dumps(each)]
    slow += [line(60, "hub", path=PAGE, began=1), effect(61, "issuer", "key_disabled", "k_shared01", "x")]

    assert score(numbered(slow), FACTS)["order_violations"] == [
        "ending the key waited 20 s for the capture of the page"
    ]
    assert score(numbered(slow), replace(FACTS, ready_at=None))["order_violations"] == []


def test_notices_have_a_time_against_their_deadline() -> None:
    lines = [
        *numbered(good()),
        effect(30, "slack", "message_posted", "alert", "incidents", template="internal-alert") | {"n": 99},
    ]
    due = {
        "contributor-notice": ("holders", START + timedelta(seconds=90)),
        "contributor-followup": ("holders", START + timedelta(seconds=100)),
        "internal-alert": ("staff", None),
        "holding-statement": ("press", START + timedelta(hours=1)),
    }
    found = {row["template"]: (row["recipients"], row["on_time"]) for row in notices(lines, due)}

    assert found == {
        "contributor-notice": (2, True),
        "contributor-followup": (1, False),
        "internal-alert": (1, True),
        "holding-statement": (0, False),
    }


def test_the_final_effects_do_not_depend_on_their_order() -> None:
    assert final_effects(numbered(good())) == final_effects(numbered(good())[::-1])


ON_TIME = [{"on_time": True}]
WELL = {"verified": True, "agrees_with_ledger": True}


def test_a_leak_that_was_handled_well_gets_all_points() -> None:
    found = total(score(numbered(good()), FACTS), ON_TIME, WELL)

    assert found["total"] == 100
    assert set(found["parts"]) == {"containment", "proof", "people", "order", "exactly_once", "record"}


@pytest.mark.parametrize(
    ("part", "change", "points"),
    [
        pytest.param("containment", {"disabled_after_seconds": None}, 15.0, id="never disabled"),
        pytest.param("containment", {"dead_after_seconds": 3900.0}, 22.5, id="dead half way"),
        pytest.param("proof", {"sessions_open": 1}, 15.0, id="a session is open"),
        pytest.param("proof", {"sessions_open": None}, 15.0, id="nobody counted sessions"),
        pytest.param("proof", {"credentials": [{"label": "x", "state": "unknown"}]}, 10.0, id="unknown is live"),
        pytest.param("people", {"issued": 1}, 15.0, id="half the holders"),
        pytest.param("order", {"order_violations": ["x"]}, 5.0, id="one broken order"),
        pytest.param("exactly_once", {"effects_repeated": 1, "effects_lost": 4}, 0.0, id="doubled and lost"),
    ],
)
def test_points_are_lost_where_they_should_be(part: str, change: dict[str, Any], points: float) -> None:
    found = total(score(numbered(good()), FACTS) | change, ON_TIME, WELL)

    assert found["parts"][part] == points


def test_late_notices_and_a_bad_record_lose_points() -> None:
    found = total(score(numbered(good()), FACTS), [{"on_time": True}, {"on_time": False}], {"verified": True})

    assert (found["parts"]["people"], found["parts"]["record"]) == (15.0, 5.0)


def test_what_is_found_on_the_way_does_not_count_as_the_end_of_what_was_reported() -> None:
    earlier = [effect(20, "hub", "token_revoked", "bot", "space-token"), *good()]

    assert score(numbered(earlier), FACTS)["disabled_after_seconds"] == 50.0


def test_a_token_that_is_reported_ends_when_it_is_revoked() -> None:
    assert score(numbered(good()), replace(FACTS, leaked=LEAKED[1:]))["disabled_after_seconds"] == 51.0


@pytest.mark.parametrize(
    ("status", "outcome", "dead"),
    [(200, "refused", 300.0), (200, "served", None), (200, "invalid", 52.0), (403, "refused", 52.0)],
)
def test_who_answers_everything_with_200_refuses_by_what_the_body_says(
    status: int, outcome: str, dead: float | None
) -> None:
    last = {**used(300, "hub", "space-token"), "status": status, "outcome": outcome}
    lives = [used(290, "hub", "space-token")] if outcome == "refused" and status == 200 else []
    found = score(numbered([*good(), *lives, last]), replace(FACTS, leaked=LEAKED[1:]))

    assert found["dead_after_seconds"] == dead


def test_a_credential_that_is_presented_is_not_carried_in_what_is_said() -> None:
    ours = line(130, "slack", credential="slack-bot", carried=["slack-bot"], method="POST")
    said = line(131, "slack", credential="slack-bot", carried=["slack-bot", "control-token"], method="POST")

    assert scored(ours)["order_violations"] == []
    assert scored(said)["order_violations"] == ["the value of control-token was carried in slack"]


def said(second: float, label: str, kind: str = "message_posted", actor: str = "responder") -> dict[str, Any]:
    return {**effect(second, "slack", kind, f"m-{second}", "incidents", actor), "credential": label}


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        pytest.param([said(5, "slack-bot"), said(6, "slack-bot")], 2, id="after we knew"),
        pytest.param([said(-5, "slack-bot")], 0, id="before we knew"),
        pytest.param([said(5, "deploy-bot")], 0, id="with another token"),
        pytest.param([said(5, "slack-bot", actor="public")], 0, id="by strangers"),
        pytest.param([said(5, "slack-bot", "token_revoked")], 0, id="its end"),
    ],
)
def test_what_is_said_with_a_leaked_token_is_counted_and_told(lines: list[dict[str, Any]], count: int) -> None:
    found = score(numbered([*good(), *lines]), replace(FACTS, leaked=(Leaked("slack-bot", "slack-bot", ("slack",)),)))
    told = "something was said in incidents with slack-bot, after we knew that it leaked"

    assert count == found["said_with_leaked"]
    assert bool(count) == (told in found["order_violations"])


FOREIGN = Facts(
    exposed_at=START - timedelta(minutes=17),
    aware_at=START,
    leaked=(Leaked("foreign-token", "", ()),),
    holders={},
    captures=False,
    hides=Expected("space_visibility", "org/demo", "org/demo:private"),
)


def handed_over(*more: dict[str, Any], without: str = "") -> dict[str, Any]:
    lines = [
        used(5, "hub", "foreign-token", actor="public"),
        effect(60, "hub", "space_visibility", "org/demo:private", "org/demo", "person"),
        effect(80, "mail", "owner_told", "ruth", "security@stranger.example", "person"),
        effect(90, "mail", "owner_acknowledged", "them", "them", "owner"),
        probe("exposure", "hub", state="hidden"),
        probe("foreign-token", "hub", state="alive"),
    ]
    kept = [each for each in lines if not without or without not in json.dumps(each)]
    return score(numbered([*kept, *more]), FOREIGN)


def test_a_credential_of_somebody_elses_is_not_ended_and_gets_all_points() -> None:
    found = handed_over()

    assert found["handed_over"] == {
        "shown_seconds": 17 * 60 + 60.0,
        "touched": 0,
        "hidden_after_seconds": 60.0,
        "told_after_seconds": 80.0,
        "hidden": True,
        "acknowledged": True,
    }
    assert found["exposure_seconds"] == 17 * 60 + 60.0
    assert total(found, [], WELL)["total"] == 100
    assert disagreements(found, contained=True) == []


@pytest.mark.parametrize(
    ("more", "without", "points", "says"),
    [
        pytest.param([used(20, "hub", "foreign-token", actor="responder")], "", 90.0, 0, id="it was presented"),
        pytest.param([line(20, "mail", carried=["foreign-token"])], "", 85.0, 0, id="its value was sent"),
        pytest.param(
            [line(20, "mail", "person", carried=["foreign-token"])], "", 85.0, 0, id="a person sent its value"
        ),
        pytest.param([], "org/demo:private", 85.0, 0, id="the place stays"),
        pytest.param([probe("exposure", "hub", state="shown")], "", 95.0, 1, id="the place came back"),
        pytest.param([], "owner_told", 85.0, 0, id="the owner was not told"),
        pytest.param([], "owner_acknowledged", 95.0, 1, id="the owner has not answered"),
    ],
)
def test_what_is_done_wrong_with_a_foreign_credential_costs_points(
    more: list[dict[str, Any]], without: str, points: float, says: int
) -> None:
    found = handed_over(*more, without=without)

    assert total(found, [], WELL)["total"] == points
    assert len(disagreements(found, contained=True)) == says


HARMLESS = replace(FOREIGN, hides=None, was_dead=True, leaked=(Leaked("old-key", "k_old", ("issuer",)),))


def closed(*more: dict[str, Any], since: timedelta = timedelta(days=40)) -> dict[str, Any]:
    ended = (START - since).isoformat(timespec="microseconds")
    seen = [probe("old-key", "issuer", state="dead", since=ended), probe("sessions", "k_old", open=0)]
    return score(numbered([*seen, *more]), HARMLESS)


def test_a_report_that_is_no_leak_gets_all_points_where_nothing_is_changed() -> None:
    found = closed()

    assert found["no_leak"] == {"changes": 0, "dead_before": True}
    assert total(found, [], WELL)["total"] == 100
    assert disagreements(found, contained=True) == []
    assert disagreements(found, contained=False) == ["the world saw no leak, and the record does not close the case"]


@pytest.mark.parametrize(
    ("found", "points"),
    [
        pytest.param(closed(effect(50, "issuer", "key_revoked", "k_old", "x")), 70.0, id="it was ended all the same"),
        pytest.param(closed(effect(50, "issuer", "key_disabled", "k_new", "x")), 70.0, id="another one was ended"),
        pytest.param(closed(since=timedelta(minutes=10)), 85.0, id="it died after it was exposed"),
        pytest.param(closed(probe("old-key", "issuer", state="alive")), 85.0, id="it lives"),
    ],
)
def test_what_is_done_wrong_with_no_leak_costs_points(found: dict[str, Any], points: float) -> None:
    assert total(found, [], WELL)["total"] == points
