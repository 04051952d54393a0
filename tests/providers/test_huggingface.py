"""Tokens, Spaces and commits, against the drill's hub."""

from collections.abc import Iterator
from typing import Any

import pytest
from cases.huggingface import delivered, on_token, the_log
from provider_bench import bench_of

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Subject
from responder.errors import Denied, ProviderError
from responder.providers.huggingface import PROVIDER
from responder.providers.huggingface.commits import CommitLog
from responder.providers.huggingface.spaces import DeliverToSpace, PauseSpace, SetVisibility, SpaceInfo
from responder.providers.huggingface.tokens import InspectToken, ProveTokenDead, RevokeToken
from responder.settings import Consumer
from responder.testing.bench import Bench
from responder.testing.loopback import Reply, Seen


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("huggingface") as made:
        yield made


def leaked(bench: Bench, action: type[Any]) -> Any:
    return on_token(action)(bench.live, bench.secret)


def their_space(bench: Bench) -> str:
    return str(bench.live.world.ground.inventory.space)


def test_only_what_the_hub_has_an_api_for_is_offered() -> None:
    offered = {action.verb for action in PROVIDER.actions if action.name.startswith("credential.")}  # type: ignore[attr-defined]

    assert offered == {"inspect", "revoke", "prove_dead", "deliver", "used", "consumers"}


# ---- tokens


def test_inspect_tells_whose_token_it_is_and_what_it_reaches(bench: Bench) -> None:
    facts = leaked(bench, InspectToken).read(bench.client()).facts

    assert (facts["state"], facts["owner"]) == ("live", bench.live.world.ground.inventory.hub_bot)
    assert facts["reach"] == ["lumen-space-bot", "lumen-labs (write)", "role write"]


def test_a_fine_grained_token_reaches_what_it_was_given(bench: Bench) -> None:
    scoped = [{"entity": {"name": "lumen-labs/demo"}, "permissions": ["repo.write", "repo.content.read"]}]
    access = {"displayName": "ci", "role": "fineGrained", "fineGrained": {"scoped": scoped}}
    bench.live.gate._answer = lambda seen: Reply(200, {"name": "bot", "auth": {"accessToken": access}})
    facts = leaked(bench, InspectToken).read(bench.client()).facts

    assert facts["reach"][:2] == ["lumen-labs/demo: repo.write", "lumen-labs/demo: repo.content.read"]


def test_an_organisation_that_has_revoked_the_token_is_out_of_reach(bench: Bench) -> None:
    orgs = [{"name": "cut", "roleInOrg": "read", "securityRestrictions": ["token-revoked"]}, {"name": "kept"}]
    bench.live.gate._answer = lambda seen: Reply(200, {"name": "bot", "orgs": orgs})

    assert leaked(bench, InspectToken).read(bench.client()).facts["reach"] == ["bot", "kept (member)"]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_only_a_plain_refusal_is_death(bench: Bench, status: int) -> None:
    bench.live.gate._answer = lambda seen: Reply(status, {})

    assert leaked(bench, InspectToken).read(bench.client()).facts["state"] == "unknown"
    assert isinstance(leaked(bench, RevokeToken).plan(bench.client()), Change)


def test_a_token_is_revoked_without_signing_in(bench: Bench) -> None:
    action = leaked(bench, RevokeToken)
    action.apply(bench.client(may_write=True), action.plan(bench.client()))
    [sent] = bench.live.gate.effective

    assert "authorization" not in sent.headers
    assert sent.json() == {"credentials": [bench.live.value("space-token")]}


def test_what_is_approved_does_not_depend_on_what_the_hub_said_about_the_token(bench: Bench) -> None:
    action = leaked(bench, RevokeToken)
    known = action.plan(bench.client())
    bench.live.gate._answer = lambda seen: Reply(429, {})
    unknown = action.plan(bench.client())

    assert known.digest("a", "b", action.effect) == unknown.digest("a", "b", action.effect)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(401, Verdict.HOLDS), (200, Verdict.DOES_NOT_HOLD), (429, Verdict.UNKNOWN), (500, Verdict.UNKNOWN)],
)
def test_a_revocation_holds_only_when_the_token_is_refused(bench: Bench, status: int, verdict: Verdict) -> None:
    action = leaked(bench, RevokeToken)
    change = action.plan(bench.client())
    bench.live.gate._answer = lambda seen: Reply(status, {"name": "bot"})

    assert action.verify(bench.client(), change) is verdict


def test_a_token_whose_value_nobody_has_cannot_be_revoked_by_us(bench: Bench) -> None:
    with pytest.raises(ProviderError, match="by its value alone"):
        RevokeToken(subject=Subject(key_id="bot")).plan(bench.client())


