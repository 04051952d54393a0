"""Comparing what the inventory knows with what the connections told."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from responder.action import Identity, KeySeen
from responder.incident import canary_of
from responder.settings import Connection, CredentialEntry, same_account
from responder.stocktaking.asking import Told
from responder.stocktaking.issued import Origins
from responder.stocktaking.known import Known
from responder.stocktaking.remark import DIFFERENCE, NOTE, UNASKED, Remark, of_place

_OWNER = "add `owner:`, the id of a person: whoever must agree or be told is looked up there"
_RECOGNISE = "add `fingerprint`, or `known_by` where its value can be read"
_TAIL = "is not in the inventory: if it leaks, it does not count as ours"


class Comparison:
    """The inventory on one side, what was told on the other."""

    def __init__(self, known: Known, told: Mapping[str, Told]) -> None:
        self.known = known
        self.told = told
        self._origins = Origins(known.means)

    def remarks(self) -> Iterator[Remark]:
        """Yield everything in which they differ, and what is worth a note."""
        for told in self.told.values():
            yield from told.remarks
        for entry in self.known.entries:
            yield from self.of_entry(entry)
        yield from self.strangers()
        for told in self.told.values():
            yield from self.our_own(told)

    def of_entry(self, entry: CredentialEntry) -> Iterator[Remark]:
        """Yield what is wrong with one entry, by itself and by what was told."""
        remark = partial(Remark, connection=entry.connection, entry=entry.id, key_id=self.known.ids[entry.id])
        for consumer in entry.consumers:
            if not consumer.owner:
                yield of_place(entry, consumer, "no owner", "nobody owns it", _OWNER)
        if not entry.owner:
            yield remark(DIFFERENCE, "no owner", "nobody owns it", _OWNER)
        key_id = self.known.ids[entry.id]
        twins = [
            one.id for one in self.known.entries_at(entry) if one is not entry and self.known.ids[one.id] == key_id
        ]
        if key_id and twins:
            said = f"{', '.join(twins)} has the same key id: none of them counts as ours by it"
            yield remark(DIFFERENCE, "twice", said, "make one entry of them")
        own_id = self.known.id_in(entry, entry.known_by)
        if own_id and own_id != key_id:
            said = f"its value is that of {own_id}, and the inventory says {entry.key_id}"
            yield remark(DIFFERENCE, "contradiction", said, "correct `key_id` or `known_by`")
        if not self.known.is_recognised(entry):
            said = "nobody would recognise its value offline: a finding without its key id is not known to be ours"
            yield remark(DIFFERENCE, "unrecognisable", said, _RECOGNISE)
        yield from self._standing(entry, remark)

    def _standing(self, entry: CredentialEntry, remark: Callable[..., Remark]) -> Iterator[Remark]:
        """Yield how its issuer says that an entry's credential is, unless all is well."""
        told = self.told.get(entry.connection)
        key_id = self.known.ids[entry.id]
        if told is None or not told.whole:
            return
        if not key_id:
            said = "it has no key id, so that no list tells how it is"
            yield remark(NOTE, "no key id", said, "add `key_id`, if the provider shows one")
            return
        keys = [key for other in self._beside(told) for key in other.keys or () if key.key_id == key_id]
        if not keys and key_id in {one.identity.key_id for one in self._beside(told) if one.identity is not None}:
            return  # it has just let us in, whatever a list leaves out
        states = {key.state for key in keys} or {told.inspected.get(entry.id, "")}
        if states <= {"dead", "disabled"}:
            state = "disabled" if "disabled" in states else "dead"
            remedy = "find out who switched it off; end it and take it out" if state == "disabled" else "take it out"
            yield remark(DIFFERENCE, state, f"it is {state} there, and the inventory still holds it", remedy)
        elif keys:
            return
        elif told.keys is not None and states == {"live"}:
            yield remark(NOTE, "unlisted", "the list does not show it; asked by its id, it is live")
        elif told.keys is not None and states != {UNASKED}:
            remedy = "take it out if it was ended; else correct `key_id` or `connection`"
            yield remark(DIFFERENCE, "missing", "its issuer does not have it any more", remedy)

    def strangers(self) -> Iterator[Remark]:
        """Yield every credential that works, or could again, and that no entry names."""
        settings = self.known.means.settings
        seen: dict[KeySeen, list[Connection]] = {}
        for told in self.told.values():
            here = self._beside(told)
            acting = {
                one for other in here if other.identity for one in _ids(other.identity)
            }  # of which `our_own` tells
            named = self.known.named(told.connection) | acting
            controls = {self.known.id_in(one.connection, one.connection.control): one.connection for one in here}
            for key in told.keys or ():
                before = seen.setdefault(key, [])
                again = any(same_account(told.connection, one) for one in before)
                before.append(told.connection)
                if again or key.state == "dead" or key.key_id in named or canary_of(settings, {key.key_id}):
                    continue
                controlled = controls.get(key.key_id) if key.key_id else None
                yield from self._control(told, key, controlled) if controlled else (self._stranger(told, key),)

    def _stranger(self, told: Told, key: KeySeen) -> Remark:
        named = f" ({key.name})" if key.name else ""
        owned = f"owner {key.owner}" if key.owner else "no owner is told"
        used = f"last used {key.last_used_at}" if key.last_used_at else "no use is told"
        said = f"no entry names {key.key_id or 'a credential without an id'}{named}: {key.state}, {owned}, {used}"
        origin = self._origins.of(told.connection, key.key_id)
        if origin is not None:
            remark = partial(Remark, DIFFERENCE, connection=told.connection.name, **_about(key))
            issued = f"issued by run {origin.run}" + (f" for {origin.receiver}" if origin.receiver else "")
            if origin.delivered:
                return remark(kind="issued", said=f"{said}; {issued}", remedy="add it to the inventory")
            remedy = "add it once whom it is for has it, or end it"
            return remark(kind="unknown", said=f"{said}; {issued}, and not delivered by it", remedy=remedy)
        without = ", ".join(one.id for one in self.known.entries_at(told.connection) if not self.known.ids[one.id])
        remedy = "add it with its owner, or end it" + (f"; it may be {without}, which has no key id" if without else "")
        return Remark(DIFFERENCE, "unknown", said, remedy, told.connection.name, **_about(key))

    def _control(self, told: Told, key: KeySeen, of: Connection) -> Iterator[Remark]:
        """Yield a note on a known-good credential that the inventory does not hold."""
        if self.known.means.fingerprint_of_secret(of.control) not in self.known.fingerprints():
            said = f"the control of {of.name}, {key.key_id}, {_TAIL}"
            remedy = f"add it, with `known_by: {of.control}`"
            yield Remark(NOTE, "control", said, remedy, told.connection.name, **_about(key))

    def our_own(self, told: Told) -> Iterator[Remark]:
        """Yield a note on each credential that we act with and that the inventory does not hold."""
        connection, identity = told.connection, told.identity
        if identity is None:
            return
        named, remark = self.known.named(connection), partial(Remark, NOTE, "own", connection=connection.name)
        fingerprint = self.known.means.fingerprint_of_secret(connection.secret)
        if identity.key_id not in named and fingerprint and fingerprint not in self.known.fingerprints():
            which = f", {identity.key_id}," if identity.key_id else ""
            remedy = f"add it, with `known_by: {connection.secret}`"
            yield remark(f"our own credential{which} {_TAIL}", remedy, key_id=identity.key_id)
        for key_id in identity.derives_from:
            if key_id not in named:
                said = f"{key_id}, which our own credential derives from, {_TAIL}"
                yield remark(said, "add it", key_id=key_id)

    def _beside(self, told: Told) -> list[Told]:
        """Return what the connections to the same account have told, this one first."""
        others = [
            one for one in self.told.values() if one is not told and same_account(one.connection, told.connection)
        ]
        return [told, *others]


def _about(key: KeySeen) -> dict[str, str]:
    return {"key_id": key.key_id, "owner": key.owner, "last_used_at": key.last_used_at}


def _ids(identity: Identity) -> list[str]:
    """Return the ids of what we act with, and of what that was made from."""
    return [one for one in dict.fromkeys([identity.key_id, *identity.derives_from]) if one]
