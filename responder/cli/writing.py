"""Writing a file that a person asked for: whole, or not at all."""

import os
import tempfile
from pathlib import Path

from responder.errors import RequestError


def write_text(path: Path, text: str, *, private: bool = True) -> None:
    """Write a file so that nobody ever sees half of it. RequestError where it cannot be written."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).chmod(0o600 if private else 0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        raise RequestError(
            f"The file cannot be written: {error.strerror or type(error).__name__}",
            where=str(path),
            remedy="name a file in a folder that you may write",
        ) from None


def make_folder(path: Path, where: str) -> None:
    """Make a folder that a person named. RequestError where it cannot be made, or nothing can be written into it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise RequestError(
            f"The folder cannot be used: {error.strerror or type(error).__name__}",
            where=f"{where} {path}",
            remedy="name a folder that you may write",
        ) from None
