"""The verbs that every credential provider may offer: what they ask, what they find, and the rules of proof."""

from responder.credential.proof import (
    REFUSALS,
    Presented,
    Probe,
    ProveDead,
    ProveFenced,
    refusals_since_acceptance,
)
from responder.credential.traces import Consumers, Door, Doors, Interval, Records, Use, Used
from responder.credential.verbs import (
    Deliver,
    Disable,
    EndSessions,
    Fence,
    Inspect,
    Inspection,
    Issue,
    Revoke,
    Sessions,
    TestConsumer,
    check_replaced,
)
from responder.subject import LEAVE_OPEN, CredentialAction, Subject

VERBS: dict[str, type[CredentialAction]] = {
    verb.verb: verb
    for verb in (
        Inspect,
        Used,
        Consumers,
        Doors,
        Fence,
        ProveFenced,
        Disable,
        Revoke,
        Sessions,
        EndSessions,
        Issue,
        Deliver,
        TestConsumer,
        ProveDead,
    )
}
"""Every verb, by its name in playbooks after `credential.`."""

__all__ = [
    "LEAVE_OPEN",
    "REFUSALS",
    "VERBS",
    "Consumers",
    "CredentialAction",
    "Deliver",
    "Disable",
    "Door",
    "Doors",
    "EndSessions",
    "Fence",
    "Inspect",
    "Inspection",
    "Interval",
    "Issue",
    "Presented",
    "Probe",
    "ProveDead",
    "ProveFenced",
    "Records",
    "Revoke",
    "Sessions",
    "Subject",
    "TestConsumer",
    "Use",
    "Used",
    "check_replaced",
    "refusals_since_acceptance",
]
