"""The shipped templates: each renders from the facts of the founding case, and says what it must."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from responder.documents import Templates, read_templates
from responder.documents.template import Document, render_notice
from responder.errors import DocumentError
from responder.expressions import Unknown
from responder.redaction import Redactor, Secret

ROOT = Path(__file__).parent.parent / "templates"
TEMPLATES = Templates(read_templates([ROOT]))
NOW = datetime(2026, 5, 2, 10, 5, tzinfo=UTC)
LATER = datetime(2026, 5, 3, 9, 0, tzinfo=UTC)
HOLDERS = [
    {"id": f"h{number}", "name": f"Mina Okafor{number}", "email": f"h{number}@example.org"} for number in range(300)
]
CLAIM = "http://127.0.0.1:8123/claim/9f2c"

NAMES: dict[str, Any] = {
    "now": NOW,
    "item": HOLDERS[0],
    "inputs": {"host_space": "puppets/generate", "partner": "pat"},
    "organisation": {
        "name": "Meridian",
        "contact": "press@meridian.example",
        "time_zone": "America/New_York",
    },
    "people": {
        "pat": {"name": "Pat Lind", "email": "pat@partner.example"},
        "dana": {"name": "Dana Reyes", "email": "dana@meridian.example"},
        "noor": {"name": "Noor Haddad", "email": "noor@meridian.example"},
    },
    "incident": {
        "id": "inc-7",
        "codename": "quiet harbour",
        "severity": "SEV-1",
        "aware_at": "2026-05-02T09:20:00+00:00",
        "exposed_at": "2026-05-02T06:10:00+00:00",
        "contained_at": "2026-05-02T09:31:00+00:00",
        "exposure": {"url": "http://127.0.0.1:9000/spaces/puppets/generate", "kind": "public"},
        "credential": {"label": "early-access", "owner": "dana", "shared": True, "holders": HOLDERS},
    },
    "facts": {
        "programme_name": "the Aurora early-access programme",
        "exposure_place": "a public Hugging Face Space",
        "about_criticism": "An open letter about the programme stood beside the token; it may stay",
        "your_work_and_data": "What you made and uploaded is kept, and stays yours",
        "concerns_person": "dana",
        "signed_by": {"name": "Ana Ruiz", "title": "Head of the programme", "email": "ana@meridian.example"},
        "programme_payment": "Testing is not paid; ten testers are chosen for grants of 2,000 dollars",
        "programme_credit": "Testers are not named in the product",
        "programme_approval": "Every output needs our approval before it is shared",
        "programme_review": "Whether these terms should change is part of the review of 2026-05-09",
        "known": ["The same token was given to all testers"],
        "not_known": [Unknown("The issuer still reads its logs for uses before 07:00 UTC", LATER)],
    },
}

FIELDS: dict[str, dict[str, Any]] = {
    "contributor-notice": {},
    "contributor-followup": {
        "claim": CLAIM,
        "concerns_heard": [{"concern": "Testing is not paid", "answer": "From June, testers are paid by the hour"}],
        "changes": [{"what": "Every tester has a token of their own", "by": "2026-05-04T12:00:00+00:00"}],
        "cannot_change": [{"what": "We cannot pay for earlier months by the hour", "why": "Nobody counted the hours"}],
    },
    "internal-alert": {
        "impact": "Anybody can use the model as our testers",
        "mode": "kill: the token is public",
        "actions_done": ["page captured"],
        "actions_needed": [{"what": "approve the holders' mail", "who": "comms", "by": "2026-05-02T10:20:00+00:00"}],
        "commander": "noor",
        "channel": "#inc-quiet-harbour",
        "do_not_do": "Do not answer in public, and do not write to testers",
    },
    "executive-brief": {
        "subject_line": "one decision by 15:00 UTC",
        "decision_question": "Do testers get their access back before the terms are reviewed?",
        "decision_options": [{"option": "yes", "effect": "300 people work again on Monday"}],
        "decision_by": "2026-05-02T15:00:00+00:00",
        "bottom_line": "The token is dead, and 300 testers are without access",
        "business_impact": "The programme stands still",
        "exposure": "The model was public for 3h21m",
        "legal_exposure": "No statute found; the partner's contract asks for word within a day",
        "next_deadline": "2026-05-03 09:20 UTC, word to the partner",
        "comms_state": "Testers told, statement published",
        "worst_case": "Clips that were made go on circulating",
        "confidence": "high; the issuer's logs would change it",
        "commander": "noor",
    },
    "holding-statement": {
        "what_we_know": ["The token opened the video model and nothing else"],
        "what_we_did": ["We ended the token at its issuer"],
        "who_should_act": "Nobody needs to do anything",
        "contact": "press@meridian.example",
    },
    "partner-notice": {
        "effect_on_partner": "Clips may have been made through your storage with a token of ours",
        "shared_systems_short": "the shared clip storage",
        "shared_systems": ["the clip storage"],
        "indicators": ["requests by the user agent gradio between 06:10 and 09:31 UTC"],
        "log_coverage": "the issuer's request log, complete from 2026-05-02 00:00 UTC",
        "asks": [{"what": "keep your logs of that day", "by": "2026-05-03T12:00:00+00:00"}],
        "coordination_contact": "noor",
    },
    "takedown-request": {
        "places": [{"file": "app.py", "commit": "3f2a9c1", "line": 12}],
        "token_kind": "an early-access token of our video API",
        "risk": "other copies of it may be tried elsewhere",
        "authority": "We issued the token, and I write for its issuer",
        "urgency": "within one working day, as the token is dead",
        "sender": "noor",
    },
}


def notice(name: str, changed: Mapping[str, Any] = {}, **names: Any) -> Document:
    return render_notice(TEMPLATES.get(name), {**NAMES, **names}, {**FIELDS[name], **changed}, Redactor())


def without(key: str, *fields: str) -> dict[str, Any]:
    return {key: {name: value for name, value in NAMES[key].items() if name not in fields}}


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_template_renders_from_the_facts_of_the_founding_case(name: str) -> None:
    document = notice(name)

    assert document.text.strip()
    assert document.template == name
    assert ("Unknown(" in document.text, "{" in document.text) == (False, False)


@pytest.mark.parametrize(
    "name", sorted(set(FIELDS) - {"takedown-request", "contributor-notice", "contributor-followup"})
)
def test_a_template_says_so_while_containment_is_open(name: str) -> None:
    text = notice(name, **without("incident", "contained_at")).text

    assert "refused since" not in text


@pytest.mark.parametrize("name", ["takedown-request", "contributor-notice"])
def test_a_template_that_presumes_a_dead_token_waits_for_it(name: str) -> None:
    with pytest.raises(DocumentError, match="is missing"):
        notice(name, **without("incident", "contained_at"))


MUST_SAY = {
    "contributor-notice": (
        "Dear Mina Okafor0,",
        "You are not accused of anything",
        "About 300 people",
        "We are not looking for anybody with this mail",
        "The issuer still reads its logs for uses before 07:00 UTC; next update by 2026-05-03 09:00 UTC",
        "2026-05-02 09:31 UTC (05:31 EDT)",
        "Nothing now.",
        "You will hear from us by 2026-05-03 09:20 UTC (05:20 EDT)",
        "Dana Reyes <dana@meridian.example>",
        "answers by 2026-05-05 09:20 UTC",
        "Testing is not paid",
        "Testers are not named in the product.",
        "Every output needs our approval",
        "An open letter about the programme stood beside the token",
        "Ana Ruiz\nHead of the programme, Meridian",
    ),
    "contributor-followup": (
        CLAIM,
        "yours alone",
        "nobody is accused",
        "The reason: Nobody counted the hours.",
        "- By 2026-05-04 12:00 UTC (08:00 EDT): Every tester",
    ),
    "internal-alert": ("early-access", "kill", "Noor Haddad", "comms", "*Do not answer in public"),
    "executive-brief": ("Please decide by 2026-05-02 15:00 UTC (11:00 EDT).", "Worst case", "Next update by"),
    "holding-statement": ("refused since 2026-05-02 09:31 UTC", "none of them is accused", "next update by"),
    "partner-notice": ("Dear Pat Lind,", "What our own logs cover", "Noor Haddad <noor@meridian.example>"),
    "takedown-request": (
        "file app.py, line 12, commit 3f2a9c1",
        "please leave the open letter",
        "we do not want it removed",
        "does not repeat the value",
        "in good faith",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [pytest.param(name, word, id=f"{name}: {word}") for name in MUST_SAY for word in MUST_SAY[name]],
)
def test_a_template_says_what_it_must(name: str, words: str) -> None:
    text = notice(name).text

    assert words in text


def test_the_contributor_notice_begins_with_what_it_means_for_its_reader() -> None:
    greeting, first = notice("contributor-notice").text.split("\n\n")[:2]

    assert greeting == "Dear Mina Okafor0,"
    assert first.startswith("Your access to the Aurora early-access programme is paused")


def test_the_contributor_notice_names_nobody_else() -> None:
    text = notice("contributor-notice").text

    assert [holder["id"] for holder in HOLDERS[1:] if holder["name"] in text or holder["email"] in text] == []


@pytest.mark.parametrize("phrase", ["the culprit", "legal action", "a rogue tester", "an outage", "human error"])
def test_the_contributor_notice_refuses_words_that_accuse(phrase: str) -> None:
    with pytest.raises(DocumentError, match="no text of ours says"):
        notice("contributor-notice", {"known": [f"This was about {phrase}"]})


def test_a_holder_without_a_name_is_greeted_all_the_same() -> None:
    text = notice("contributor-notice", item={"id": "x", "name": "", "email": "x@example.org"}).text

    assert text.startswith("Hello,\n")


def test_the_internal_alert_has_room_for_four_needs_in_twelve_lines() -> None:
    needs = FIELDS["internal-alert"]["actions_needed"] * 6
    text = notice("internal-alert", {"actions_needed": needs}).text

    assert text.strip().count("\n") + 1 == 12


def test_the_internal_alert_mentions_nobody_whatever_its_facts_say() -> None:
    text = notice("internal-alert", {"impact": "see <!channel> & <https://x.example|this>"}).text

    assert "<!channel>" not in text
    assert "&lt;!channel&gt; &amp; &lt;https://x.example|this&gt;" in text


def test_a_mail_to_three_hundred_holders_differs_by_the_name_alone() -> None:
    first, second = (notice("contributor-notice", item=holder) for holder in HOLDERS[:2])

    assert first.text.replace("Okafor0", "Okafor1") == second.text


def test_the_takedown_request_never_shows_the_value() -> None:
    value = "hf_" + "a1B2" * 9
    redactor = Redactor([Secret(value, "fp:1")])

    with pytest.raises(DocumentError, match="holds a secret of this incident") as caught:
        render_notice(
            TEMPLATES.get("takedown-request"),
            NAMES,
            {**FIELDS["takedown-request"], "risk": f"it is {value}"},
            redactor,
        )

    assert value not in str(caught.value)