def test_death_is_proven_slowly_beside_a_token_that_works(bench: Bench) -> None:
    action = leaked(bench, RevokeToken)
    action.apply(bench.client(may_write=True), action.plan(bench.client()))
    history: list[Observed] = []
    for _ in range(3):
        look = leaked(bench, ProveTokenDead).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        if not look.last:
            assert look.wait >= 5.0
            bench.live.clock.move(look.wait)

    assert [look.verdict for look in history] == ["refused", "refused", "dead"]


def test_a_hub_that_wants_to_be_left_alone_is_left_alone(bench: Bench) -> None:
    bench.live.gate._answer = lambda seen: Reply(429, {}, {"Retry-After": "42"})
    look = leaked(bench, ProveTokenDead).observe(bench.client(), [])

    assert (look.verdict, look.last, look.wait) == ("unknown", False, 42.0)


def test_when_the_control_is_refused_too_nothing_is_proven(bench: Bench) -> None:
    bench.live.gate._answer = lambda seen: Reply(401, {})

    assert leaked(bench, ProveTokenDead).observe(bench.client(), []).verdict == "unknown"


# ---- Spaces


def test_somebody_elses_space_cannot_be_paused_and_says_so(bench: Bench) -> None:
    action = PauseSpace(space=their_space(bench))
    change = action.plan(bench.client())
    with pytest.raises(Denied) as caught:
        action.apply(bench.client(may_write=True), change)

    assert "write access to the Space" in caught.value.remedy


def test_a_static_space_has_no_program_to_pause(bench: Bench) -> None:
    bench.live.gate._answer = lambda seen: Reply(200, {"sdk": "static", "runtime": {"stage": "RUNNING"}})
    with pytest.raises(ProviderError) as caught:
        PauseSpace(space="lumen-labs/demo").plan(bench.client())

    assert "set_visibility" in caught.value.remedy


@pytest.mark.parametrize("stage", ["SLEEPING", "BUILDING", ""])
def test_a_space_that_would_wake_up_is_not_paused(bench: Bench, stage: str) -> None:
    bench.live.gate._answer = lambda seen: Reply(200, {"runtime": {"stage": stage}})

    assert isinstance(PauseSpace(space="lumen-labs/demo").plan(bench.client()), Change)


@pytest.mark.parametrize("action", [PauseSpace(space="a/b"), SetVisibility(repository="a/b")])
def test_a_space_that_is_gone_needs_nothing(bench: Bench, action: Any) -> None:
    found = action.plan(bench.client())

    assert isinstance(found, Unchanged)
    assert "gone, or hidden from us" in found.reason


def test_protected_is_not_offered_for_it_keeps_the_program_public() -> None:
    with pytest.raises(ValueError, match="'private' or 'public'"):
        SetVisibility(repository="a/b", visibility="protected")


def test_the_state_of_a_space_is_told(bench: Bench) -> None:
    facts = SpaceInfo(space=their_space(bench)).read(bench.client()).facts

    assert (facts["stage"], facts["visibility"], facts["author"]) == ("RUNNING", "public", "PR-Puppets")
    assert SpaceInfo(space="a/b").read(bench.client()).facts["exists"] is False


def test_a_public_space_can_be_read_without_a_token(bench: Bench) -> None:
    bench.live.secret = None

    assert SpaceInfo(space=their_space(bench)).read(bench.client()).facts["exists"] is True
    assert "authorization" not in bench.live.gate.seen[-1].headers


def test_discussions_are_never_used(bench: Bench) -> None:
    action = delivered(bench.live, bench.secret)
    action.apply(bench.client(may_write=True), action.plan(bench.client()))
    the_log(bench.live, bench.secret).read(bench.client())

    assert not [seen for seen in bench.live.gate.seen if "discussion" in seen.path]


def test_a_consumer_names_space_and_key(bench: Bench) -> None:
    consumer = Consumer(id="demo", connection="huggingface", secret="lumen-labs/demo")
    with pytest.raises(ProviderError) as caught:
        DeliverToSpace(consumer=consumer, value=bench.secret("v" * 20)).plan(bench.client())

    assert "owner/name:KEY" in caught.value.remedy


# ---- the commits


def test_the_second_token_is_found_in_an_earlier_commit(bench: Bench) -> None:
    outcome = the_log(bench.live, bench.secret).read(bench.client())
    [finding] = outcome.findings
    first_draft = bench.live.world.cast.hub.spaces[their_space(bench)].commits[-1]

    assert finding.fingerprint == bench.secret(bench.live.value("space-token")).fingerprint
    assert finding.exposure.place == f"commit {first_draft.id[:7]} config.py"
    assert finding.exposure.exposed_at == first_draft.at
    assert finding.exposure.kind == "public"
    assert finding.connection == "huggingface"


def test_what_is_known_is_no_finding_but_its_first_appearance_is_told(bench: Bench) -> None:
    outcome = the_log(bench.live, bench.secret).read(bench.client())
    commits = bench.live.world.cast.hub.spaces[their_space(bench)].commits
    shared = bench.live.value("shared-token")
    oldest = next(one for one in reversed(commits) if any(shared in text for text in one.files.values()))

    assert outcome.facts["known_since"] == oldest.at.isoformat()
    places = outcome.facts["places"]
    assert {("app.py", commits[0].id[:12])} <= {(one["file"], one["commit"]) for one in places}
    assert outcome.facts == {"commits": 4, "scanned": 9, "found": 1, "complete": True} | {
        "known_since": oldest.at.isoformat(),
        "places": places,
    }


