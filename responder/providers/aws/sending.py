"""How botocore's requests leave through our own wire: it serialises, signs and parses, and never connects."""

import re
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

from responder.errors import OutcomeUnknown, ProviderError, ResponderError, Unavailable
from responder.providers.aws.pair import Pair
from responder.providers.aws.refusals import refusal
from responder.transport import Wire

_READS = ("Get", "List", "Describe", "Simulate", "Lookup")
# 429 and what is above 499 the wire judges itself: there it knows whether a write may have been done.
_ANSWERS = frozenset(range(400, 500)) - {408, 425, 429}
_NEW_SECRET = re.compile(rb"<SecretAccessKey>([^<]+)</SecretAccessKey>")
_LOCK = threading.Lock()


def reads(operation: str) -> bool:
    """Tell whether an operation changes nothing, by the word that its name begins with."""
    return operation.startswith(_READS)


@cache
def _session() -> Any:
    """Make botocore's session, once: deaf to the environment, to files and to a machine's own credentials."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as KNOWN  # type: ignore[import-untyped]  # noqa: PLC0415
    from botocore.loaders import Loader  # type: ignore[import-untyped]  # noqa: PLC0415
    from botocore.session import Session  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import

    deaf = {name: (None, None, default, kind) for name, (_, _, default, kind) in KNOWN.items()}
    session = Session(session_vars=deaf)
    builtin = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", builtin)
    return session


def talker(wire: Wire, product: str, region: str, pair: Pair, base_url: str) -> Any:
    """Make a client of one product that signs with a pair and sends through the wire; it tries nothing twice."""
    try:
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import
    except ImportError:
        raise ProviderError("boto3 is not installed", remedy="pip install 'responder[aws]'") from None

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        ignore_configured_endpoint_urls=True,
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
    )

    def made(secret: str, token: str | None) -> Any:
        with _LOCK:  # making clients is the one thing that several threads must not do with one session
            return _session().create_client(
                product,
                region_name=region,
                endpoint_url=base_url or None,
                aws_access_key_id=pair.key_id,
                aws_secret_access_key=secret,
                aws_session_token=token,
                config=config,
            )

    token = pair.token
    client = wire.with_value(
        pair.secret,
        lambda secret: made(secret, None) if token is None else wire.with_value(token, lambda text: made(secret, text)),
    )
    client.meta.events.register_last(f"before-send.{product}", lambda **given: _through(wire, **given))
    return client


def _through(wire: Wire, request: Any, event_name: str, **_: Any) -> Any:
    """Send a signed request through the wire, and give botocore the answer that it would have had."""
    from botocore.awsrequest import AWSResponse, HeadersDict  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import

    headers = {name.lower(): _plain(value) for name, value in request.headers.items()}
    for unsigned in ("user-agent", "content-length"):  # ours says which run and step it is
        headers.pop(unsigned, None)
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    write = not reads(event_name.rpartition(".")[2])
    answer = wire.request(request.method, request.url, write=write, headers=headers, content=body, expect=_ANSWERS)
    if found := _NEW_SECRET.search(answer.body):
        wire.take_in(found[1].decode())  # before botocore writes the answer into its log
    return AWSResponse(request.url, answer.status, HeadersDict(answer.headers), _Body(answer.body))


class _Body:
    """A body that was read already, as botocore asks for it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content


def _plain(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def call(client: Any, operation: str, sent: dict[str, Any], permission: str) -> dict[str, Any]:
    """Call an operation, once, and turn what goes wrong into what may be done next."""
    from botocore import xform_name  # type: ignore[import-untyped]  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]  # noqa: PLC0415

    place = f"{client.meta.service_model.service_name}:{operation}"
    try:
        found: dict[str, Any] = getattr(client, xform_name(operation))(**sent)
    except ResponderError:
        raise
    except ClientError as error:
        raise refusal(error.response, place, permission) from None
    except ResponseParserError:
        told = "what came back is no answer of AWS"
        if reads(operation):
            raise Unavailable(f"{place}: {told}", where=place) from None
        raise OutcomeUnknown(f"{place}: {told}", where=place, remedy="read back") from None
    except BotoCoreError as error:  # its text may quote what was to be sent
        raise ProviderError(
            f"{place} cannot be sent: {type(error).__name__}", where=place, remedy="check the connection's settings"
        ) from None
    return found
