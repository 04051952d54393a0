"""What no plan may do: guards refuse, say every reason at once, and no option skips them."""

from typing import Any

import pytest

from responder.action import Effect, Identity
from responder.credential import Disable, Subject
from responder.errors import PlanRefused
from responder.guards import check_change, check_ownership, step_problems
from responder.incident import Credential, Judgement, Ownership
from responder.notice import SendNotice
from responder.playbook import Approval, Playbook, Step
from responder.redaction import Redactor, Secret
from responder.resolve import Resolved
from responder.sealing import Sealer
from responder.settings import Connection
from responder.state import RunState

SEALER = Sealer(b"k" * 32, Redactor())
LEAKED, OURS = SEALER.secret("leaked-" + "a" * 20), SEALER.secret("ours-" + "b" * 20)


def step(action: str = "credential.disable", **more: Any) -> Step:
    return Step.model_validate({"id": "a", "phase": "containment", "action": action, **more})


def approval(on_timeout: str = "abort") -> Approval:
    return Approval.model_validate({"role": "commander", "within": "1h", "on_timeout": on_timeout})


def refused(
    *,
    account: str = "acct",
    identity: Identity | None = None,
    ours: Secret | None = OURS,
    external: bool = False,
    connection: str = "gate",
) -> list[str]:
    state = RunState("run-1")
    state.credential = Credential(connection="gate", key_id="k1", fingerprint=LEAKED.fingerprint)
    resolved = Resolved(
        Disable(subject=Subject()),
        Connection(name=connection, provider="http", account=account),
        None,
        {"action": "credential.disable", "external": external},
    )
    try:
        check_change(step(), resolved, state, identity or Identity("acct", "k-ours"), ours)
    except PlanRefused as error:
        return [problem.what for problem in error.problems]
    return []


LEAKED_ACTS = "acts with the leaked credential itself"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({}, [], id="nothing wrong"),
        pytest.param({"account": ""}, ["does not say which account"], id="no account said"),
        pytest.param({"identity": Identity("other")}, ["this is account 'other'"], id="another account"),
        pytest.param({"ours": LEAKED}, [LEAKED_ACTS], id="we act with the leaked value"),
        pytest.param({"identity": Identity("acct", "k1")}, [LEAKED_ACTS], id="we act with the leaked key"),
        pytest.param({"identity": Identity("acct", "k1"), "connection": "elsewhere"}, [], id="another issuer"),
        pytest.param({"identity": Identity("acct", "")}, [], id="a provider that tells no key id"),
        pytest.param({"external": True}, ["leaves the house needs an approval"], id="external, and nobody agreed"),
        pytest.param(
            {"account": "", "ours": LEAKED, "external": True},
            ["leaves", "account", "leaked"],
            id="every reason at once",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(given: dict[str, Any], said: list[str]) -> None:
    found = refused(**given)

    assert len(said) == len(found)
    assert all(part in line for part, line in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("effect", "given", "external", "count"),
    [
        pytest.param(Effect.READ, None, False, 0, id="a read needs nobody"),
        pytest.param(Effect.REVERSIBLE, None, False, 0, id="what can be taken back needs nobody"),
        pytest.param(Effect.FINAL, None, False, 1, id="what is final needs somebody"),
        pytest.param(Effect.MESSAGE, None, False, 0, id="a message to ourselves needs nobody"),
        pytest.param(Effect.MESSAGE, None, True, 1, id="a message that leaves needs somebody"),
        pytest.param(Effect.REVERSIBLE, "proceed", False, 0, id="silence may do what can be taken back"),
        pytest.param(Effect.FINAL, "proceed", False, 1, id="silence agrees to nothing final"),
        pytest.param(Effect.MESSAGE, "proceed", False, 1, id="silence agrees to no message"),
        pytest.param(Effect.FINAL, "abort", True, 0, id="agreed, or not at all"),
        pytest.param(Effect.FINAL, "escalate(comms)", False, 0, id="agreed by the next"),
    ],
)
def test_what_an_effect_needs(effect: Effect, given: str | None, *, external: bool, count: int) -> None:
    one = step(approval=approval(given)) if given else step()

    assert count == len(step_problems(one, effect, external=external))


@pytest.mark.parametrize(
    ("ownership", "action", "said"),
    [
        pytest.param(Ownership.OURS, "credential.revoke", "", id="ours"),
        pytest.param(Ownership.CANARY, "credential.inspect", "canary", id="a canary is not even looked at"),
        pytest.param(
            Ownership.THIRD_PARTY,
            "credential.prove_dead",
            "belongs to somebody else",
            id="somebody's key is not presented",
        ),
        pytest.param(
            Ownership.UNKNOWN,
            "credential.revoke",
            "Nothing shows that this credential is ours",
            id="unknown is not ours",
        ),
        pytest.param(Ownership.UNKNOWN, "evidence.capture_page", "", id="looking at our own exposure is allowed"),
        pytest.param(Ownership.CANARY, "notice.send", "", id="telling its owner is allowed"),
    ],
)
def test_what_may_be_done_with_whose(ownership: Ownership, action: str, said: str) -> None:
    playbook = Playbook(playbook="p", title="t", version=1, steps=(step(action),))
    judgement = Judgement(ownership, "because", Credential(key_id="k1"))

    if not said:
        check_ownership(judgement, playbook)
        return
    with pytest.raises(PlanRefused, match=said):
        check_ownership(judgement, playbook)


def test_the_replacement_is_never_ended() -> None:
    state = RunState("run-1")
    state.credential = Credential(connection="gate", key_id="k2")
    state.unit("new").planned = {"declared": "credential.issue"}
    state.unit("new").facts = {"key_id": "k2"}
    resolved = Resolved(
        Disable(subject=Subject()),
        Connection(name="gate", provider="http", account="acct"),
        None,
        {"action": "credential.disable"},
    )

    with pytest.raises(PlanRefused, match="issued by this very run"):
        check_change(step(), resolved, state, Identity("acct"))


def test_a_notice_is_a_message() -> None:
    assert Effect.MESSAGE is SendNotice.effect
