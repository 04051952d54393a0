"""The leaked credential: what it is, ending it, proving that it is dead, and what else leads in."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel

from responder.action import Change, Observation, Observed, Outcome, Unchanged, Verdict
from responder.credential import CredentialAction, Door, Doors, Inspect, Inspection, Probe, ProveDead, Revoke
from responder.errors import ProviderError, Unavailable
from responder.providers.github import deploykeys, grants, tokens
from responder.providers.github.client import FORBIDDEN, Client, part
from responder.providers.github.deploykeys import DeployKey
from responder.providers.github.options import DeployKeyId, Options, deploy_key_id
from responder.providers.github.permissions import ANYBODY, APP_SECRET, GRANTS_READ, KEYS_READ, KEYS_WRITE, NONE
from responder.redaction import Secret


class InspectCredential(Inspect):
    """Say whether the credential is live, whose it is, and what it reaches.

    A token is presented once, to `GET /user`; an installation's token (`ghs_`), which has no user, to the list of its
    repositories; a user's token of our own app (`client_id`) is asked about as that app. Only GitHub's plain refusal
    (401, `Bad credentials`) means `dead`; 403 is a suspension or a policy, and leaves it `unknown`. A refresh token
    (`ghr_`) is always `unknown`: to use it is to change it. A deploy key (`owner/repo#id`) is looked up by its id.
    Facts besides: `status`, `expires_at`.
    """

    permissions: ClassVar[tuple[str, ...]] = (NONE, APP_SECRET, KEYS_READ)

    def read(self, client: Client) -> Outcome:
        """Look once; without value and id the state is unknown."""
        key = deploy_key_id(self.subject.key_id)
        if key is not None:
            return Outcome(_of_key(key, deploykeys.find(client, key)).model_dump(mode="json"))
        if self.subject.value is None:
            return Outcome(Inspection(state="unknown").model_dump(mode="json"))
        return Outcome(tokens.look(client, _token(self, client)).facts())


class RevokeCredential(Revoke):
    """End the credential for good.

    A token is revoked by its value: GitHub answers 202 whatever it does, writes to the token's owner, and carries it
    out a little later; nobody signs in for that on github.com, where whoever does is refused. An installation's token
    (`ghs_`) ends itself; a user's token of our own app (`client_id`) is ended by the app. A deploy key is removed by
    its exact id, and not if the id is that of another key than the leaked one.

    A refresh token can be revoked, and nobody can see that it was: a person must say so. A token that reaches an
    organisation and is known by its id alone loses that access by `github.revoke_fine_grained_pat`.
    """

    permissions: ClassVar[tuple[str, ...]] = (ANYBODY, APP_SECRET, KEYS_WRITE)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return the page of a deploy key, or the request that anybody may send."""
        if not isinstance(options, Options):
            return ""
        key = deploy_key_id(key_id)
        if key is not None:
            return f"Delete the deploy key {key.number} at {options.pages}/{key.repository}/settings/keys."
        whoever = "signed in" if options.is_enterprise_server else "without signing in"
        return (
            f'Send POST {options.base_url}/credentials/revoke with {{"credentials": ["THE TOKEN"]}}, {whoever}, the '
            f"body from a file; or its owner deletes it at {options.pages}/settings/tokens."
        )

    def plan(self, client: Client) -> Change | Unchanged:
        """Look; only a plain refusal, or a whole list without the key, means that nothing is left to do."""
        key = deploy_key_id(self.subject.key_id)
        if key is not None:
            return self._plan_key(client, key)
        token = _token(self, client)
        found = tokens.look(client, token)
        if found.state == "dead":
            return Unchanged("GitHub refuses the token already", found.facts())
        tokens.revocable(client, token)
        kind = tokens.kind_of(client, token)
        whose = f"live, of {found.owner or 'an installation'}" if found.state == "live" else "unknown"
        reach = f", which reaches {', '.join(found.reach)}" if found.reach else ""
        return Change(
            target=f"GitHub token {kind}... {self.subject.fingerprint or token.fingerprint}",
            before=whose,
            after="revoked for good",
            breaks=f"everything that uses the token{reach}",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Ask for its end; the status is noted, and not believed."""
        key = deploy_key_id(self.subject.key_id)
        if key is not None:
            return Outcome({"key_id": str(key), "status": deploykeys.remove(client, key)})
        return Outcome({"status": tokens.revoke(client, _token(self, client))})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look again; only a plain refusal, or a whole list without the key, proves anything."""
        key = deploy_key_id(self.subject.key_id)
        try:
            if key is not None:
                left = deploykeys.find(client, key) is not None
                return Verdict.DOES_NOT_HOLD if left else Verdict.HOLDS
            state = tokens.look(client, _token(self, client)).state
        except Unavailable:
            return Verdict.UNKNOWN
        return {"dead": Verdict.HOLDS, "live": Verdict.DOES_NOT_HOLD}.get(state, Verdict.UNKNOWN)

    def _plan_key(self, client: Client, key: DeployKeyId) -> Change | Unchanged:
        found = deploykeys.find(client, key)
        if found is None:
            return Unchanged(f"{key.repository} has no deploy key {key.number}", {"key_id": str(key), "state": "dead"})
        if self.subject.value is not None and deploykeys.is_other(client, found, self.subject.value):
            raise ProviderError(
                f"The deploy key {key} ({found.title!r}) is another one than the leaked one",
                remedy="compare its public half with that of the leaked key, and give the id of the right one",
            )
        used = f"; it was last used at {found.last_used_at}" if found.last_used_at else ""
        return Change(
            target=f"deploy key {key}",
            before=f"{found.state}, {found.title!r}",
            after="removed for good",
            breaks=f"everything that opens {found.reach} with it{used}",
        )


class ProveCredentialDead(ProveDead):
    """Present the token to GitHub until every place has refused it for the propagation time, beside one that works.

    A token of a user is presented to `GET /user`, an installation's to `GET /rate_limit`, which takes every kind, and
    a user's token of our own app is asked about as the app besides. Only 401 with `Bad credentials` is a refusal (404
    for the app's question): a suspension, a policy and an address that is not allowed say 403, and prove nothing.
    The control must be a token that the same places take: for our app's question, one that the app was given.
    A deploy key speaks SSH: that it is refused there is for a person to see.
    """

    permissions: ClassVar[tuple[str, ...]] = ("none: the leaked value and the control speak for themselves", APP_SECRET)

    def surfaces(self, client: Client) -> Sequence[str]:
        """Return the places that could take such a token."""
        return () if self.subject.value is None else tokens.surfaces_of(client, _token(self, client))

    def present(self, client: Client, surface: str, value: Secret) -> Probe:
        """Present a value once; failures and silence prove nothing."""
        try:
            return tokens.probe(client, surface, value)
        except ProviderError:
            return Probe.UNKNOWN

    def control(self, client: Client) -> Secret | None:
        """Return the connection's `control`."""
        return client.access.control

    def window(self, client: Client) -> float:
        """Return the connection's `propagation` in seconds."""
        return client.options.propagation.total_seconds()

    def observe(self, client: Client, history: Sequence[Observed]) -> Observation:
        """Look once; a key that only SSH takes cannot be looked at from here."""
        if deploy_key_id(self.subject.key_id) is not None:
            raise ProviderError(
                "A deploy key is taken over SSH, where this API does not lead",
                remedy="let a person see that `ssh -i KEY -o IdentitiesOnly=yes -T git@HOST` is refused, and say so",
            )
        look = super().observe(client, history)
        return look if look.last else look._replace(wait=max(look.wait, client.asked_to_wait))


class DoorsOf(Doors):
    """List what else leads to the same: the other deploy keys of the repository, or what GitHub shows of the user.

    Of a user anybody sees the SSH keys; whoever administers the connection's `repositories` the deploy keys that they
    added there; and a GitHub App of the organisation the fine-grained tokens that reach it.
    Classic tokens, authorised apps and sessions are shown to the user alone; `unseen` says so. Whose a token is, it
    says itself: once it is dead, only a `credential.inspect` of the same run, made before, can tell.
    """

    permissions: ClassVar[tuple[str, ...]] = (NONE, KEYS_READ, GRANTS_READ)

    def open_doors(self, client: Client) -> Iterable[Door]:
        """Yield every door that we are shown."""
        key = deploy_key_id(self.subject.key_id)
        if key is not None:
            for one in deploykeys.keys_of(client, key.repository):
                if one.id != key:
                    yield _door(one)
            return
        owner = self._owner(client)
        if not owner:
            return
        path = f"/users/{part(owner)}/keys"
        for found in client.pages(path, permission=NONE):
            number, told = found.get("id"), "opens whatever the user may reach"
            yield Door(
                kind="SSH key", id=f"{owner}'s SSH key {number}", about=told, opened_at=_time(found.get("created_at"))
            )
        for repository in client.options.repositories:
            yield from (_door(one) for one in deploykeys.keys_of(client, repository) if one.added_by == owner)
        if client.options.app_id and client.options.organization:
            for grant in grants.list_all(client, client.options.organization):
                if grant.owner.casefold() == owner.casefold():
                    told = f"{grant.name!r} of {grant.owner}"
                    yield Door(
                        kind="fine-grained token", id=grant.key_id, about=told, opened_at=_time(grant.granted_at)
                    )

    def unseen(self, client: Client) -> Sequence[str]:
        """Return what nobody but the owner is shown."""
        if deploy_key_id(self.subject.key_id) is not None:
            return ["who else may push: see the repository's collaborators and teams"]
        owner = self._owner(client)
        if not owner:
            return ["whose token it is: GitHub does not say (any more)"]
        left = [f"classic tokens, authorised apps and sessions of {owner}: only they are shown them"]
        if not (client.options.app_id and client.options.organization):
            left.append("fine-grained tokens: only a GitHub App (`app_id`, `organization`) is shown them")
        return left

    def _owner(self, client: Client) -> str:
        """Return whose token it is; empty where GitHub does not say for such a one, or no more."""
        value = None if self.subject.value is None else _token(self, client)
        if value is None or tokens.kind_of(client, value) in {"ghs_", "ghr_"}:
            return ""
        if client.seen is None:
            client.seen = tokens.look(client, value)
        if client.seen.state == "unknown" and (client.asked_to_wait or client.seen.status != FORBIDDEN):
            raise Unavailable(f"GitHub does not say whose token it is ({client.seen.status})", where="GET /user")
        return client.seen.owner or self.subject.owner


def _of_key(key: DeployKeyId, found: DeployKey | None) -> Inspection:
    if found is None:
        return Inspection(state="dead", key_id=str(key))
    return Inspection(
        state="live" if found.enabled else "disabled",
        owner=found.added_by,
        reach=(found.reach,),
        last_used_at=found.last_used_at,
        key_id=str(key),
    )


def _door(key: DeployKey) -> Door:
    who = f", added by {key.added_by}" if key.added_by else ""
    return Door(kind="deploy key", id=str(key.id), about=f"{key.title!r}{who}", opened_at=_time(key.made_at))


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _token(action: CredentialAction, client: Client) -> Secret:
    """Return the leaked token. ProviderError where nobody has it, or where it is a key whose id is missing."""
    value = action.subject.value
    if value is None:
        raise ProviderError(
            "GitHub knows a token by its value alone, and nobody has it",
            remedy="give the value with the finding, or the id of a deploy key as owner/repo#123; or let its owner "
            "delete it in their settings",
        )
    if client.access.wire.with_value(value, lambda text: "PRIVATE KEY-----" in text):
        raise ProviderError(
            "It is a private key, and nobody says which",
            remedy="give `key_id` in the finding or the inventory: owner/repo#123 for a deploy key; a user's key and "
            "an app's are removed on their pages",
        )
    return value
