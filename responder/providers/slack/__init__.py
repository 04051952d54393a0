"""Slack: the channel of an incident, and the messages in it. Nothing secret is ever in a payload."""

from responder.action import Access, Provider
from responder.providers.slack.channels import OpenChannel
from responder.providers.slack.client import Client, Options, identify
from responder.providers.slack.messages import PostMessage, UpdateMessage


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


PROVIDER = Provider(
    name="slack",
    actions=(OpenChannel, PostMessage, UpdateMessage),
    connect=_connect,
    identify=identify,
    options=Options,
)
