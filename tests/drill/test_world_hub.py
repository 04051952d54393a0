"""The hub's odd rules, asked over real HTTP."""

from typing import Any

import pytest
from guests import Start

SPACE = "/api/spaces/PR-Puppets/generate-with-lumen"
OURS = "/api/spaces/lumen-labs/demo"


def test_a_token_is_revoked_at_once_by_anybody_and_the_answer_says_nothing(start: Start) -> None:
    guest = start()
    body = {"credentials": [guest.value("space-token"), "hf_unheard_of"]}

    assert guest.ask("hub", "GET", "/api/whoami-v2", "space-token").json()["name"] == "lumen-space-bot"
    answers = [guest.ask("hub", "POST", "/api/credentials/revoke", body=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert guest.ask("hub", "GET", "/api/whoami-v2", "space-token").status_code == 401
    assert [effect["subject"] for effect in guest.effects("token_revoked")] == ["space-token"]


def test_asking_who_one_is_too_often_is_limited_for_a_while(start: Start) -> None:
    guest = start()
    answers = [guest.ask("hub", "GET", "/api/whoami-v2", "hub-admin") for _ in range(21)]

    assert {answer.status_code for answer in answers[:20]} == {200}
    assert answers[20].status_code == 429
    assert 1 <= int(answers[20].headers["Retry-After"]) <= 61
    assert guest.ask("hub", "GET", "/api/whoami-v2", "hub-control").status_code == 200
    guest.clock.move(61)
    assert guest.ask("hub", "GET", "/api/whoami-v2", "hub-admin").status_code == 200


def test_only_the_owner_pauses_a_space(start: Start) -> None:
    guest = start()

    assert guest.ask("hub", "POST", f"{SPACE}/pause", "hub-admin").status_code == 403
    assert guest.ask("hub", "POST", f"{OURS}/pause").status_code == 401
    assert guest.ask("hub", "POST", f"{OURS}/pause", "hub-control").status_code == 403
    for _ in range(2):
        assert guest.ask("hub", "POST", f"{OURS}/pause", "hub-admin").status_code == 200
    assert guest.ask("hub", "GET", OURS).json()["runtime"]["stage"] == "PAUSED"
    assert [effect["key"] for effect in guest.effects("space_paused")] == ["lumen-labs/demo"]


def test_a_private_space_is_not_there_for_others(start: Start) -> None:
    guest = start()
    guest.ask("hub", "PUT", f"{OURS}/settings", "hub-admin", body={"visibility": "private"})

    assert guest.ask("hub", "GET", OURS).status_code == 404
    assert guest.ask("hub", "GET", OURS, "hub-admin").json()["private"] is True


def test_the_head_holds_the_shared_token_and_an_earlier_commit_the_other_one(start: Start) -> None:
    guest = start()
    commits = guest.ask("hub", "GET", f"{SPACE}/commits/main").json()
    dates = [commit["date"] for commit in commits]
    page = "/spaces/PR-Puppets/generate-with-lumen"

    assert dates == sorted(dates, reverse=True)
    assert commits[0]["id"] == guest.ask("hub", "GET", SPACE).json()["sha"]
    head = guest.ask("hub", "GET", f"{page}/raw/main/app.py").text
    assert guest.value("shared-token") in head
    files = guest.ask("hub", "GET", f"{SPACE}/tree/{commits[-1]['id']}").json()
    assert "config.py" in [file["path"] for file in files]
    assert guest.value("space-token") in guest.ask("hub", "GET", f"{page}/raw/{commits[-1]['id']}/config.py").text
    assert guest.ask("hub", "GET", f"{page}/raw/main/config.py").status_code == 404
    assert guest.ask("hub", "GET", f"{SPACE}/tree/0000").status_code == 404


def test_the_public_page_holds_the_letter_and_no_value(start: Start) -> None:
    guest = start()
    page = guest.ask("hub", "GET", "/spaces/PR-Puppets/generate-with-lumen")

    assert page.headers["Content-Type"].startswith("text/html")
    assert "without pay" in page.text
    assert guest.value("shared-token") not in page.text


def test_secrets_of_a_space_are_written_and_never_read(start: Start) -> None:
    guest = start()
    body = {"key": "TOKEN", "value": guest.value("control-token")}

    assert guest.ask("hub", "POST", f"{OURS}/secrets", "hub-admin", body=body).status_code == 200
    shown = guest.ask("hub", "GET", f"{OURS}/secrets", "hub-admin")
    assert shown.json()["TOKEN"]["key"] == "TOKEN"
    assert guest.value("control-token") not in shown.text
    answers = [guest.ask("hub", "DELETE", f"{OURS}/secrets", "hub-admin", body={"key": "TOKEN"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 404]


def test_a_discussion_is_public_and_recorded_as_such(start: Start) -> None:
    guest = start()
    guest.ask("hub", "POST", f"{SPACE}/discussions", "hub-admin", body={"title": "Report", "description": "."})

    assert [effect["key"] for effect in guest.effects("public_discussion")] == ["Report"]


@pytest.mark.parametrize("body", [{}, {"credentials": []}, {"credentials": "one"}], ids=["none", "empty", "a text"])
def test_a_wrong_list_of_credentials_is_invalid(start: Start, body: dict[str, Any]) -> None:
    assert start().ask("hub", "POST", "/api/credentials/revoke", body=body).status_code == 400
