"""What `drill --json` prints: the world's ledger and our record, side by side."""

from typing_extensions import TypedDict


class LeakedShown(TypedDict):
    """One leaked value in the final probes from outside."""

    label: str
    state: str
    """`dead`, `alive` or `unknown`."""


class HandedOver(TypedDict):
    """What the world saw of a credential that is somebody else's. Times in seconds from when we knew."""

    shown_seconds: float | None
    """From the exposure until the place was out of sight."""
    touched: int
    """How often its value was presented or carried to any system; it must not be."""
    hidden_after_seconds: float | None
    told_after_seconds: float | None
    """Until its owner was told."""
    hidden: bool
    """Whether the place is out of sight in the final probes."""
    acknowledged: bool
    """Whether its owner has answered."""


class NoLeak(TypedDict):
    """What the world saw of a credential that was dead before it was exposed."""

    changes: int
    """How many changes of ours its issuer saw; there must be none."""
    dead_before: bool
    """Whether the final probes call it dead since before the exposure."""


class LedgerShown(TypedDict):
    """What the world saw. Times in seconds of the drill's clock; null where that was not reached."""

    exposure_seconds: float | None
    """From the exposure until everything was refused, sessions included; or until the place was out of sight."""
    disabled_after_seconds: float | None
    """From when we knew."""
    dead_after_seconds: float | None
    """From when we knew."""
    public_requests_served_after_disable: int
    credentials: list[LeakedShown]
    holders: int
    issued: int
    """How many holders have exactly one live key of their own."""
    consumers: int
    consumers_moved: int
    """How many consumers were given a new credential, and work with what they have in the end."""
    outages: int | None
    """How often a consumer was seen without a working credential; null unless old and new were to live side by side."""
    sessions_open: int | None
    """Null where the world was never probed."""
    effects: int
    effects_repeated: int
    effects_lost: int
    said_with_leaked: int
    """How often we said something in Slack or by mail with what leaked, after we knew."""
    order_violations: list[str]
    """Each as a sentence."""
    handed_over: HandedOver | None
    """Null unless the credential is somebody else's."""
    no_leak: NoLeak | None
    """Null unless it was dead before it was exposed."""


class NoticeShown(TypedDict):
    """One kind of notice that the run was to send."""

    template: str
    audience: str
    recipients: int
    sent_at: str | None
    """When its last recipient got it."""
    due_at: str | None
    on_time: bool
    switched: list[str]
    """From which channel to which it went, where its own acts with what leaked; each as a sentence."""


class RecordShown(TypedDict):
    """What we wrote, compared with what the world saw."""

    entries: int
    verified: bool
    agrees_with_ledger: bool
    disagreements: list[str]
    """Each as a sentence."""
    restarts: int
    """How often the runner was killed, and another took over."""


class FaultShown(TypedDict):
    """A fault that was asked for."""

    name: str
    where: str
    happened: bool


class SlackShown(TypedDict):
    """What happened at Slack, where the drill took place there."""

    by: str
    """How Slack reached us: `socket` or `http`."""
    answers: int
    """How many answers were given at Slack."""
    answers_at_a_terminal: int
    """How many were given at a terminal instead, because Slack did not show the question."""
    lead: str
    """Who leads in the end."""
    postmortem: bool
    """Whether the postmortem was shown there."""
    closed: bool
    closing: str
    """What Slack answered when the incident was to be closed."""


class TimingShown(TypedDict):
    """Real seconds."""

    wall_seconds: float
    critical_path_seconds: float
    """What the run would have taken at the least: what waiting for others took, along the longest path."""


class PartsShown(TypedDict):
    """What the score is made of."""

    containment: float
    proof: float
    people: float
    order: float
    exactly_once: float
    record: float


class ScoreShown(TypedDict):
    """The score: 0 to 100."""

    total: float
    parts: PartsShown


class PathsShown(TypedDict):
    """Where the documents lie."""

    postmortem: str
    page: str
    timeline: str
    state: str
    """The folder of the record."""


class Drilled(TypedDict):
    """What a drill came to."""

    playbook: str
    seed: int
    contained: bool
    ledger: LedgerShown
    notices: list[NoticeShown]
    record: RecordShown
    faults: list[FaultShown]
    slack: SlackShown | None
    """Null where the drill did not take place at Slack."""
    timing: TimingShown
    score: ScoreShown
    paths: PathsShown
