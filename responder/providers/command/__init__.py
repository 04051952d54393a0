"""A consumer that is reached by a command of your own, which reads the value on its standard input."""

from responder.action import Access, Action, Provider
from responder.providers.command.client import Client, Options, identify
from responder.providers.command.delivering import AskByCommand, DeliverByCommand, DeliverUnseen


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


def _offers(options: Options) -> frozenset[str]:
    return frozenset({"deliver", "test_consumer"} if options.test else {"deliver"})


def _fits(options: Options, action: type[Action]) -> bool:
    return action.readback == bool(options.show) or not issubclass(action, DeliverByCommand)


PROVIDER = Provider(
    name="command",
    actions=(DeliverByCommand, DeliverUnseen, AskByCommand),
    connect=_connect,
    identify=identify,
    options=Options,
    offers=_offers,
    fits=_fits,
)
