"""A Space: its state, pausing it, who may see it, and its secrets. Discussions are public, and never used."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from responder.action import Action, Change, Effect, Outcome, PlaceSeen, Unchanged, Verdict, read_back
from responder.credential import Deliver
from responder.errors import ProviderError, Unavailable
from responder.providers.huggingface.client import Client, Repository
from responder.redaction import Secret

_WRITE = "write access to the Space"
_READ = "read access to the Space"
_STOPPED = frozenset({"PAUSED", "STOPPED"})

_Key = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]


class SpaceInfo(Action):
    """Read what the Hub says about a Space.

    Facts: `exists`, and then `author`, `visibility`, `stage`, `sdk`, `sha`, `last_modified`, `url`.
    """

    name: ClassVar[str] = "huggingface.space_info"
    effect: ClassVar[Effect] = Effect.READ
    permissions: ClassVar[tuple[str, ...]] = (_READ,)
    space: Repository

    def read(self, client: Client) -> Outcome:
        """Read once; a Space that we are not shown does not exist for us."""
        found = client.info(self.space)
        if found is None:
            return Outcome({"exists": False, "space": self.space})
        return Outcome(
            {
                "exists": True,
                "space": self.space,
                "author": found.get("author"),
                "visibility": _visibility(found),
                "stage": _stage(found),
                "sdk": found.get("sdk"),
                "sha": found.get("sha"),
                "last_modified": found.get("lastModified"),
                "url": client.page_url(f"spaces/{self.space}"),
            }
        )


class PauseSpace(Action):
    """Pause a Space of ours: its program stops, its page and files stay. Only its owner can."""

    name: ClassVar[str] = "huggingface.pause_space"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (_WRITE,)
    space: Repository

    def removes(self) -> str:
        """Return the Space: nobody sees it at work any more."""
        return self.space

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the stage; a Space that has no program cannot be paused."""
        found = client.info(self.space)
        if found is None:
            return Unchanged(f"the Hub shows no Space {self.space}: it is gone, or hidden from us")
        stage = _stage(found)
        if stage in _STOPPED:
            return Unchanged(f"{self.space} is {stage.lower()} already", {"stage": stage})
        if found.get("sdk") == "static":
            raise ProviderError(
                f"{self.space} is static: there is no program to pause",
                remedy="make it private with huggingface.set_visibility",
            )
        return Change(
            target=f"Space {self.space}",
            before=stage.lower() or "unknown",
            after="paused",
            breaks="whoever uses the Space sees that it is paused",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Ask for the pause."""
        path = f"/api/spaces/{self.space}/pause"
        return Outcome({"status": client.ask("POST", path, permission=_WRITE, write=True).status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the stage back."""
        return _verdict(client, self.space, "space", lambda found: _stage(found) in _STOPPED)


class SetVisibility(Action):
    """Make a repository of ours private or public. Copies that others made stay where they are.

    `protected` is not offered: it keeps the running program public.
    """

    name: ClassVar[str] = "huggingface.set_visibility"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (_WRITE,)
    repository: Repository
    kind: Literal["space", "model", "dataset"] = "space"
    visibility: Literal["private", "public"] = "private"

    def removes(self) -> str:
        """Return the repository, where it is made private."""
        return self.repository if self.visibility == "private" else ""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read who may see it now."""
        found = client.info(self.repository, self.kind)
        if found is None:
            return Unchanged(f"the Hub shows no {self.kind} {self.repository}: it is gone, or hidden from us")
        now = _visibility(found)
        if now == self.visibility:
            return Unchanged(f"{self.repository} is {now} already", {"visibility": now})
        breaks = "whoever is not a member of it loses access" if self.visibility == "private" else ""
        return Change(f"{self.kind} {self.repository}", now, self.visibility, breaks)

    def apply(self, client: Client, change: Change) -> Outcome:
        """Set it."""
        path = f"/api/{self.kind}s/{self.repository}/settings"
        body = {"visibility": self.visibility}
        return Outcome({"status": client.ask("PUT", path, permission=_WRITE, write=True, body=body).status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read it back."""
        return _verdict(client, self.repository, self.kind, lambda found: _visibility(found) == self.visibility)


class SetSecret(Action):
    """Set a secret of a Space of ours; the Space restarts with it. The value cannot be read back."""

    name: ClassVar[str] = "huggingface.set_secret"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (_WRITE,)
    space: Repository
    key: _Key
    value: Secret

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the secret's description, which bears the mark of the step that set it."""
        return _plan_secret(client, self.space, self.key, self.value)

    def apply(self, client: Client, change: Change) -> Outcome:
        """Set it, with our mark as its description."""
        return _set_secret(client, self.space, self.key, self.value)

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the description back."""
        return _verify_secret(client, self.space, self.key, self.value)


class DeleteSecret(Action):
    """Take a secret of a Space of ours away; the Space restarts without it."""

    name: ClassVar[str] = "huggingface.delete_secret"
    effect: ClassVar[Effect] = Effect.FINAL
    permissions: ClassVar[tuple[str, ...]] = (_WRITE,)
    space: Repository
    key: _Key

    def plan(self, client: Client) -> Change | Unchanged:
        """Look whether there is one."""
        if self.key not in _secrets(client, self.space):
            return Unchanged(f"{self.space} has no secret {self.key}")
        return Change(
            target=f"secret {self.key} of Space {self.space}",
            before="set",
            after="gone; its value cannot be read beforehand",
            breaks=f"the program of {self.space}, if it needs {self.key}",
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Delete it."""
        path = f"/api/spaces/{self.space}/secrets"
        answer = client.ask("DELETE", path, permission=_WRITE, write=True, body={"key": self.key})
        return Outcome({"status": answer.status})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Look again."""
        try:
            left = self.key in _secrets(client, self.space)
        except Unavailable:
            return Verdict.UNKNOWN
        return Verdict.DOES_NOT_HOLD if left else Verdict.HOLDS


class DeliverToSpace(Deliver):
    """Put a new credential into a Space's secrets; the consumer's `secret` is `owner/name:KEY`."""

    permissions: ClassVar[tuple[str, ...]] = (_WRITE,)

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the secret's description, which bears the mark of the step that set it."""
        return _plan_secret(client, *self._place(), self.value)

    def apply(self, client: Client, change: Change) -> Outcome:
        """Set it, with our mark as its description."""
        return _set_secret(client, *self._place(), self.value)

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the description back."""
        return _verify_secret(client, *self._place(), self.value)

    def _place(self) -> tuple[str, str]:
        return _place(self.consumer.secret, f"consumer {self.consumer.id}")


def look(client: Client, secret: str) -> PlaceSeen:
    """Look at a consumer's place, `owner/name:KEY`; the Hub never shows its value to anybody."""
    space, key = _place(secret, "secret")
    if client.info(space) is None:
        return PlaceSeen(exists=False)
    found = _secrets(client, space).get(key)
    return PlaceSeen(found is not None, str((found or {}).get("updatedAt") or ""))


def _place(secret: str, where: str) -> tuple[str, str]:
    space, colon, key = secret.rpartition(":")
    if not colon or space.count("/") != 1 or not key.isidentifier():
        raise ProviderError(
            f"{secret!r} names no secret of a Space",
            where=where,
            remedy="write it as owner/name:KEY",
        )
    return space, key


def _plan_secret(client: Client, space: str, key: str, value: Secret) -> Change | Unchanged:
    found = _secrets(client, space).get(key)
    if found is not None and found.get("description") == _mark(client, value):
        return Unchanged(f"{key} of {space} is this very value", {"updated_at": found.get("updatedAt")})
    return Change(
        target=f"secret {key} of Space {space}",
        before=f"set at {found.get('updatedAt')}" if found is not None else "absent",
        after=f"holds {value}",
        breaks=f"the program of {space} restarts",
    )


def _set_secret(client: Client, space: str, key: str, value: Secret) -> Outcome:
    body = {"key": key, "value": value, "description": _mark(client, value)}
    path = f"/api/spaces/{space}/secrets"
    return Outcome({"status": client.ask("POST", path, permission=_WRITE, write=True, body=body).status})


def _verify_secret(client: Client, space: str, key: str, value: Secret) -> Verdict:
    return read_back(lambda: _secrets(client, space).get(key, {}).get("description") == _mark(client, value))


def _mark(client: Client, value: Secret) -> str:
    # The fingerprint is part of it: a retried step may deliver another value than the first try did.
    return f"{client.access.marker} {value.fingerprint}"


def _secrets(client: Client, space: str) -> dict[str, dict[str, Any]]:
    """Return name, description and time of each secret; the Hub never shows a value."""
    found = client.ask("GET", f"/api/spaces/{space}/secrets", permission=_WRITE).json()
    if not isinstance(found, dict):
        raise Unavailable("The Hub's answer holds no secrets", where=space)
    return {str(key): dict(one) for key, one in found.items()}


def _verdict(client: Client, repository: str, kind: str, holds: Any) -> Verdict:
    try:
        found = client.info(repository, kind)
    except Unavailable:
        return Verdict.UNKNOWN
    return Verdict.HOLDS if found is None or holds(found) else Verdict.DOES_NOT_HOLD


def _stage(found: dict[str, Any]) -> str:
    return str((found.get("runtime") or {}).get("stage") or "")


def _visibility(found: dict[str, Any]) -> str:
    if found.get("visibility"):
        return str(found["visibility"])
    return "private" if found.get("private") else "public"
