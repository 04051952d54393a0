"""The drill's GitLab, asked directly: its odd rules, and what it tells the ledger."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cases.common import a_ground
from cases.gitlab import filled

from responder.drill.world.gitlab import GitLab
from responder.drill.world.web import Answer, Request


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with a_ground() as ground:
        made = GitLab(ground)
        filled(made)
        yield made
        made.close()


def ask(gitlab: GitLab, method: str, path: str, label: str = "gitlab-admin", **query: str) -> Answer:
    headers = {"private-token": gitlab.ground.labels[label]}
    at = datetime(2026, 5, 2, tzinfo=UTC)
    return gitlab.answer(Request(method, f"/api/v4/{path}", query, headers, b"", at))


def rotated(gitlab: GitLab, label: str) -> Any:
    return ask(gitlab, "POST", "personal_access_tokens/self/rotate", label)


def test_rotating_a_token_ends_it_and_makes_another_for_a_week(gitlab: GitLab) -> None:
    answer = rotated(gitlab, "leaked")

    assert gitlab.accepts("leaked") is False
    assert answer.body["expires_at"] == "2026-05-09"
    assert [one.kind for one in answer.effects] == ["key_revoked", "key_issued"]


def test_rotating_a_revoked_token_revokes_its_whole_family(gitlab: GitLab) -> None:
    rotated(gitlab, "leaked")
    made = gitlab.tokens[-1].label
    assert gitlab.accepts(made) is True

    again = rotated(gitlab, "leaked")

    assert (again.status, again.body["error"]) == (401, "invalid_token")
    assert [one.kind for one in again.effects] == ["key_revoked"]
    assert (gitlab.accepts(made), gitlab.accepts("ann-second")) == (False, True)


def test_a_revoked_token_is_told_so_and_an_unknown_one_is_not(gitlab: GitLab) -> None:
    ask(gitlab, "DELETE", "personal_access_tokens/self", "leaked")
    gitlab.ground.labels.add({"stranger": "glpat-" + "q" * 20})
    told = [ask(gitlab, "GET", "personal_access_tokens/self", one) for one in ("leaked", "stranger")]

    assert [one.status for one in told] == [401, 401]
    assert "was revoked" in told[0].body["error_description"]
    assert told[1].body == {"message": "401 Unauthorized"}


def test_a_revoked_token_works_on_as_long_as_it_was_told_to(gitlab: GitLab) -> None:
    gitlab.propagation = 3.0
    ask(gitlab, "DELETE", "personal_access_tokens/self", "leaked")
    at_once = gitlab.accepts("leaked")
    gitlab.ground.clock.move(3.0)  # type: ignore[attr-defined]

    assert (at_once, gitlab.accepts("leaked")) == (True, False)


def test_an_expired_token_is_not_accepted(gitlab: GitLab) -> None:
    gitlab.ground.clock.move(91 * 86_400)  # type: ignore[attr-defined]

    assert gitlab.accepts("leaked") is False
    assert "is expired" in ask(gitlab, "GET", "user", "leaked").body["error_description"]


def test_who_is_no_administrator_is_told_401_of_what_is_not_theirs_and_of_what_is_not_there(gitlab: GitLab) -> None:
    asked = [ask(gitlab, "GET", f"personal_access_tokens/{number}", "gitlab-control").status for number in (1, 99, 4)]
    listed = ask(gitlab, "GET", "personal_access_tokens", "gitlab-control", user_id="2").status

    assert [*asked, listed] == [401, 401, 200, 401]
    assert ask(gitlab, "GET", "personal_access_tokens/99").status == 404


def test_revoking_twice_is_the_same_success(gitlab: GitLab) -> None:
    answers = [ask(gitlab, "DELETE", "personal_access_tokens/2") for _ in range(2)]

    assert [(one.status, len(one.effects)) for one in answers] == [(204, 1), (204, 0)]


def test_a_projects_token_cannot_make_another(gitlab: GitLab) -> None:
    gitlab.add_token("of-project", "ann", project="lumen/site")

    assert ask(gitlab, "POST", "projects/lumen%2Fsite/access_tokens", "of-project").status == 401