def test_what_is_not_known_is_found_by_the_given_shape_with_its_key_id(bench: Bench) -> None:
    action = the_log(bench.live, bench.secret).model_copy(update={"known": ()})
    findings = action.read(bench.client()).findings

    assert {finding.key_id for finding in findings} == {bench.live.world.ground.inventory.shared_key_id, ""}


def test_the_files_that_hold_a_credential_are_kept_as_they_are(bench: Bench) -> None:
    evidence = the_log(bench.live, bench.secret).read(bench.client()).evidence
    token = bench.live.value("space-token").encode()

    assert [one.about.rpartition("/")[2] for one in evidence if token in one.data] == ["config.py"]
    assert evidence[0].about.startswith("commit log of")


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        pytest.param({"count": 2}, "more than 2 commits", id="count"),
        pytest.param({"most_bytes": 300}, "300 bytes", id="bytes"),
    ],
)
def test_a_bound_that_was_reached_is_told(bench: Bench, bounds: dict[str, int], says: str) -> None:
    facts = CommitLog(space=their_space(bench), **bounds).read(bench.client()).facts

    assert facts["complete"] is False
    assert says in facts["stopped"]


def test_time_is_bounded(bench: Bench) -> None:
    facts = CommitLog(space=their_space(bench), within="0.000001s").read(bench.client()).facts

    assert (facts["commits"], facts["complete"]) == (0, False)
    assert "time was up" in facts["stopped"]


def hub_with(text: str) -> Any:
    def answer(seen: Seen) -> Reply:
        if "/commits/" in seen.path:
            return Reply(200, [{"id": "a" * 40, "date": "2026-05-02T08:00:00Z"}])
        if "/tree/" in seen.path:
            return Reply(200, [{"type": "file", "path": "x.env", "size": len(text), "oid": "b1"}])
        return Reply(200, text)

    return answer


def test_a_private_key_is_found_as_the_whole_block(bench: Bench) -> None:
    block = "-----BEGIN PRIVATE KEY-----\n" + "QUJD" * 8 + "\n-----END PRIVATE KEY-----"
    bench.live.gate._answer = hub_with(f"KEY = '''{block}'''\n")
    [finding] = CommitLog(space="a/b").read(bench.client()).findings

    assert finding.fingerprint == bench.secret(block).fingerprint


def test_the_id_of_an_aws_key_is_a_name_and_no_secret(bench: Bench) -> None:
    bench.live.gate._answer = hub_with("AKIA" + "ABCDEFGH" * 2)
    [finding] = CommitLog(space="a/b").read(bench.client()).findings

    assert (finding.value, finding.key_id) == (None, "AKIA" + "ABCDEFGH" * 2)


def test_the_same_content_is_fetched_once(bench: Bench) -> None:
    def answer(seen: Seen) -> Reply:
        if "/commits/" in seen.path:
            return Reply(
                200,
                [{"id": letter * 40, "date": f"2026-05-0{n}T08:00:00Z"} for n, letter in ((3, "a"), (2, "b"))],
            )
        return hub_with("hf_" + "Ab" * 17)(seen)

    bench.live.gate._answer = answer
    outcome = CommitLog(space="a/b").read(bench.client())
    [finding] = outcome.findings

    assert outcome.facts["scanned"] == 1
    assert finding.exposure.place.startswith("commit aaaaaaa")
    assert finding.exposure.exposed_at is not None
    assert finding.exposure.exposed_at.day == 2


def test_every_page_of_the_log_is_read(bench: Bench) -> None:
    base = bench.live.gate.url

    def answer(seen: Seen) -> Reply:
        if "/commits/" in seen.path:
            more = {} if "p" in seen.query else {"Link": f'<{base}/api/spaces/a/b/commits/main?p=1>; rel="next"'}
            return Reply(200, [{"id": ("b" if "p" in seen.query else "a") * 40}], more)
        return Reply(200, [])

    bench.live.gate._answer = answer
    assert CommitLog(space="a/b").read(bench.client()).facts["commits"] == 2


@pytest.mark.parametrize("shape", ["(", "x*"])
def test_a_shape_that_cannot_work_is_refused(shape: str) -> None:
    with pytest.raises(ValueError, match=r"expression|empty text"):
        CommitLog(space="a/b", shapes=(shape,))


def test_a_space_is_named_so_that_it_cannot_lead_elsewhere() -> None:
    for wrong in ("a", "a/b/c", "../x", "a/..", "a/b?c", "a b/c"):
        with pytest.raises(ValueError, match="pattern"):
            SpaceInfo(space=wrong)
