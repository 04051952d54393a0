"""Policies on a user or a role: what they allow by IAM's simulator, and those that we write ourselves."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from responder.providers.aws.client import Client, principal_in
from responder.providers.aws.refusals import Gone

FENCE = "responder-fence"
"""The name of our policy that fences a user."""
CUTOFF = "responder-end-sessions"
"""The name of our policy that ends the sessions of a user or a role."""
OURS = (FENCE, CUTOFF)
_QUARANTINE = "AWSCompromisedKeyQuarantine"
_AT_ONCE = 100


def arn_of(client: Client, user: str) -> str:
    """Return a user's ARN, with its path."""
    return str((client.ask("iam", "GetUser", UserName=user).get("User") or {})["Arn"])


def decisions(
    client: Client, arn: str, actions: Sequence[str], context: Mapping[str, tuple[str, str]] | None = None
) -> dict[str, str]:
    """Return what IAM's simulator decides about each action: `allowed`, `explicitDeny` or `implicitDeny`.

    `context` holds a kind and a value for each condition key. The simulator reads policies as they are listed, and
    knows no resource policies.
    """
    entries = [
        {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": [value]}
        for name, (kind, value) in (context or {}).items()
    ]
    found: dict[str, str] = {}
    for start in range(0, len(actions), _AT_ONCE):
        asked: dict[str, Any] = {"PolicySourceArn": arn, "ActionNames": list(actions[start : start + _AT_ONCE])}
        if entries:
            asked["ContextEntries"] = entries
        for one in client.items("iam", "SimulatePrincipalPolicy", "EvaluationResults", **asked):
            found[str(one["EvalActionName"])] = str(one["EvalDecision"])
    return found


def simulated(client: Client, user: str, actions: Sequence[str]) -> tuple[str, ...]:
    """Return those of some actions that a user may do."""
    found = decisions(client, arn_of(client, user), actions)
    return tuple(action for action in actions if found.get(action) == "allowed")


def lacking(client: Client, permissions: Sequence[str]) -> Sequence[str]:
    """Return which of these permissions our own credential lacks, by IAM's simulator."""
    asked = [one for one in permissions if one.partition(":")[0].isalnum() and " " not in one and ":" in one]
    arn = principal_in(client.whoami()["Arn"])
    if not asked or arn.endswith(":root"):
        return ()
    if ":role/" in arn:  # a session's ARN leaves out the path of its role
        arn = str((client.ask("iam", "GetRole", RoleName=arn.rpartition("/")[2]).get("Role") or {})["Arn"])
    found = decisions(client, arn, asked)
    return tuple(one for one in asked if found.get(one) != "allowed")


def quarantines(client: Client, user: str) -> list[str]:
    """Return the policies by which AWS itself has quarantined a user; we never take them away."""
    return sorted(name for name in attached(client, user) if name.startswith(_QUARANTINE))


def attached(client: Client, user: str) -> dict[str, str]:
    """Return the policies that are attached to a user: name and ARN."""
    listed = client.items("iam", "ListAttachedUserPolicies", "AttachedPolicies", UserName=user)
    return {str(one["PolicyName"]): str(one["PolicyArn"]) for one in listed}


def trusting(client: Client, arn: str) -> list[str]:
    """Return the roles whose trust policy names this principal itself; those of AWS services trust nobody of ours."""
    found = []
    for role in client.items("iam", "ListRoles", "Roles"):
        trust = role.get("AssumeRolePolicyDocument")
        trust = json.loads(unquote(trust)) if isinstance(trust, str) else trust or {}
        if arn in _principals(trust):
            found.append(str(role["RoleName"]))
    return found


def _principals(trust: Mapping[str, Any]) -> set[str]:
    """Return whom a trust policy allows, by ARN."""
    statements = trust.get("Statement") or []
    named: set[str] = set()
    for one in statements if isinstance(statements, list) else [statements]:
        principal = one.get("Principal") or {}
        given = principal.get("AWS", []) if isinstance(principal, dict) else []
        if one.get("Effect") == "Allow":
            named |= {given} if isinstance(given, str) else set(given)
    return named


def written(client: Client, kind: str, owner: str, name: str) -> Any:
    """Return a policy of a `User` or a `Role` by its name, as data; None where there is none."""
    owned = {f"{kind}Name": owner}
    try:
        found = client.ask("iam", f"Get{kind}Policy", PolicyName=name, **owned).get("PolicyDocument")
    except Gone:
        return None
    return json.loads(unquote(found)) if isinstance(found, str) else found


def write(client: Client, kind: str, owner: str, name: str, document: Any) -> None:
    """Write a policy into a `User` or a `Role`."""
    owned = {f"{kind}Name": owner}
    text = json.dumps(document, separators=(",", ":"))
    client.ask("iam", f"Put{kind}Policy", PolicyName=name, PolicyDocument=text, **owned)
