"""`responder set`."""

import click

from responder.cli.answer import answered
from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.given import pairs
from responder.cli.group import Command


@click.command("set", cls=Command)
@click.argument("run")
@click.argument("fact", metavar="FIELD=VALUE")
@click.option("--reason", default="", help="Why; it stands on the timeline, and in the question.")
def command(run: str, fact: str, reason: str) -> Exit:
    """Add a fact, or correct one.

    The moments of the incident (aware_at, classified_at, public_coverage_at, ...), its severity and codename are
    corrected, the old value kept. A moment that would make a deadline due later is asked of the deadline's owner, and
    until then the earlier time counts. Any other FIELD becomes a fact that notices can say. Its VALUE is text, a list
    or mapping in JSON, or `unknown(REASON, TIME)`: nobody knows yet, and the next word on it comes at TIME.

    Some fields are for the whole incident. suspect=person:ana,channel:#eng (person, session, device or channel):
    nothing goes to them, and no answer comes from them; suspect=-person:ana clears one, when a commander agrees.
    checked=CHANNEL: somebody looked, and the leaked credential cannot read there. uncaptured=ADDRESS: a commander
    agrees that an exposure may go whose bytes nobody could store. mode=A1 kills at once, by a commander; mode='A2 until
    4h', mode=B and mode='C without WHAT' need a commander's agreement, and plan again whatever waits for approval.
    """
    call = current()
    [(name, value)] = pairs((fact,), "FIELD=VALUE").items()
    with call.open_existing() as app:
        asked = app.set(run, name, value, reason)
        if asked is None:
            return answered(call, app, run, "", f"set {name}")
        call.say(f"{asked.text}.")
        return answered(call, app, run, asked.address, f"asked {', '.join(asked.roles)}")
