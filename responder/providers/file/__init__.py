"""A file on this host, from which a consumer reads its credential."""

from responder.action import Access, Provider
from responder.providers.file.client import Client, Options, identify
from responder.providers.file.delivering import DeliverToFile, lacking, look


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


PROVIDER = Provider(
    name="file",
    actions=(DeliverToFile,),
    connect=_connect,
    identify=identify,
    options=Options,
    place=look,
    lacking=lacking,
)
