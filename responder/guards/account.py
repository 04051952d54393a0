"""The account: a change is made where responder.yaml says, or nowhere."""

from collections.abc import Iterator

from responder.errors import Problem
from responder.guards.case import Case
from responder.means import WITHOUT_ACCOUNT


def of_step(case: Case) -> Iterator[Problem]:
    """Refuse a connection that is not, right now, the account that responder.yaml says."""
    connection = case.resolved.connection
    if connection.provider in WITHOUT_ACCOUNT:
        return
    place = f"connection {connection.name}"
    if not connection.account:
        yield Problem("the connection does not say which account it is", place, "set `account:` in responder.yaml")
    elif case.identity.account != connection.account:
        yield Problem(
            f"the provider says that this is account {case.identity.account!r}, "
            f"responder.yaml says {connection.account!r}",
            place,
            "use the right connection, or correct `account:`",
        )
