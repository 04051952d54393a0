"""Delivering a value into a file."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from responder.action import Change, Outcome, PlaceSeen, Unchanged, Verdict
from responder.credential import Deliver
from responder.errors import Unavailable
from responder.providers.file.client import PERMISSION, Client, Found
from responder.providers.file.forms import holds, with_value

_FOR_OTHERS = 0o077


class DeliverToFile(Deliver):
    """Write the value into a file of this host, at once and whole: who reads meanwhile gets the old file or the new.

    The consumer's `secret` is the file's path beneath the connection's `folder`, with `#NAME` for `format: env` and
    `json`. Other lines and keys stay byte for byte. A plain file gets the value and nothing behind it, or a line break
    where the old file ended with one. The new file has the connection's `mode`, and the owner and group of the old one.
    What is already there is compared in constant time; no part of it is shown. Facts: `secret`, `mode`.

    It is refused where a link stands in the way, where everybody may write in the folder, and where the file has the
    name twice. The consumer must be on this host, and see the file itself: a container's bind mount of a single file
    goes on showing the old one.
    """

    permissions: ClassVar[tuple[str, ...]] = (PERMISSION,)

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the file as it is."""
        found = client.read(self.consumer.secret)
        shown = client.shown(self.consumer.secret)
        if found is not None and self._is_there(client, found):
            return Unchanged(f"{shown} holds this very value", self._facts(client))
        return Change(
            target=f"file {shown}",
            before=f"set at {_moment(found)}, mode {found.mode:04o}" if found else "there is no such file",
            after=f"holds {self.value}, mode {client.options.mode:04o}",
            breaks="; ".join(self._breaks(client, found)),
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Put the new file in place of the old one."""
        form, name = client.options.format, client.place(self.consumer.secret).name
        client.write(
            self.consumer.secret,
            lambda data: client.access.wire.with_value(self.value, lambda value: with_value(form, name, data, value)),
        )
        return Outcome(self._facts(client))

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the file back."""
        try:
            found = client.read(self.consumer.secret)
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.HOLDS if found is not None and self._is_there(client, found) else Verdict.DOES_NOT_HOLD

    def _facts(self, client: Client) -> dict[str, str]:
        return {"secret": self.consumer.secret, "mode": f"{client.options.mode:04o}"}

    def _is_there(self, client: Client, found: Found) -> bool:
        form, name = client.options.format, client.place(self.consumer.secret).name
        same = client.access.wire.with_value(self.value, lambda value: holds(form, name, found.data, value))
        return same and found.mode == client.options.mode

    def _breaks(self, client: Client, found: Found | None) -> list[str]:
        told = [f"{self.consumer.id} uses the new value from its next read on"]
        if found is not None and found.mode & ~client.options.mode & _FOR_OTHERS:
            told.append(f"whoever reads it by its mode {found.mode:04o} without being its owner no longer can")
        if found is not None and found.status.st_nlink > 1:
            told.append("its other names (hard links) keep the old value")
        tree = _work_tree(Path(client.options.folder, *client.place(self.consumer.secret).parts))
        if tree:
            told.append(f"it stands in the git work tree {tree}: see that git ignores it, or the next commit shows it")
        return told


def look(client: Client, secret: str) -> PlaceSeen:
    """Look at a consumer's file; it is exposed where others than its owner may read it."""
    found = client.read(secret)
    if found is None:
        return PlaceSeen(exists=False)
    return PlaceSeen(exists=True, updated_at=_moment(found), exposed=bool(found.mode & _FOR_OTHERS))


def lacking(client: Client, permissions: Sequence[str]) -> Sequence[str]:
    """Return the permission where we may not write in the folder."""
    able = os.access(client.options.folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)
    return [] if able else [one for one in permissions if one == PERMISSION]


def _moment(found: Found) -> str:
    return datetime.fromtimestamp(int(found.status.st_mtime), UTC).isoformat()


def _work_tree(path: Path) -> str:
    """Return the git work tree in which a path lies; empty for none."""
    return next((str(one) for one in path.parents if (one / ".git").exists()), "")
