"""The two doors of a secret: it comes in as a `Secret`, and what leaves passes a `Redactor`."""

import base64
import json
import logging
import re
import shlex
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any, NewType, final
from urllib.parse import quote, quote_plus

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

Redacted = NewType("Redacted", str)
"""Text that passed a Redactor and may leave."""

_FEW = 64  # to look for so many forms one by one costs about what it costs to cut a text into pieces
_PLAIN = re.compile("[A-Za-z0-9_.-]+")
"""What is the same in every notation that escapes anything; nearly all credentials are."""
_LONG = 16
"""Shorter forms may stand by chance across the end of a line."""
_SHORTEST = 6  # shorter encoded forms would strike out ordinary words


@final
class Secret:
    """A value that nobody may see; in every form of text it shows its fingerprint.

    The fingerprint is a keyed hash, made by `sealing`. `reveal` is called in `transport` and `sealing` only.
    """

    __slots__ = ("_value", "fingerprint")

    def __init__(self, value: str, fingerprint: str) -> None:
        self._value = value
        self.fingerprint = fingerprint

    def reveal(self) -> str:
        """Return the value; for `transport` and `sealing` alone."""
        return self._value

    def __str__(self) -> str:
        return f"<secret {self.fingerprint}>"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return (str, (str(self),))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept only a Secret, and write it as its fingerprint."""
        return core_schema.is_instance_schema(cls, serialization=core_schema.plain_serializer_function_ser_schema(str))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """Describe the field in the playbook's JSON Schema: only an expression can fill it."""
        return {"type": "string", "description": "a secret, passed on whole by an expression"}


def forms_of(value: str) -> Iterator[str]:
    """Yield every form in which `value` may turn up in text: raw, escaped, quoted, encoded, line by line."""
    lines = [value, *(line.strip() for line in value.splitlines())] if "\n" in value else [value]
    for line in lines:
        yield line
        if not _PLAIN.fullmatch(line):
            yield from _escaped_forms(line)
        raw = line.encode(errors="surrogatepass")
        yield raw.hex()
        yield raw.hex().upper()
        yield from _base64_forms(raw)


def _escaped_forms(line: str) -> Iterator[str]:
    """Yield what becomes of a line in JSON, in a URL, in HTML, in a shell, and in Python."""
    import html  # noqa: PLC0415 - its table of all entities takes 2 ms, and few credentials have forms of their own

    for text in (json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1]):
        yield text
        yield text.replace("/", "\\/")  # PHP, and Slack's API
    yield _escaped(line, "<>&", "04x")  # Go
    yield _escaped(line, "<>&'+`", "04X")  # .NET
    for safe in ("", "/", "!'()*"):  # the last as browsers do it
        quoted = quote(line, safe=safe, errors="surrogatepass")
        yield from (quoted, _in_small_letters(quoted))
    for safe in ("", "*"):
        quoted = quote_plus(line, safe=safe, errors="surrogatepass")
        quoted = quoted.replace("~", "%7E") if safe else quoted
        yield from (quoted, _in_small_letters(quoted))
    yield html.escape(line)
    yield shlex.quote(line)
    yield repr(line)[1:-1]
    yield repr(line.encode(errors="surrogatepass"))[2:-1]
    yield html.escape(line).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


def _escaped(line: str, letters: str, number: str) -> str:
    """Return a line in JSON whose writer escapes these letters, too, each as a number of this format."""
    text = json.dumps(line, ensure_ascii=False)[1:-1]
    return "".join(f"\\u{ord(letter):{number}}" if letter in letters else letter for letter in text)


