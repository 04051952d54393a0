"""The inventory against what the providers say: what is gone, what nobody wrote down, which places are not there."""

from collections.abc import Callable
from dataclasses import dataclass

from responder.means import Means
from responder.stocktaking.asking import ask_all
from responder.stocktaking.comparing import Comparison
from responder.stocktaking.known import Known
from responder.stocktaking.remark import DIFFERENCE, NOTE, ORDER, UNASKED, Remark, plain

__all__ = ["DIFFERENCE", "NOTE", "UNASKED", "Remark", "Stock", "take_stock"]


@dataclass(frozen=True)
class Stock:
    """The inventory against what the providers say: what was compared, and what that has shown."""

    agrees: bool
    """Whether everything could be asked, and nothing differs."""
    connections: int
    """How many connections answered."""
    entries: int
    consumers: int
    credentials: int
    """How many credentials the providers list."""
    remarks: tuple[Remark, ...]

    def any(self, weight: str) -> bool:
        """Tell whether there is a remark of this weight."""
        return any(one.weight == weight for one in self.remarks)


def take_stock(means: Means, tell: Callable[[str], None]) -> Stock:
    """Ask every connection, and compare. Reads only, and presents no credential besides our own ones.

    `tell` gets a line where somebody does not answer for long.
    """
    known = Known(means)
    told = {one.connection.name: one for one in ask_all(known, tell)}
    remarks = sorted(map(plain, Comparison(known, told).remarks()), key=lambda one: ORDER.index(one.weight))
    return Stock(
        agrees=all(one.weight == NOTE for one in remarks),
        connections=sum(one.identity is not None for one in told.values()),
        entries=len(known.entries),
        consumers=sum(len(entry.consumers) for entry in known.entries),
        credentials=sum(len(one.keys or ()) for one in told.values()),
        remarks=tuple(remarks),
    )
