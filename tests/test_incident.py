"""Whose a credential is: decided offline, from the inventory, canaries and the value itself, never a report alone."""

import pytest

from responder.finding import Exposure, Finding
from responder.incident import Credential, Judgement, Ownership, codename, judge, selects
from responder.redaction import Redactor
from responder.sealing import Sealer
from responder.settings import CredentialEntry, Holder, Settings

SEALER = Sealer(b"k" * 32, Redactor())
OURS, THEIRS, CANARY = (SEALER.secret(f"{name}-value-" + "x1" * 10) for name in ("ours", "theirs", "canary"))
SETTINGS = Settings.model_validate(
    {
        "connections": {"gate": {"provider": "http"}, "hub": {"provider": "huggingface"}},
        "inventory": [
            {
                "id": "shared",
                "connection": "gate",
                "fingerprint": OURS.fingerprint,
                "holders": [{"id": "h1"}],
            },
            {"id": "unseen", "connection": "gate", "key_id": "key-7"},
            {
                "id": "known",
                "connection": "gate",
                "key_id": "key-8",
                "fingerprint": OURS.fingerprint[:-1] + "0",
            },
            {"id": "twice-gate", "connection": "gate", "key_id": "default"},
            {"id": "twice-hub", "connection": "hub", "key_id": "default"},
        ],
        "canaries": ["key-canary", "/trap-[0-9]+/", CANARY.fingerprint],
    }
)
RECOGNISED = {OURS: ("gate", "key-1"), THEIRS: ("gate", "key-99"), CANARY: None}


def judged(recognised: tuple[str, str] | None = None, **fields: object) -> Judgement:
    finding = Finding.model_validate(fields)
    return judge(finding, SETTINGS, lambda found: recognised, lambda entry: entry.fingerprint)


@pytest.mark.parametrize(
    ("fields", "recognised", "ownership", "reason"),
    [
        pytest.param({"value": OURS}, None, "ours", "'shared', by its fingerprint", id="its fingerprint"),
        pytest.param(
            {"value": OURS, "key_id": "key-7"},
            None,
            "ours",
            "'shared', by its fingerprint",
            id="its fingerprint, whatever the report calls it",
        ),
        pytest.param({"key_id": "key-7"}, None, "ours", "'unseen', by its key id", id="its key id"),
        pytest.param(
            {"value": THEIRS},
            ("gate", "key-7"),
            "ours",
            "'unseen', by its key id",
            id="the key id that its value bears",
        ),
        pytest.param(
            {"value": THEIRS, "key_id": "key-7"},
            ("gate", "key-99"),
            "unknown",
            "its value says",
            id="a key id that its value contradicts",
        ),
        pytest.param(
            {"value": THEIRS, "key_id": "key-8"},
            None,
            "unknown",
            "neither",
            id="a key id that its fingerprint contradicts",
        ),
        pytest.param(
            {"key_id": "key-7", "connection": "hub"}, None, "unknown", "neither", id="a key id at another issuer"
        ),
        pytest.param(
            {"value": THEIRS, "key_id": "key-7"},
            ("hub", ""),
            "unknown",
            "form",
            id="a key id, and a value of another issuer",
        ),
        pytest.param({"key_id": "default"}, None, "unknown", "several", id="a key id that two issuers have"),
        pytest.param(
            {"key_id": "default", "connection": "hub"},
            None,
            "ours",
            "'twice-hub'",
            id="a key id that two issuers have, and its issuer",
        ),
        pytest.param(
            {"value": THEIRS},
            ("gate", "key-99"),
            "unknown",
            "form is that of 'gate'",
            id="our provider, and not our inventory",
        ),
        pytest.param({"value": THEIRS}, None, "unknown", "neither", id="nothing known"),
        pytest.param({"value": CANARY}, None, "canary", "canaries", id="a canary by fingerprint"),
        pytest.param({"key_id": "trap-12"}, None, "canary", "canaries", id="a canary by pattern"),
        pytest.param({"key_id": "trap-12x"}, None, "unknown", "neither", id="only whole names are canaries"),
        pytest.param(
            {"value": THEIRS, "key_id": "key-7"},
            ("gate", "key-canary"),
            "canary",
            "canaries",
            id="a canary by its value, and called ours",
        ),
        pytest.param(
            {"value": OURS, "key_id": "key-canary"},
            None,
            "canary",
            "canaries",
            id="called a canary, and in the inventory",
        ),
    ],
)
def test_whose_it_is(
    fields: dict[str, object], recognised: tuple[str, str] | None, ownership: str, reason: str
) -> None:
    judgement = judged(recognised, **fields)

    assert ownership == judgement.ownership.value
    assert reason in judgement.reason


@pytest.mark.parametrize(
    ("fields", "recognised", "key_id"),
    [
        pytest.param(
            {"value": OURS, "key_id": "key-of-production"},
            None,
            "",
            id="a report never says which key is ended",
        ),
        pytest.param({"value": OURS}, ("gate", "key-1"), "key-1", id="the value does"),
        pytest.param({"key_id": "key-7"}, None, "key-7", id="the inventory does"),
    ],
)
def test_which_key_would_be_ended(fields: dict[str, object], recognised: tuple[str, str] | None, key_id: str) -> None:
    assert key_id == judged(recognised, **fields).credential.key_id


def test_what_is_ours_carries_what_the_inventory_knows() -> None:
    credential = judged(None, value=OURS, connection="hub").credential

    assert ("shared", "gate", (Holder(id="h1"),)) == (
        credential.id,
        credential.connection,
        credential.holders,
    )


def test_a_credential_is_locked_under_all_its_names() -> None:
    credential = Credential(id="shared", connection="gate", key_id="key-1", fingerprint="fp:1")

    assert ("gate:key-1", "fp:1", "inventory:shared") == credential.identifiers
    assert ("fp:1",) == Credential(fingerprint="fp:1").identifiers


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        pytest.param({}, True, id="nothing asked"),
        pytest.param({"exposure": "public", "shared": True}, True, id="all of it"),
        pytest.param({"exposure": "public", "shared": False}, False, id="one of it not"),
        pytest.param({"provider": "http", "credential": "shared"}, True, id="provider and credential"),
        pytest.param({"shared": "true"}, False, id="text is not a truth"),
    ],
)
def test_what_a_playbook_asks_of_a_finding(match: dict[str, object], *, fits: bool) -> None:
    finding = Finding(value=OURS, exposure=Exposure(kind="public"))

    assert fits is selects(match, finding, Credential(id="shared", shared=True), "http")


def test_an_incident_has_the_same_name_every_time() -> None:
    assert codename("inc-1") == codename("inc-1")
    assert 2 == len(codename("inc-1").split("-"))


def test_an_entry_that_cannot_be_recognised_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be recognised"):
        CredentialEntry(id="x", connection="gate")


def test_the_words_for_ownership_are_fixed() -> None:
    assert ["ours", "third party", "canary", "unknown"] == [one.value for one in Ownership]