def _in_small_letters(quoted: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), quoted)


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield the characters that `raw` alone decides when it stands at each of the three base64 offsets."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode()
        inner = encoded[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


class Redactor:
    """Knows secrets in every form that they may take, and strikes them out of whatever leaves.

    A worker meets thousands of secrets in its life. The forms are therefore filed by their first characters, too: what
    it costs to find out that a text holds none of them does not grow with their number.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._lock = threading.Lock()
        self._shown: dict[str, str] = {}
        """Every form, and what is shown in its place."""
        self._few: tuple[str, ...] = ()
        """All forms, while there are few."""
        self._short: tuple[str, ...] = ()
        """Values that are shorter than a beginning."""
        self._filed: dict[str, tuple[str, ...]] = {}
        """The other forms, by their beginning."""
        self._beginnings: set[str] = set()
        self._complete: set[str] = set()
        """Every value that is known in all its forms."""
        self.learned = 0
        """How many secrets it knows in all their forms."""
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: Secret) -> None:
        """Strike this secret out from now on."""
        value = secret._value  # noqa: SLF001 - the Redactor is the other half of Secret
        if not value.strip() or value in self._complete:
            return
        forms = {form for form in forms_of(value) if len(form) >= _SHORTEST} | {value}
        with self._lock:
            if value in self._shown:
                return
            # Others scrub meanwhile: whoever finds a form must find what is shown in its place.
            self._shown.update(dict.fromkeys(forms, str(secret)))
            for form in forms:
                beginning = form[:_SHORTEST]
                if len(beginning) < _SHORTEST:
                    self._short += (form,)
                else:
                    self._filed[beginning] = (*self._filed.get(beginning, ()), form)
                    self._beginnings.add(beginning)
            if len(self._shown) <= _FEW:
                self._few += tuple(forms)
            self._complete.add(value)
            self.learned += 1

    def scrub(self, text: str) -> Redacted:
        """Return the text with every known secret replaced by its fingerprint, longest form first."""
        found = [form for form in self._candidates(text) if form in text]
        if found:
            pattern = "|".join(map(re.escape, sorted(found, key=len, reverse=True)))
            text = re.sub(pattern, lambda match: self._shown[match.group()], text)
        return Redacted(self._scrub_broken(text) if "\n" in text else text)

    def _scrub_broken(self, text: str) -> str:
        """Return the text without values that a terminal or a mail has broken into lines."""
        squeezed = "".join(text.split())
        forms = {*self._candidates(squeezed), *self._candidates(text)}
        found = {whole: form for form in forms if (whole := "".join(form.split())) in squeezed}
        for whole in sorted(found, key=len, reverse=True):
            if len(whole) >= _LONG:
                text = re.sub(r"\s*".join(map(re.escape, whole)), self._shown[found[whole]], text)
        return text

    def _candidates(self, text: str) -> Iterable[str]:
        """Return the forms that a text may hold: all while there are few, else those whose beginning is in it."""
        if len(self._shown) <= _FEW:
            return self._few
        pieces = {text[start : start + _SHORTEST] for start in range(len(text) - _SHORTEST + 1)}
        if pieces.isdisjoint(self._beginnings):
            return self._short
        return (*self._short, *(form for piece in pieces for form in self._filed.get(piece, ())))

    def scrub_data(self, data: Any) -> Any:
        """Return plain data (dicts, lists, numbers, text) with every string scrubbed, keys too."""
        if isinstance(data, str):
            return self.scrub(data)
        if isinstance(data, dict):
            return {self.scrub(str(key)): self.scrub_data(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.scrub_data(value) for value in data]
        if data is None or isinstance(data, bool | int | float):
            return self._shown.get(str(data), data)
        return self.scrub(str(data))


# What credentials look like, to recognise one that nobody told us about. Shapes only; prefixes are public facts.
CREDENTIAL_SHAPES = {
    "huggingface": re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"),
    "openai": re.compile(r"\bsk-(?:proj-|svcacct-|admin-|service-)?[A-Za-z0-9_-]{20,}"),
    "anthropic": re.compile(r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    "github": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})\b"),
    "slack": re.compile(r"\bx(?:ox[abpers]|app)-[A-Za-z0-9-]{20,}"),
    "aws": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}


_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+])(?![0-9a-f]{40}\b)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])")
"""Forty letters that are no hash of a commit: what belongs to the id of an access key."""


def looks_like_credential(text: str) -> str | None:
    """Return whose credential the text seems to hold (`github`, `aws`, ...), or None.

    The id of an AWS access key is none by itself: it names a key on the record, in questions and in the inventory.
    """
    found = (name for name, shape in CREDENTIAL_SHAPES.items() if shape.search(text))
    return next((name for name in found if name != "aws" or _AWS_SECRET.search(text)), None)


def log_through(redactor: Redactor, *, debug: bool) -> None:
    """Send every log record through the Redactor; quiet unless debugging."""

    class Scrubbed(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return redactor.scrub(super().format(record))

    logger = logging.getLogger()
    for old in list(logger.handlers):
        if isinstance(old.formatter, logging.Formatter) and type(old.formatter).__name__ == "Scrubbed":
            logger.removeHandler(old)
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(Scrubbed("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(output)
    logger.setLevel(logging.DEBUG if debug else logging.ERROR)
