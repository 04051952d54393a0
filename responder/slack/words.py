"""What is said in words alone."""

from responder.errors import ResponderError
from responder.slack.blocks import safe

HELP = (
    "`/responder` begins a response. In an incident's channel: `status`, `timeline`, `note TEXT`, `handover @NAME`,"
    " `postmortem`, `abort REASON`, `close`."
)


def told(error: ResponderError) -> str:
    """Return what was refused, where, and what to do next."""
    return "🛑 " + "\n".join(safe(problem) for problem in error.problems)
