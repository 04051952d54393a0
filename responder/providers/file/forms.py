"""How a value stands in a file: alone, on a line of a dotenv file, or under a key of a JSON object.

Nothing here quotes what a file holds: other secrets stand beside ours.
"""

import hmac
import json
import re
from typing import Any, Literal, NamedTuple

from responder.errors import ProviderError

Form = Literal["plain", "env", "json"]

_LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_ASSIGNMENT = re.compile(
    rb"(?P<head>[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*)(?P<rest>[^\r\n]*)(?P<end>\r?\n?)"
)
_QUOTED = re.compile(rb"'(?P<single>[^']*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\"")
_SAFE = re.compile(r"[A-Za-z0-9_./+=:@%,~^-]+")
"""What every reader of dotenv files takes as it stands, without quotes."""
_UNQUOTABLE = re.compile(r"['\\\x00-\x1f\x7f]")
"""What readers of single quotes understand differently, or not at all."""
_SPACE = re.compile(r"[ \t\r\n]*")


def holds(form: Form, name: str, data: bytes, value: str) -> bool:
    """Tell, in constant time, whether the file holds this very value."""
    wanted = _encoded(value)
    if form == "plain":
        return any(hmac.compare_digest(data, wanted + end) for end in (b"", b"\n", b"\r\n"))
    present = _on_line(name, data) if form == "env" else _under_key(name, data)
    return present is not None and hmac.compare_digest(present, wanted)


def with_value(form: Form, name: str, data: bytes | None, value: str) -> bytes:
    """Return the file's new bytes; everything but the value stays byte for byte."""
    if form == "plain":
        # A newline would be a part of the value to those who do not strip it; who has one there can live with it.
        end = b"\n" if data and data.endswith(b"\n") and not value.endswith("\n") else b""
        return _encoded(value) + end
    return _with_line(name, data or b"", value) if form == "env" else _with_key(name, data, value)


def _encoded(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:  # which would carry the value along
        raise ProviderError("The value is no text that a file can hold", remedy="issue another one") from None


# ---- dotenv


def _lines(name: str, data: bytes) -> tuple[list[bytes], list[int]]:
    """Return all lines, and the numbers of those that set the variable."""
    lines = _LINES.findall(data)
    found = []
    for number, line in enumerate(lines):
        match = _ASSIGNMENT.fullmatch(line)
        if match is None:
            continue
        rest = match["rest"]
        if rest[:1] in {b"'", b'"'} and not _QUOTED.match(rest):
            raise ProviderError(
                f"Line {number + 1} begins a value that goes on in the next line, and what follows may be a part of it",
                remedy="write that value on one line, or give this one a file of its own",
            )
        if match["name"] == name.encode():
            found.append(number)
    if len(found) > 1:
        raise ProviderError(
            f"{name} is set on {len(found)} lines, and readers differ in which one counts",
            remedy="leave one of them",
        )
    return lines, found


def _on_line(name: str, data: bytes) -> bytes | None:
    lines, found = _lines(name, data)
    match = _ASSIGNMENT.fullmatch(lines[found[0]]) if found else None
    if match is None:
        return None
    quoted = _QUOTED.match(match["rest"])
    if quoted is None:
        return re.split(rb"[ \t]+#", match["rest"])[0].rstrip()
    return quoted["single"] if quoted["single"] is not None else re.sub(rb"\\(.)", rb"\1", quoted["double"])


def _with_line(name: str, data: bytes, value: str) -> bytes:
    lines, found = _lines(name, data)
    written = _encoded(_word(value))
    if found:
        match = _ASSIGNMENT.fullmatch(lines[found[0]])
        if match is not None:
            lines[found[0]] = match["head"] + written + match["end"]
    else:
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        lines.append(name.encode() + b"=" + written + b"\n")
    return b"".join(lines)


def _word(value: str) -> str:
    if _SAFE.fullmatch(value):
        return value
    if _UNQUOTABLE.search(value):
        raise ProviderError(
            "The value has a quote, a backslash or a line break, which readers of such files take differently",
            remedy="use `format: json` or `format: plain` for this consumer",
        )
    return f"'{value}'"


# ---- JSON


class _Member(NamedTuple):
    name: str
    key_at: int
    start: int
    end: int
    value: Any


def _members(data: bytes) -> tuple[str, list[_Member]]:
    """Return the text, and where each member of its object stands."""
    try:
        text = data.decode()
        whole = json.loads(text)
    except (ValueError, RecursionError):  # whose own words would quote the file
        whole = None
    if not isinstance(whole, dict):
        raise ProviderError("The file holds no JSON object", remedy="mend the file, or correct `format:`")
    read, found = json.JSONDecoder().raw_decode, []
    at = _after_space(text, text.index("{") + 1)
    while text[at] != "}":
        key_at = at
        name, at = read(text, at)
        start = _after_space(text, _after_space(text, at) + 1)
        value, at = read(text, start)
        found.append(_Member(str(name), key_at, start, at, value))
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)
    return text, found


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _member(name: str, members: list[_Member]) -> _Member | None:
    same = [one for one in members if one.name == name]
    if len(same) > 1:
        raise ProviderError(f"The object has {name} {len(same)} times", remedy="leave one of them")
    if same and not isinstance(same[0].value, str):
        raise ProviderError(f"What stands under {name} is no text", remedy="correct the consumer's `secret:`")
    return same[0] if same else None


def _under_key(name: str, data: bytes) -> bytes | None:
    found = _member(name, _members(data)[1])
    return _encoded(found.value) if found else None


def _with_key(name: str, data: bytes | None, value: str) -> bytes:
    if data is None:
        return _encoded(json.dumps({name: value}) + "\n")
    text, members = _members(data)
    found, written = _member(name, members), json.dumps(value)
    if found:
        return _encoded(text[: found.start] + written + text[found.end :])
    at = members[-1].end if members else text.index("{") + 1
    before = ""
    if members:
        last = members[-1]
        space = text[: last.key_at]
        before = "," + space[len(space.rstrip(" \t\r\n")) :]
    return _encoded(f"{text[:at]}{before}{json.dumps(name)}: {written}{text[at:]}")
