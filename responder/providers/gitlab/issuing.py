"""Making a new token in a project: named with a mark, so that the orphan of a lost answer is found again and ended."""

import hashlib
from typing import Any, ClassVar

from responder.action import Change, Issued, Outcome, Unchanged, Verdict
from responder.credential import Issue
from responder.durations import show_duration
from responder.errors import OutcomeUnknown, ProviderError, Unavailable
from responder.providers.gitlab.client import PROJECT, Client, shown

_MARK = 10
_MISSING = 404
_ORPHANS = "orphans"


class IssueProjectToken(Issue):
    """Make a project access token for a consumer: it speaks for nobody, and reaches the connection's `project` alone.

    It has exactly `scopes`, the connection's `access_level`, and expires after `token_life`. Its name is
    `<label>--<mark of run and step>`. Personal tokens for others no API of gitlab.com makes. Facts: `key_id`, `name`,
    `expires_at`.
    """

    permissions: ClassVar[tuple[str, ...]] = (PROJECT,)

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for live tokens of exactly this name; their value was lost, so they are ended."""
        name = self._name(client)
        orphans = " ".join(sorted(_live(client, name), key=int))
        options = client.options
        return Change(
            target=f"token {name} in project {options.project}",
            before=f"orphan {orphans}, whose value nobody has" if orphans else "absent",
            after=(
                f"one token that may {', '.join(self.scopes)} with access level {options.access_level} for "
                f"{show_duration(options.token_life)}, sealed until it is delivered"
            ),
            breaks=f"the orphan {orphans} is ended first; nobody can be using it" if orphans else "",
            preconditions={_ORPHANS: orphans} if orphans else {},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """End the orphans that were agreed on, then make the token, once."""
        name, path = self._name(client), client.project_path()
        orphans = change.preconditions.get(_ORPHANS, "").split()
        for orphan in orphans:
            client.ask("DELETE", f"{path}/{orphan}", permission=PROJECT, write=True, expect=(_MISSING,))
        if set(orphans) & set(_live(client, name) if orphans else ()):
            raise OutcomeUnknown(f"The orphan of {name} was revoked, and is still there", remedy="read back")
        expires = (client.access.clock.now() + client.options.token_life).date().isoformat()
        body: dict[str, Any] = {
            "name": name,
            "scopes": list(self.scopes),
            "access_level": client.options.access_level,
            "expires_at": expires,
        }
        try:
            answer = client.ask("POST", path, permission=PROJECT, write=True, body=body)
        except ProviderError as error:
            if not orphans:
                raise
            raise OutcomeUnknown(
                f"The orphan was ended, and the new token not made: {error.message}", remedy="plan the step again"
            ) from None
        value = answer.secret("token")
        found = answer.json()
        key_id = found.get("id") if isinstance(found, dict) else None
        if value is None or not isinstance(key_id, int):
            raise OutcomeUnknown("A token was made, and the answer does not hold it", remedy="plan the step again")
        facts = {"key_id": str(key_id), "name": name, "expires_at": str(found.get("expires_at") or expires)}
        return Outcome(facts, issued=Issued(str(key_id), value=value))

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for exactly one live token of this name, none of the orphans."""
        orphans = change.preconditions.get(_ORPHANS, "").split()
        try:
            found = _live(client, self._name(client))
        except Unavailable:
            return Verdict.UNKNOWN
        if len(found) > 1:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if found and found[0] not in orphans else Verdict.DOES_NOT_HOLD

    def _name(self, client: Client) -> str:
        if self.consumer is None:
            raise ProviderError(
                "A project's token has no page where a holder could claim it",
                remedy="give `consumer`; people make their own tokens under Preferences, Access tokens",
            )
        if not self.scopes:
            raise ProviderError("A token needs scopes", where="scopes", remedy="name them, such as read_repository")
        marked = hashlib.sha256(client.access.marker.encode()).hexdigest()[:_MARK]
        label = self.label or f"{self.subject.id or 'token'}-{self.consumer.id}"
        return f"{label}--{marked}"


def _live(client: Client, name: str) -> list[str]:
    """Return the ids of the project's live tokens of exactly this name."""
    listed = client.pages(client.project_path(), permission=PROJECT, state="active")
    return [one.key_id for one in map(shown, listed) if one.name == name and one.state == "live"]
