"""`responder serve`."""

import re

import click

from responder.cli.call import current
from responder.cli.exits import Exit
from responder.cli.group import Command
from responder.cli.slack import listen
from responder.errors import RequestError

_ADDRESS = re.compile(r"[^:/]*:\d{1,5}")


@click.command("serve", cls=Command)
@click.option("--listen", "address", default="127.0.0.1:3000", show_default=True, metavar="HOST:PORT", help="Where.")
def command(address: str) -> Exit:
    """Take what people do at Slack as signed requests by HTTP, and advance runs, until stopped.

    For where Socket Mode is not wanted. Requests that are not signed by Slack, that are older than five minutes, or
    that come a second time, are answered with 401. Put something that holds a certificate in front of it.
    """
    if not _ADDRESS.fullmatch(address):
        raise RequestError(f"{address!r} is no address", where="--listen", remedy="write HOST:PORT")
    return listen(current(), address)
