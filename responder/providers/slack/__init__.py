"""Slack: an incident's channel and its messages, leaked tokens, and who is where. No payload holds a secret.

Who used a token is not read here: only the Audit Logs API of an Enterprise organisation tells that.
"""

from responder.action import Access, Provider, Traits
from responder.providers.slack.channels import OpenChannel
from responder.providers.slack.client import Client, Options, identify, lacking
from responder.providers.slack.memberships import RemoveFromChannel, RemoveFromGroup, ResetSessions
from responder.providers.slack.messages import PostMessage, UpdateMessage
from responder.providers.slack.tokens import (
    SHAPE,
    CheckInstalled,
    InspectToken,
    ProveTokenDead,
    RevokeToken,
    recognise,
)


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


# A token is not made or switched off by any API: the app is installed again by a person, and then
# `slack.check_installed` looks at its new token.
PROVIDER = Provider(
    name="slack",
    actions=(
        OpenChannel,
        PostMessage,
        UpdateMessage,
        InspectToken,
        RevokeToken,
        ProveTokenDead,
        CheckInstalled,
        RemoveFromChannel,
        RemoveFromGroup,
        ResetSessions,
    ),
    connect=_connect,
    identify=identify,
    options=Options,
    traits=lambda options: Traits(options.propagation.total_seconds()),
    recognise=lambda _, value: recognise(value),
    shape=lambda _: SHAPE,
    lacking=lacking,
)
