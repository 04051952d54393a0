"""Who may answer what: requester and holders never agree, whatever they are called; an answer signs a digest."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from test_state import agreed, asked, folded, planned

from responder.approval import agree, decide, decline, group_digest, may_answer, report_done
from responder.errors import RequestError
from responder.state import RunState

PEOPLE = {
    "ann": {"name": "Ann", "email": "ann@lumen.example", "roles": ["oncall", "commander"]},
    "ann-too": {"name": "Ann", "email": "Ann@Lumen.example ", "roles": ["commander"]},
    "carl": {"name": "Carl", "email": "carl@lumen.example", "roles": ["commander"]},
    "cora": {"name": "Cora", "email": "", "roles": ["commander", "comms"]},
    "hal": {"name": "Hal", "email": "hal@lumen.example", "roles": ["commander"]},
    "hanna": {"name": "Hanna", "email": " HANNA@out.example", "roles": ["commander"]},
}
HOLDERS = [
    {"id": "h1", "person": "hal"},
    {"id": "h2", "email": "hanna@OUT.example"},
    {"id": "h3", "email": ""},
]
STEPS = [{"id": "a", "phase": "analysis", "action": "clockwork.turn"}]
STARTED = (
    "started", "",
    {
        "playbook": {"playbook": "p", "title": "t", "version": 1, "steps": STEPS},
        "credential": {"holders": HOLDERS},
        "people": PEOPLE,
        "requester": "ann",
    },
)  # fmt: skip


def run(*said: Any) -> RunState:
    return folded(*said, started=STARTED)


@pytest.mark.parametrize(
    ("person", "said"),
    [
        pytest.param("ann", "asked for this run", id="the requester"),
        pytest.param("ann-too", "asked for this run", id="the requester by another name"),
        pytest.param("hal", "holds the credential", id="a holder by link"),
        pytest.param("hanna", "holds the credential", id="a holder by mail, written otherwise"),
        pytest.param("mallory", "not among the people when the run started", id="somebody who came later"),
        pytest.param("", "speaks for nobody", id="a login that is nobody's"),
    ],
)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda state, who: agree(state, "a", who), id="agree"),
        pytest.param(lambda state, who: decline(state, "a", who, "no"), id="decline"),
    ],
)
def test_who_is_refused(answer: Any, person: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        answer(run(planned(), asked()), person)

    assert "may answer: carl, cora" in caught.value.remedy or not person


def test_whoever_is_left_may() -> None:
    state = run(planned(), asked())

    assert ["carl", "cora"] == may_answer(state, state.asks()[0])
    assert ("agreed", {"digest": "d1", "role": "commander"}, "a", "carl") == draft(agree(state, "a", "carl"))


def draft(one: Any) -> tuple[Any, ...]:
    return (one.event, dict(one.facts), one.step, one.actor)


def test_a_role_is_needed() -> None:
    with pytest.raises(RequestError, match="carl does not have the role comms"):
        agree(run(planned(), asked(role="comms")), "a", "carl")


@pytest.mark.parametrize(
    ("digest", "fits"),
    [
        pytest.param("d1", True, id="what is asked"),
        pytest.param("", True, id="not said"),
        pytest.param("d0", False, id="an older change"),
    ],
)
def test_an_answer_signs_what_was_seen(digest: str, *, fits: bool) -> None:
    state = run(planned("d0"), asked(digest="d0"), planned(), asked())

    if fits:
        assert "d1" == agree(state, "a", "carl", digest).facts["digest"]
    else:
        with pytest.raises(RequestError, match="another now"):
            agree(state, "a", "carl", digest)


def test_one_person_agrees_once() -> None:
    with pytest.raises(RequestError, match="carl has agreed already; 1 more"):
        agree(run(planned(), asked(quorum=2), agreed()), "a", "carl")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            lambda state: decide(state, "a", "carl", "x"),
            "waits for something else: approval",
            id="decide an approval",
        ),
        pytest.param(
            lambda state: report_done(state, "a", "carl", "x"),
            "waits for something else: approval",
            id="do an approval",
        ),
        pytest.param(lambda state: agree(state, "b", "carl"), "Nothing is asked at b", id="another step"),
    ],
)
def test_another_kind_of_answer_is_refused(answer: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        answer(run(planned(), asked()))


def test_a_choice_is_one_of_the_options() -> None:
    state = run(asked("decide", "", options={"one": "first", "two": "second"}))

    assert {"choice": "one", "by": "carl"} == decide(state, "a", "carl", "one").facts["facts"]
    with pytest.raises(RequestError, match="'three' is no option"):
        decide(state, "a", "carl", "three")
    with pytest.raises(RequestError, match="holds the credential"):
        decide(state, "a", "hal", "one")


@pytest.mark.parametrize("kind", ["task", "unknown"])
def test_whoever_asked_or_holds_may_do_a_task_and_say_what_happened(kind: str) -> None:
    state = run(asked(kind, ""))

    assert {"ann", "hal"} <= set(may_answer(state, state.asks()[0]))


def test_where_a_playbook_names_no_role_somebody_may_still_say_what_happened() -> None:
    state = run(asked("unknown", "", role="", options={"happened": "", "not-happened": ""}))

    assert "happened" == decide(state, "a", "carl", "happened").facts["answer"]


def test_one_digest_for_many_depends_on_every_item_and_on_no_order() -> None:
    one = group_digest({"a": "1", "b": "2"})

    assert one == group_digest({"b": "2", "a": "1"})
    assert 4 == len(
        {
            one,
            group_digest({"a": "2", "b": "1"}),
            group_digest({"a": "1"}),
            group_digest({"a": "1", "b": "2", "c": "3"}),
        }
    )


def test_what_is_asked_does_not_depend_on_when() -> None:
    due = (datetime(2026, 5, 2, tzinfo=UTC) + timedelta(hours=1)).isoformat()

    assert ["carl", "cora"] == may_answer(run(asked(due_at=due)), run(asked(due_at=due)).asks()[0])
