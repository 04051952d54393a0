"""The hard spend limit of a project: the one brake at OpenAI that can be taken back."""

# ruff: noqa: ARG002 - the contract hands every method the change, needed or not

from typing import ClassVar

from pydantic import BaseModel, Field

from responder.action import Action, Change, Effect, Outcome, Unchanged, Verdict, read_back
from responder.credential import Fence
from responder.errors import ProviderError, Unavailable
from responder.providers.openai.client import Client, Id, Options, project_path
from responder.providers.openai.keys import record_of

_READ = "an admin key that may read spend limits"
_WRITE = "an admin key that may change spend limits"
_NONE = "none"
_LEAST = 1


class FenceProject(Fence):
    """Set a hard spend limit on the key's project: model calls beyond it are refused this month.

    The limit strikes every key of the project, and counts what was spent already this month. It is `cap_cents`, or
    one cent where that is not given; a lower limit that stands already is left alone. Calls that cost nothing, such
    as listing files, go on: the key lives. OpenAI fences no single key, and knows no networks here: `allow` is
    refused. Facts: `fenced_by`, `project`, `before_cents` (null where there was no limit).
    """

    permissions: ClassVar[tuple[str, ...]] = (_READ, _WRITE)

    @classmethod
    def by_hand(cls, options: BaseModel, key_id: str) -> str:
        """Return where a person sets the limit."""
        project = options.project if isinstance(options, Options) and options.project else "its project"
        whose = f"the project of key {key_id}" if key_id else project
        return f"Set a hard spend limit for {whose} at https://platform.openai.com/settings, under its limits."

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the project's limit."""
        if self.allow:
            raise ProviderError(
                "OpenAI fences no key by network",
                remedy="leave `allow` out; an organisation's IP allow-list is set by a person in its settings",
            )
        project, cap = self._project(client), self.cap_cents or _LEAST
        now = limit_of(client, project)
        if now is not None and now <= cap:
            return Unchanged(f"project {project} may spend {_dollars(now)} a month already", {"project": project})
        return Change(
            target=f"hard spend limit of project {project}",
            before=_said(now),
            after=_said(cap),
            breaks=f"every key of project {project}, once {_dollars(cap)} are spent this month; what was spent before "
            "counts",
            preconditions={"project": project, "cents": str(cap), "before": _NONE if now is None else str(now)},
        )

    def apply(self, client: Client, change: Change) -> Outcome:
        """Set the limit."""
        agreed = change.preconditions
        _set(client, agreed["project"], int(agreed["cents"]))
        before = None if agreed["before"] == _NONE else int(agreed["before"])
        facts = {"fenced_by": f"a hard spend limit of {_dollars(int(agreed['cents']))} a month"}
        return Outcome({**facts, "project": agreed["project"], "before_cents": before})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read the limit back; whether it strikes already is told by what the project has spent."""
        return _verdict(client, change.preconditions["project"], int(change.preconditions["cents"]))

    def inverse(self, change: Change) -> Action:
        """Return the action that puts back what was there before."""
        before = change.preconditions["before"]
        cents = None if before == _NONE else int(before)
        return RestoreSpendLimit(project=change.preconditions["project"], cents=cents)

    def _project(self, client: Client) -> str:
        """Return the project of the key, as OpenAI lists it, else as the connection names it."""
        if client.options.project and not self.subject.key_id and self.subject.value is None:
            return client.options.project
        record = record_of(client, self.subject)
        project = record.project if record else client.options.project
        if not project:
            raise ProviderError(
                "Nobody knows the project of the key, or it is an admin key, which belongs to none",
                remedy="set `project` in the connection; an admin key cannot be fenced: revoke it",
            )
        return project


class RestoreSpendLimit(Action):
    """Set a project's hard spend limit to so many cents of US dollars a month, or take it away."""

    name: ClassVar[str] = "openai.restore_spend_limit"
    effect: ClassVar[Effect] = Effect.REVERSIBLE
    permissions: ClassVar[tuple[str, ...]] = (_READ, _WRITE)
    project: Id
    cents: int | None = Field(None, ge=1)
    """The limit that was there before; without it there is none afterwards."""

    def plan(self, client: Client) -> Change | Unchanged:
        """Read the limit."""
        now = limit_of(client, self.project)
        if now == self.cents:
            return Unchanged(f"project {self.project} has {_said(now)} already", {"project": self.project})
        return Change(f"hard spend limit of project {self.project}", _said(now), _said(self.cents))

    def apply(self, client: Client, change: Change) -> Outcome:
        """Set the limit, or take it away."""
        if self.cents is None:
            path = project_path(self.project, "spend_limit")
            client.ask("DELETE", path, permission=_WRITE, write=True, missing=True)
        else:
            _set(client, self.project, self.cents)
        return Outcome({"project": self.project, "cents": self.cents})

    def verify(self, client: Client, change: Change) -> Verdict:
        """Read it back."""
        return _verdict(client, self.project, self.cents)


def limit_of(client: Client, project: str) -> int | None:
    """Read a project's hard spend limit in cents; None where there is none.

    That there is none is a 404, or a limit of 0, which nobody can set: the least is one cent.
    """
    found = client.found(project_path(project, "spend_limit"), permission=_READ)
    if found is None:
        # The same 404 comes for a project that is not there, and then nothing is known.
        if client.found(project_path(project), permission=_READ) is None:
            raise ProviderError(f"There is no project {project} in this organisation", remedy="correct `project`")
        return None
    cents = found.get("threshold_amount")
    if not isinstance(cents, int):
        raise Unavailable("OpenAI's answer holds no spend limit", where=f"project {project}")
    return cents or None


def _set(client: Client, project: str, cents: int) -> None:
    body = {"threshold_amount": cents, "currency": "USD", "interval": "month"}
    client.ask("POST", project_path(project, "spend_limit"), permission=_WRITE, write=True, body=body)


def _verdict(client: Client, project: str, cents: int | None) -> Verdict:
    return read_back(lambda: limit_of(client, project) == cents)


def _said(cents: int | None) -> str:
    return "no hard spend limit" if cents is None else f"a hard spend limit of {_dollars(cents)} a month"


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d} USD"
