"""What did not come from Slack, is too old, or came before, runs nothing."""

import pytest
from town import Build, Town, until


@pytest.mark.parametrize("how", ["forged", "stale", "unsigned"])
def test_what_is_not_signed_by_slack_now_gets_401_and_runs_nothing(build: Build, how: str) -> None:
    town = build("http")
    with town.listening() as reception:
        payload = {"command": "/responder", "text": "status", "user_id": "URUTH", "team_id": "T0LUMEN"}

        reply = town.slack.courier.send_forged(how, payload=payload)

        assert 401 == reply.status
        assert [] == reception.app.runs()
        assert [] == town.slack.diary.sent(kind="response_url")


def test_what_was_sent_before_gets_401_and_runs_nothing_more(build: Build) -> None:
    town = build("http")
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        assert "on the timeline" in town.says("ruth", "note once is once", channel)

        reply = town.slack.courier.send_forged("replayed")

        assert 401 == reply.status
        assert ["once is once"] == [e.facts["text"] for e in town.entries(reception) if e.event == "noted"]


def test_nothing_is_done_by_looking(build: Build) -> None:
    town = build("http")
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        before = len(town.entries(reception))

        for method in ("GET", "HEAD"):
            answer = town.guest.http.request(method, town.slack.app.request_url)

            assert answer.status_code in {401, 404, 405}
        assert len(town.entries(reception)) == before


def test_an_event_that_is_told_again_is_taken_once(town: Town) -> None:
    town.slack.pace.retries = (0.0, 0.05, 0.1)
    with town.listening() as reception:
        channel = town.begun()
        town.asked("ines", channel, "kill")
        ts = town.person("ines").say(channel, "The CDN still serves it").ts
        town.slack.pace.acknowledge = 0.0 if town.mode == "socket" else 0.001  # whatever we answer comes too late

        town.person("ines").react(channel, ts, "pushpin")

        until(lambda: len(town.slack.diary.deliveries(kind="events_api")) >= 2)
        town.slack.courier.settle()
        until(lambda: [e for e in town.entries(reception) if e.event == "noted"])
        assert 1 == len([e for e in town.entries(reception) if e.event == "noted"])


def test_the_same_user_id_of_another_workspace_is_somebody_else(town: Town) -> None:
    with town.listening() as reception:
        channel = town.begun()
        ts = town.asked("ines", channel, "kill")
        town.slack.workspace.people["UINES"]
        stranger = reception.listener._who({"user": {"id": "UINES", "team_id": "T0OTHER"}})

        assert "" == stranger.person
        assert ts
