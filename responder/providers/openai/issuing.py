"""Making a new key: with a service account of its own, so that it can be ended by itself one day."""

import hashlib
from typing import Any, ClassVar

from pydantic import BaseModel

from responder.action import Change, Issued, Outcome, Unchanged, Verdict
from responder.answer import Response
from responder.credential import Issue
from responder.errors import OutcomeUnknown, ProviderError, Unavailable
from responder.providers.openai.client import READ, WRITE, Client, project_path
from responder.providers.openai.keys import keys_of_project, record_of

_MARK = 10
_ORPHANS = "orphans"


class IssueKey(Issue):
    """Make a service account with one key, for one consumer.

    OpenAI makes no keys for people by its API, and deletes no single key of a service account: so every consumer gets
    a service account, named `<label>--<mark of run and step>`. OpenAI shows the value once; an account of that name
    from an earlier try, whose value nobody has, is deleted and another made. `scopes` are OpenAI's own, such as
    `api.responses.write`; without any, the key may do all that a member of the project may. The account is made in the
    project of the leaked key, else in the connection's. Facts: `key_id`, `name`, `service_account`, `project`.
    """

    permissions: ClassVar[tuple[str, ...]] = (READ, WRITE)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:  # noqa: ARG003 - it is the same for all
        """Return where a person makes it."""
        return "Make a service account with a key for each consumer at https://platform.openai.com/api-keys."

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for service accounts of exactly this name; never write."""
        if self.holder is not None or self.consumer is None:
            raise ProviderError(
                "OpenAI makes no key for a person by its API",
                remedy="give `consumer`; a person makes their own key at platform.openai.com/api-keys",
            )
        name, project = self._name(client), self._project(client)
        orphans = " ".join(sorted(_accounts(client, project, name)))
        scopes = ", ".join(self.scopes) or "all that a member of the project may do"
        return Change(
            target=f"service account {name} in project {project}",
            before=f"orphan {orphans}, whose key's value nobody has" if orphans else "absent",
            after=f"one account with one key for {self.consumer.id}, sealed until it is delivered, for {scopes}",
            breaks=f"the orphan {orphans} is deleted first; nobody can be using it" if orphans else "",
            preconditions={"project": project, **({_ORPHANS: orphans} if orphans else {})},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Delete the orphans that were agreed on, then make the account with its key, once."""
        project, name = change.preconditions["project"], self._name(client)
        accounts = project_path(project, "service_accounts")
        for orphan in change.preconditions.get(_ORPHANS, "").split():
            path = project_path(project, "service_accounts", orphan)
            client.ask("DELETE", path, permission=WRITE, write=True, missing=True)
        try:
            if not self.scopes:
                answer = client.ask("POST", accounts, permission=WRITE, write=True, body={"name": name})
                return _outcome(answer, name, project, *_parts(answer.json(), "api_key"), "api_key", "value")
            body: dict[str, Any] = {"name": name, "create_service_account_only": True}
            made = client.ask("POST", accounts, permission=WRITE, write=True, body=body).json()
            account = str(made.get("id") or "") if isinstance(made, dict) else ""
            if not account:
                raise _lost("a service account", "its id")
            keys = project_path(project, "service_accounts", account, "api_keys")
            body = {"name": name, "scopes": list(self.scopes)}
            answer = client.ask("POST", keys, permission=WRITE, write=True, body=body)
            return _outcome(answer, name, project, account, _parts(answer.json())[0], "value")
        except ProviderError as error:
            if not client.access.wire.changed:
                raise
            raise OutcomeUnknown(
                f"A part was done, and the new key not made: {error.message}", remedy="plan the step again"
            ) from None

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for exactly one account of this name, none of the orphans, that has a key."""
        project, orphans = change.preconditions["project"], change.preconditions.get(_ORPHANS, "").split()
        try:
            found = _accounts(client, project, self._name(client))
            owners = {one.owner_id for one in keys_of_project(client, project)}
        except Unavailable:
            return Verdict.UNKNOWN
        if len(found) > 1:
            return Verdict.UNKNOWN
        made = [one for one in found if one not in orphans and one in owners]
        return Verdict.HOLDS if made else Verdict.DOES_NOT_HOLD

    def _name(self, client: Client) -> str:
        consumer = self.consumer.id if self.consumer else ""
        label = self.label or f"{self.subject.id or 'key'}-{consumer}"
        return f"{label}--{hashlib.sha256(client.access.marker.encode()).hexdigest()[:_MARK]}"

    def _project(self, client: Client) -> str:
        """Return the connection's project; without one, that of the leaked key, while OpenAI still lists it."""
        if client.options.project:
            return client.options.project
        record = record_of(client, self.subject)
        if record is None or not record.project:
            raise ProviderError(
                "Nobody knows in which project the key is to be made", remedy="set `project` in the connection"
            )
        return record.project


def _accounts(client: Client, project: str, name: str) -> list[str]:
    """Return the ids of the service accounts of exactly this name."""
    listed = client.pages(project_path(project, "service_accounts"))
    return [str(one.get("id", "")) for one in listed if one.get("name") == name]


def _parts(data: Any, *path: str) -> tuple[str, str]:
    """Return the id of what was made, and of the key inside; the same where the key is all."""
    inner = data
    for name in path:
        inner = inner.get(name) if isinstance(inner, dict) else None
    outer_id = str(data.get("id") or "") if isinstance(data, dict) else ""
    return outer_id, str(inner.get("id") or "") if isinstance(inner, dict) else ""


def _outcome(answer: Response, name: str, project: str, account: str, key_id: str, *value: str) -> Outcome:
    """Take the new value in; without it the key exists, and nobody has it."""
    taken = answer.secret(*value)
    if not key_id or taken is None:
        raise _lost("a key", "its value")
    facts = {"key_id": key_id, "name": name, "service_account": account, "project": project}
    return Outcome(facts, issued=Issued(key_id, value=taken))


def _lost(made: str, missing: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"OpenAI made {made}, and its answer does not hold {missing}", remedy="plan the step again")
