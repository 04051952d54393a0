"""The executor: whoever acts is never the credential that is acted on, nor anything else that leaked."""

from collections.abc import Iterator

from responder.errors import Problem
from responder.guards.case import Case, named_key, named_value
from responder.settings import same_account

NAME = "executor"
_ENDINGS = frozenset({"disable", "revoke", "end_sessions"})


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse to act with what leaked, or with what was made from it; and to end what this run has issued.

    We would cut our own hand off; and whoever found the credential could have been faster.
    """
    if _leaked(case):
        yield Problem(
            "this connection acts with the leaked credential itself, or with one that was made from it",
            f"connection {case.resolved.connection.name}",
            "give the connection another `secret:`, one that did not leak",
        )
    if _ends_the_replacement(case):
        yield Problem("this key was issued by this very run", case.place, "a response never ends the replacement")


def _leaked(case: Case) -> bool:
    """Tell whether a finding names the value that we act with, or a key that the provider takes us for."""
    if case.ours is not None and named_value(case.ours) in case.leaked():
        return True
    keys = {case.identity.key_id, *case.identity.derives_from} - {""}
    if keys & {case.state.credential.key_id} and _same_account(case):
        return True
    return any(named_key(case.resolved.connection.name, key) in case.leaked() for key in keys)


def _same_account(case: Case) -> bool:
    """Tell whether we act at the issuer of the run's own credential, be it by another connection."""
    here, issuer = case.resolved.connection, case.issuer
    if issuer is None:
        return here.name == case.state.credential.connection
    return same_account(here, issuer)


def _ends_the_replacement(case: Case) -> bool:
    if not case.on_credential or case.step.action.removeprefix("credential.") not in _ENDINGS:
        return False
    issued = {
        str(unit.facts.get("key_id"))
        for unit in case.state.each()
        if unit.planned.get("declared") == "credential.issue"
    }
    return bool(case.state.credential.key_id) and case.state.credential.key_id in issued
