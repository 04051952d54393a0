"""How the world's own people call its systems: real HTTP, on the ports that no fault shuts."""

import http.client
import json
from collections.abc import Mapping
from typing import Any, Self

_SECONDS = 20.0


class Caller:
    """One kept connection to a loopback port, for one thread."""

    def __init__(self, port: int, actor: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        self._actor = actor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON body; raises OSError or HTTPException where there is no answer.

        A body of bytes is sent as it is.
        """
        sent = {"X-World-Actor": self._actor, **(headers or {})}
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self._connection.request(method, path, body=content, headers=sent)
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        try:
            found = json.loads(text)
        except ValueError:
            found = {}
        return answer.status, found if isinstance(found, dict) else {}
