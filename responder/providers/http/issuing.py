"""Making a new key: marked, so that the orphan of a lost answer is found again and ended."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from responder.action import Change, Issued, Outcome, Unchanged, Verdict
from responder.answer import Response
from responder.credential import Issue
from responder.errors import OutcomeUnknown, ProviderError, Unavailable
from responder.providers.http.client import Client, at, listed, word
from responder.providers.http.options import IssueCall

_MARK = 10
_ORPHANS = "orphans"


@dataclass(frozen=True)
class _Found:
    """A live key that bears our name and marker."""

    key_id: str
    claim: str


class IssueKey(Issue):
    """Make a key as described: a holder claims theirs at the issuer, a consumer's is given to us.

    The key is named `<label>--<mark of run and step>`. A live key of that name that its holder can claim is
    the one that was wanted; one whose value nobody has is ended, and another made. Facts: `key_id`, `name`,
    and `claim` if any.
    """

    permissions: ClassVar[tuple[str, ...]] = ("keys.issue", "keys.issue.find", "keys.revoke")

    def plan(self, client: Client) -> Change | Unchanged:
        """Look for a live key of exactly this name; never write."""
        wanted = _wanted(self, client)
        found = _live(client, wanted.name)
        claims = [one for one in found if one.claim] if wanted.delivery == "claim" else []
        if len(claims) > 1:
            raise ProviderError(
                f"{len(claims)} live keys bear the name {wanted.name}",
                where="keys.issue.find",
                remedy="end all but one by hand: " + ", ".join(one.key_id for one in claims),
            )
        if claims:
            facts = {"key_id": claims[0].key_id, "name": wanted.name, "claim": claims[0].claim}
            issued = Issued(claims[0].key_id, claim=claims[0].claim)
            return Unchanged(f"key {claims[0].key_id} was made by an earlier try", facts, issued)
        orphans = " ".join(sorted(one.key_id for one in found))
        return Change(
            target=f"key {wanted.name}",
            before=f"orphan {orphans}, whose value nobody has" if orphans else "absent",
            after=wanted.described(),
            breaks=f"the orphan {orphans} is ended first; nobody can be using it" if orphans else "",
            preconditions={_ORPHANS: orphans} if orphans else {},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """End the orphans that were agreed on, then make the key, once."""
        call, wanted = _call(client), _wanted(self, client)
        orphans = change.preconditions.get(_ORPHANS, "").split()
        for orphan in orphans:
            _end_orphan(client, orphan)
        try:
            answer = client.ask(call, "keys.issue", wanted.values(), write=True)
        except ProviderError as error:
            if not orphans:
                raise
            raise OutcomeUnknown(
                f"The orphan was ended, and the new key not made: {error.message}",
                remedy="plan the step again",
            ) from None
        issued = _issued(call, answer, wanted.delivery)
        facts = {"key_id": issued.key_id, "name": wanted.name} | ({"claim": issued.claim} if issued.claim else {})
        return Outcome(facts, issued=issued)

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look for exactly one live key of this name, none of the orphans."""
        orphans = change.preconditions.get(_ORPHANS, "").split()
        try:
            found = [one.key_id for one in _live(client, _wanted(self, client).name)]
        except Unavailable:
            return Verdict.UNKNOWN
        if len(found) > 1:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if found and found[0] not in orphans else Verdict.DOES_NOT_HOLD


@dataclass(frozen=True)
class _Wanted:
    """The key that is to be made."""

    name: str
    owner: str
    email: str
    delivery: str
    scopes: Sequence[str]

    def values(self) -> Mapping[str, Any]:
        """Return what the placeholders stand for."""
        return {
            "name": self.name,
            "owner": self.owner,
            "email": self.email,
            "delivery": self.delivery,
            "scopes": list(self.scopes),
        }

    def described(self) -> str:
        """Say what is made, for whoever approves it."""
        how = "claimed by them at the issuer" if self.delivery == "claim" else "sealed until it is delivered"
        scopes = ", ".join(self.scopes) or "the scopes that the issuer gives by itself"
        return f"one key for {self.owner}, {how}, with {scopes}"


def _wanted(action: IssueKey, client: Client) -> _Wanted:
    call = _call(client)
    if (action.holder is None) == (action.consumer is None):
        raise ProviderError("A key is made for one holder or for one consumer", remedy="give `holder` or `consumer`")
    delivery = "claim" if action.holder else "value"
    if getattr(call, delivery) is None:
        what = "claim page" if delivery == "claim" else "value"
        raise ProviderError(
            f"The connection describes no {what} of a new key",
            where=f"keys.issue.{delivery}",
            remedy="describe it, or make the key by hand",
        )
    owner = action.holder.id if action.holder else action.consumer.id if action.consumer else ""
    label = action.label or f"{action.subject.id or 'key'}-{owner}"
    marked = hashlib.sha256(client.access.marker.encode()).hexdigest()[:_MARK]
    email = action.holder.email if action.holder else ""
    return _Wanted(f"{label}--{marked}", owner, email, delivery, action.scopes)


def _call(client: Client) -> IssueCall:
    call = client.options.keys.issue
    if call is None:
        raise ProviderError("The connection does not describe keys.issue", where="keys.issue")
    return call


def _issued(call: IssueCall, answer: Response, delivery: str) -> Issued:
    """Read the new key out of the answer; without it the key exists, and nobody has it."""
    try:
        key_id = word(at(answer.json(), call.key_id))
        value = answer.secret(*call.value.split(".")) if call.value and delivery == "value" else None
        claim = word(at(answer.json(), call.claim)) if call.claim and delivery == "claim" else ""
    except (Unavailable, OutcomeUnknown):
        key_id, value, claim = "", None, ""
    if not key_id or not (value or claim):
        raise OutcomeUnknown(
            "A key was made, and the answer does not hold what was promised",
            where="keys.issue",
            remedy="check key_id, value and claim of the connection",
        )
    return Issued(key_id, value=value, claim=claim or None)


def _live(client: Client, name: str) -> list[_Found]:
    """Return the live keys of exactly this name; a server that lists more than was asked for is no trap."""
    find = _call(client).find
    place = "keys.issue.find"
    return [
        _Found(word(at(item, find.key_id)), word(at(item, find.claim)))
        for data in client.pages(find, place, {"name": name}, find.next or "", find.cursor)
        for item in listed(data, find.items, place)
        if word(at(item, find.name)) == name and word(at(item, find.state)) in find.live
    ]


def _end_orphan(client: Client, key_id: str) -> None:
    keys = client.options.keys
    call, place = (keys.revoke, "keys.revoke") if keys.revoke else (keys.disable, "keys.disable")
    if call is None:
        raise ProviderError(f"The orphan {key_id} cannot be ended", where="keys.revoke", remedy="end it by hand")
    client.ask(call, place, {"key_id": key_id}, write=True)
    if client.inspect(key_id).state not in {"dead", "disabled"}:
        raise OutcomeUnknown(
            f"The orphan {key_id} was revoked, and its issuer does not say so yet",
            where=place,
            remedy="read back, then plan the step again",
        )
