"""Making a new deploy key: marked, so that the orphan of a lost answer is found again and removed."""

import hashlib
import re
from typing import ClassVar, NamedTuple

from responder.action import Change, Issued, Outcome, Unchanged, Verdict
from responder.credential import Issue
from responder.errors import OutcomeUnknown, ProviderError, Unavailable
from responder.providers.github import deploykeys
from responder.providers.github.client import Client
from responder.providers.github.options import DeployKeyId, deploy_key_id
from responder.providers.github.permissions import KEYS_WRITE

_MARK = 10
_ORPHANS = "orphans"
_SCOPE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(?P<write>:write)?")


class IssueDeployKey(Issue):
    """Make a deploy key (Ed25519) for one consumer; we make the pair, and GitHub gets the public half only.

    The repository is that of `scopes` (`owner/repo` to read, `owner/repo:write` to write as well), else that of the
    leaked deploy key, else the one in whose secrets the consumer's place is, else the only one of the connection's
    `repositories`; without a scope it may only read. Its
    title is `<label>--<mark of run and step>`: a key of that title whose private half was lost is removed, and
    another made. Facts: `key_id` (`owner/repo#id`), `name`, `read_only`.
    """

    permissions: ClassVar[tuple[str, ...]] = (KEYS_WRITE,)

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for a key of exactly this title in the repository; never write."""
        wanted = self._wanted(client)
        orphans = " ".join(sorted(one.id.number for one in self._titled(client, wanted)))
        about = "read only" if wanted.read_only else "to read and write"
        return Change(
            target=f"deploy key {wanted.title} of {wanted.repository}",
            before=f"orphan {orphans}, whose private half nobody has" if orphans else "absent",
            after=f"one key, {about}; its private half is sealed until it is delivered",
            breaks=f"the orphan {orphans} is removed first; nobody can be using it" if orphans else "",
            preconditions={_ORPHANS: orphans} if orphans else {},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Remove the orphans that were agreed on, then add a new key, once."""
        wanted = self._wanted(client)
        orphans = change.preconditions.get(_ORPHANS, "").split()
        for number in orphans:
            deploykeys.remove(client, DeployKeyId(wanted.repository, number))
        private, public = deploykeys.new_pair(client)
        try:
            made = deploykeys.add(client, wanted.repository, wanted.title, public, read_only=wanted.read_only)
        except ProviderError as error:
            if not orphans:
                raise
            raise OutcomeUnknown(
                f"The orphan was removed, and the new key not made: {error.message}", remedy="plan the step again"
            ) from None
        if made.public.split()[:2] != public.split()[:2]:
            raise OutcomeUnknown("A key was made, and it is not the one that we sent", remedy="plan the step again")
        facts = {"key_id": str(made.id), "name": wanted.title, "read_only": made.read_only}
        return Outcome(facts, issued=Issued(str(made.id), value=private))

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for exactly one key of this title, none of the orphans."""
        orphans = change.preconditions.get(_ORPHANS, "").split()
        try:
            found = [one.id.number for one in self._titled(client, self._wanted(client))]
        except Unavailable:
            return Verdict.UNKNOWN
        if len(found) > 1:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if found and found[0] not in orphans else Verdict.DOES_NOT_HOLD

    def _titled(self, client: Client, wanted: "_Wanted") -> list[deploykeys.DeployKey]:
        return [one for one in deploykeys.keys_of(client, wanted.repository) if one.title == wanted.title]

    def _wanted(self, client: Client) -> "_Wanted":
        if client.options.issues != "deploy-key":
            raise ProviderError("This connection makes no keys", remedy="set `issues: deploy-key`")
        if self.consumer is None or self.holder is not None:
            raise ProviderError(
                "A deploy key is for one consumer; people make tokens of their own, in their settings",
                remedy="give `consumer`",
            )
        label = self.label or f"{self.subject.id or 'deploy-key'}-{self.consumer.id}"
        mark = hashlib.sha256(client.access.marker.encode()).hexdigest()[:_MARK]
        repository, read_only = self._repository(client, self.consumer.secret)
        return _Wanted(repository, f"{label}--{mark}", read_only)

    def _repository(self, client: Client, place: str) -> tuple[str, bool]:
        scopes = [_SCOPE.fullmatch(scope) for scope in self.scopes]
        if len(scopes) > 1 or None in scopes:
            raise ProviderError(
                "A deploy key opens one repository", remedy="give one scope: owner/repo, or owner/repo:write"
            )
        if scopes and scopes[0]:
            return scopes[0]["repository"], scopes[0]["write"] is None
        leaked = deploy_key_id(self.subject.key_id)
        if leaked is not None:
            return leaked.repository, True
        stored = re.match(r"(?!orgs/)([\w.-]+/[\w.-]+)(?:/environments/.+)?:", place)
        # An organisation's secret may be read by many repositories: the only one that we know need not be meant.
        if stored is None and len(client.options.repositories) == 1 and not place.startswith("orgs/"):
            return client.options.repositories[0], True
        if stored is None:
            raise ProviderError("Nobody says which repository the key is to open", remedy="give the scope owner/repo")
        return stored[1], True


class _Wanted(NamedTuple):
    """The key that is to be made."""

    repository: str
    title: str
    read_only: bool
