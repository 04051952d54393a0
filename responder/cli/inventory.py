"""`responder inventory`."""

from dataclasses import asdict

import click

from responder.cli.call import Call, current
from responder.cli.exits import Exit
from responder.cli.group import Subgroup
from responder.stocktaking import DIFFERENCE, NOTE, UNASKED, Remark, Stock, take_stock

_MARKS = {UNASKED: ("UNASKED", "red"), DIFFERENCE: ("DIFFERS", "red"), NOTE: ("note", "yellow")}


@click.group("inventory", cls=Subgroup)
def command() -> None:
    """Compare the inventory with what the providers say."""


@command.command("check")
def check_command() -> Exit:
    """List the credentials of every account, look at the consumers' places, and compare.

    What the inventory holds and the provider does not, or has switched off; what is there and no entry names; places
    that do not exist or that outsiders can read; entries without an owner, and those that nobody would recognise.
    Nothing is changed, and no value is presented. Exit code 1 where something differs, 4 where a connection could not
    be asked.
    """
    call = current()
    with call.open_for_reading() as app:
        stock = take_stock(app.means, call.say)
    if call.json:
        call.document(asdict(stock))
    else:
        _tell(call, stock)
    if stock.any(UNASKED):
        return Exit.PROVIDER
    return Exit.NOT_CONTAINED if stock.any(DIFFERENCE) else Exit.OK


def _tell(call: Call, stock: Stock) -> None:
    for remark in stock.remarks:
        word, colour = _MARKS[remark.weight]
        call.out(f"{click.style(f'{word:<7}', fg=colour)} {_where(remark)}: {remark.said}")
        if remark.remedy:
            call.out(f"        next: {call.typable(remark.remedy)}")
    call.out(
        f"{stock.connections} connections answered; {stock.entries} entries, {stock.consumers} consumers and"
        f" {stock.credentials} listed credentials were compared."
    )
    differences = sum(remark.weight == DIFFERENCE for remark in stock.remarks)
    if stock.any(UNASKED):
        call.out("Not everything could be asked.")
    call.out(f"{differences} differ from the inventory." if differences else "Nothing differs from the inventory.")


def _where(remark: Remark) -> str:
    return ", ".join(part for part in (remark.connection, remark.entry, remark.consumer) if part)
