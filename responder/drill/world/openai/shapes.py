"""How the API shows things, and how its errors look."""

from collections.abc import Sequence
from typing import Any

from responder.drill.world.openai.organisation import Account, Invite, Key, Project, Spent
from responder.drill.world.web import Answer, Rejected

_SHOWN_FIRST, _SHOWN_LAST = 8, 4


def refusal(status: int, message: str, code: str | None = None) -> Rejected:
    """Return an error as the API words it."""
    made = Rejected(status, code or "invalid_request")
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    made.answer = Answer(status, {"error": error})
    return made


def redacted(value: str) -> str:
    """Show the beginning and the end of a value alone."""
    return f"{value[:_SHOWN_FIRST]}{'*' * 12}{value[-_SHOWN_LAST:]}"


def project(found: Project) -> dict[str, Any]:
    """Show a project."""
    status = "archived" if found.archived else "active"
    named = {"id": found.id, "object": "organization.project", "name": found.name, "status": status}
    return {**named, "created_at": found.created_at, "archived_at": None}


def project_key(key: Key, value: str, *, access: bool) -> dict[str, Any]:
    """Show a key of a project; never its value."""
    owner = {"id": key.owner.id, "name": key.owner.name, "created_at": key.owner.created_at, "role": key.owner.role}
    if key.owner.kind == "user":
        owner["email"] = key.owner.email
    return {
        "object": "organization.project.api_key",
        "id": key.id,
        "name": key.name,
        "redacted_value": redacted(value),
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "owner_project_access": "active" if access else "inactive",
        "owner": {"type": key.owner.kind, key.owner.kind: owner},
    }


def admin_key(key: Key, value: str) -> dict[str, Any]:
    """Show a key of administration; never its value."""
    owner = {"type": "user", "object": "organization.user", "id": key.owner.id, "name": key.owner.name}
    return {
        "object": "organization.admin_api_key",
        "id": key.id,
        "name": key.name,
        "redacted_value": redacted(value),
        "created_at": key.created_at,
        "expires_at": None,
        "last_used_at": key.last_used_at,
        "owner": {**owner, "created_at": key.owner.created_at, "role": key.owner.role},
    }


def issued(key: Key, value: str) -> dict[str, Any]:
    """Show a new key with its value, this once."""
    kind = "organization.project.service_account.api_key"
    return {"object": kind, "value": value, "name": key.name, "created_at": key.created_at, "id": key.id}


def service_account(account: Account) -> dict[str, Any]:
    """Show a service account."""
    named = {"object": "organization.project.service_account", "id": account.id, "name": account.name}
    return {**named, "role": "member", "created_at": account.created_at}


def user(account: Account) -> dict[str, Any]:
    """Show somebody of the organisation."""
    named = {"object": "organization.user", "id": account.id, "name": account.name, "email": account.email}
    return {**named, "role": account.role, "added_at": account.created_at}


def member(account: Account, role: str) -> dict[str, Any]:
    """Show somebody of a project."""
    return {**user(account), "object": "organization.project.user", "role": role}


def invite(found: Invite) -> dict[str, Any]:
    """Show an invitation."""
    named = {"object": "organization.invite", "id": found.id, "email": found.email, "role": "reader"}
    accepted = found.created_at if found.status == "accepted" else None
    times = {"created_at": found.created_at, "expires_at": None, "accepted_at": accepted}
    return {**named, "status": found.status, **times, "projects": []}


def limit(cents: int) -> dict[str, Any]:
    """Show a hard spend limit."""
    shown = {"object": "project.spend_limit", "threshold_amount": cents, "currency": "USD", "interval": "month"}
    return {**shown, "enforcement": {"status": "enforcing"}}


def deleted(kind: str, which: str) -> dict[str, Any]:
    """Show that something was deleted."""
    return {"object": f"{kind}.deleted", "id": which, "deleted": True}


def bucket(at: int, width: int, spent: Sequence[Spent], *, grouped: bool) -> dict[str, Any]:
    """Show the calls of one stretch of time, added up."""
    inside = [one for one in spent if at <= one.at < at + width]
    groups = sorted({one.key_id for one in inside}) if grouped else [None] if inside else []
    results = []
    for group in groups:
        mine = [one for one in inside if group in {None, one.key_id}]
        results.append(
            {
                "object": f"organization.usage.{mine[0].kind}.result",
                "api_key_id": group,
                "num_model_requests": sum(one.requests for one in mine),
                "input_tokens": sum(one.input_tokens for one in mine),
                "output_tokens": sum(one.output_tokens for one in mine),
            }
        )
    return {"object": "bucket", "start_time": at, "end_time": at + width, "results": results}
