"""Exit codes: what a command says to the shell. Nothing below `cli` knows them."""

from enum import IntEnum

from responder.errors import (
    HostExhausted,
    InputError,
    OutcomeUnknown,
    PlanRefused,
    ProviderError,
    RecordError,
    ResponderError,
    StaleExecutor,
    VerificationFailed,
)


class Exit(IntEnum):
    """What became of a command."""

    OK = 0
    """Contained and verified, a notice was sent, or the read succeeded."""
    NOT_CONTAINED = 1
    """It ended, but something was declined, skipped or not contained; or the inventory and the providers differ."""
    WRONG_INPUT = 2
    """The usage, the playbook, the finding or the configuration is wrong; nothing ran."""
    REFUSED = 3
    """A guard refused the plan."""
    PROVIDER = 4
    """A provider is unavailable, or denies; or something that a playbook, or this process, needs is missing."""
    UNKNOWN = 5
    """An outcome is unknown, a verification failed, or the record does not verify."""
    RECORD = 6
    """The record cannot be written."""
    WAITING = 7
    """It goes on elsewhere, or waits for a person."""
    DEFECT = 70
    """A defect in responder itself; the record tells how far it came."""
    UNWRITTEN = 120
    """What it prints cannot be written, on a full disk for instance; what it does may be done."""
    INTERRUPTED = 130
    """Interrupted, and resumable."""


_BY_CLASS: tuple[tuple[type[ResponderError], Exit], ...] = (
    (StaleExecutor, Exit.WAITING),
    (RecordError, Exit.RECORD),
    (PlanRefused, Exit.REFUSED),
    (InputError, Exit.WRONG_INPUT),
    (ProviderError, Exit.PROVIDER),
    (HostExhausted, Exit.PROVIDER),
    (OutcomeUnknown, Exit.UNKNOWN),
    (VerificationFailed, Exit.UNKNOWN),
)
_BY_KIND = {
    "unavailable": Exit.PROVIDER,
    "denied": Exit.PROVIDER,
    "verification": Exit.UNKNOWN,
    "unknown": Exit.UNKNOWN,
    "refused": Exit.REFUSED,
}


def exit_for(error: ResponderError) -> Exit:
    """Return the exit code of an error, by its class."""
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), Exit.NOT_CONTAINED)


def exit_for_kind(kind: str) -> Exit:
    """Return the exit code of a run that halted for a kind of failure."""
    return _BY_KIND.get(kind, Exit.NOT_CONTAINED)
