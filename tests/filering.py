"""A keyring for tests: its entries stand in the file that FILERING names, so that other processes find them."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class FileRing(KeyringBackend):
    priority = 1

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._path = path or Path(os.environ.get("FILERING", "no-ring"))

    def get_password(self, service: str, username: str) -> str | None:
        entries = json.loads(self._path.read_text())
        if entries.get("locked"):
            raise KeyringLocked(f"cannot open {entries}")
        found: str | None = entries.get(f"{service}/{username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        entries = json.loads(self._path.read_text()) if self._path.exists() else {}
        self._path.write_text(json.dumps({**entries, f"{service}/{username}": password}))
