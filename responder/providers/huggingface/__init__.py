"""Hugging Face: leaked tokens of the Hub, and the Spaces that leak them or hold secrets."""

from responder.action import Access, Provider, Traits
from responder.providers.huggingface.client import Client, Options, identify
from responder.providers.huggingface.commits import CommitLog
from responder.providers.huggingface.spaces import (
    DeleteSecret,
    DeliverToSpace,
    PauseSpace,
    SetSecret,
    SetVisibility,
    SpaceInfo,
)
from responder.providers.huggingface.tokens import InspectToken, ProveTokenDead, RevokeToken
from responder.redaction import CREDENTIAL_SHAPES


def _connect(access: Access) -> Client:
    return Client(access, Options.model_validate(access.connection.options))


# Tokens are not made or switched off by any API: `issue` and `disable` are for people, in the Hub's settings.
PROVIDER = Provider(
    name="huggingface",
    actions=(
        InspectToken,
        RevokeToken,
        ProveTokenDead,
        DeliverToSpace,
        SpaceInfo,
        PauseSpace,
        SetVisibility,
        SetSecret,
        DeleteSecret,
        CommitLog,
    ),
    connect=_connect,
    identify=identify,
    options=Options,
    traits=lambda options: Traits(options.propagation.total_seconds()),
    shape=lambda _: CREDENTIAL_SHAPES["huggingface"].pattern,
)
