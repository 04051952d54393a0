"""Errors, named for what may be done next; every one says what, where, and what to do."""

from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong with an input."""

    what: str
    where: str = ""
    """`file:line:column`, or the field, or the place in the record."""
    remedy: str = ""
    guard: str = ""
    """The guard that refuses it; empty where none does."""
    rule: str = ""
    """The rule of lint that says it; empty where none does."""

    def __str__(self) -> str:
        """Show where, what, the remedy and the guard on one line."""
        place = f"{self.where}: " if self.where else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        guard = f" [guard: {self.guard}]" if self.guard else ""
        return f"{place}{self.what}{remedy}{guard}"


class ResponderError(Exception):
    """Something went wrong that a person should read about."""

    def __init__(self, message: str = "", *, where: str = "", remedy: str = "") -> None:
        super().__init__(message or self.__doc__ or "")
        self.where = where
        self.remedy = remedy

    @property
    def message(self) -> str:
        """What happened, without place and remedy."""
        return str(self.args[0])

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems that this error stands for; one, unless it was raised for several."""
        return (Problem(self.message, self.where, self.remedy),)

    def __str__(self) -> str:
        """Show every problem, one a line."""
        return "\n".join(str(problem) for problem in self.problems)


class InputError(ResponderError):
    """An input is wrong; nothing ran. Carries every problem that was found, not the first alone."""

    def __init__(
        self, message: str = "", *, where: str = "", remedy: str = "", problems: tuple[Problem, ...] = ()
    ) -> None:
        super().__init__(message or (problems[0].what if problems else ""), where=where, remedy=remedy)
        self._problems = problems

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems that were found in the input."""
        return self._problems or super().problems


class PlaybookError(InputError):
    """The playbook is wrong; nothing ran."""


class FindingError(InputError):
    """The finding is wrong; nothing ran."""


class SettingsError(InputError):
    """The configuration is wrong; nothing ran."""


class DocumentError(InputError):
    """A document cannot be rendered as it must be; nothing was sent."""


class RequestError(InputError):
    """A person asked for something that cannot be done here; nothing changed."""


class Overtaken(RequestError):
    """Others wrote between what somebody looked at and what they said of it; nothing changed."""


class PlanRefused(InputError):
    """A guard refused the plan or the change; nothing changed. Each problem names its guard, place and way out."""


class ProviderError(ResponderError):
    """A provider did not do what was asked, and certainly nothing changed."""


class Unavailable(ProviderError):
    """The provider cannot be reached or is busy; it may be tried again."""

    def __init__(
        self, message: str = "", *, where: str = "", remedy: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, where=where, remedy=remedy)
        self.retry_after = retry_after
        """Seconds after which the provider asked to be tried again."""


class Denied(ProviderError):
    """Our own permission is missing; trying again does not help. The remedy names the permission."""


class PermitExpired(ProviderError):
    """The permit to send ran out before the request left; nothing was sent."""


class OutcomeUnknown(ResponderError):
    """A write was sent and its answer was lost; read back before anything else."""


class VerificationFailed(ResponderError):
    """A change was applied, and reading back shows that it does not hold."""


class RecordError(ResponderError):
    """The record cannot be written or does not verify; nothing more may be done."""


class StaleExecutor(RecordError):
    """Another executor has taken this run over; this one must stop."""


class RecordMoved(RecordError):
    """The record was taken elsewhere; nothing more may be done here, and everything there."""


class HostExhausted(ResponderError):
    """The host lets this process have nothing more to work with; what was begun goes on, and nothing else begins."""
