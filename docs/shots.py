"""Small PNGs of pages, taken with a headless Chromium that reaches no network."""

import shutil
import struct
import subprocess
import tempfile
import zlib
from collections import Counter
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_TALLEST = 1000
"""As much as a long screen shows; the rest is scrolled to."""
_SCALE = 1.5
_COLOURS = (256, 128, 64, 32, 16)
_MOST_BYTES = 58_000
_NEAR = 0xE0
"""Colours that agree in these bits are drawn as one: so a rare green is kept, and not every grey."""
_RGBA, _RGB = 6, 2
_SECONDS = 60


def browser() -> str:
    """Return the Chromium of this machine; empty where there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), "")


def shot(page: str, width: int) -> bytes:
    """Return a page as a PNG of a palette, cut below the last thing that it shows."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "page.html").write_text(page, encoding="utf-8")
        command = [
            browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-lcd-text", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--force-device-scale-factor={_SCALE}", f"--user-data-dir={folder / 'user'}",
            f"--window-size={max(width, 500)},{_TALLEST}", f"--screenshot={folder / 'shot.png'}",
            (folder / "page.html").as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)  # noqa: S603 - our own page
        rows = pixels((folder / "shot.png").read_bytes(), round(width * _SCALE))
    last = max(number for number, row in enumerate(rows) if len(set(row)) > 1)
    shown = rows[: min(last + 18, len(rows))]
    drawn = b""
    for colours in _COLOURS:
        drawn = palette_png(shown, colours)
        if len(drawn) <= _MOST_BYTES:
            break
    return drawn


def pixels(png: bytes, most: int) -> list[list[bytes]]:
    """Return the first `most` pixels of each row of a PNG of eight bits a channel, each as three bytes."""
    data, place = b"", 8
    width = depth = 0
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        chunk = png[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            width, _, _, colour = struct.unpack(">IIBB", chunk[:10])
            depth = {_RGBA: 4, _RGB: 3}[colour]
        elif kind == b"IDAT":
            data += chunk
        place += length + 12
    raw, size = zlib.decompress(data), width * depth
    seen = min(size, most * depth)
    before, rows = bytearray(seen), list[list[bytes]]()
    for start in range(0, len(raw), size + 1):
        row = _unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + seen]), before, depth)
        rows.append([bytes(row[at : at + 3]) for at in range(0, seen, depth)])
        before = row
    return rows


def _unfiltered(kind: int, row: bytearray, above: bytearray, depth: int) -> bytearray:
    """Return a row as it was before PNG's filter; "PNG specification", 9.2."""
    if kind == 0:
        return row
    for at in range(len(row)):
        left = row[at - depth] if at >= depth else 0
        corner = above[at - depth] if at >= depth else 0
        guess = (left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))[kind - 1]
        row[at] = (row[at] + guess) & 0xFF
    return row


def _paeth(left: int, above: int, corner: int) -> int:
    near = left + above - corner
    return min((left, above, corner), key=lambda one: abs(near - one))


def palette_png(rows: list[list[bytes]], colours: int) -> bytes:
    """Return rows of pixels as a PNG with a palette of the commonest colours; what is rarer takes the nearest."""
    counted = Counter(pixel for row in rows for pixel in row)
    near: dict[bytes, Counter[bytes]] = {}
    for colour, times in counted.items():
        near.setdefault(bytes(part & _NEAR for part in colour), Counter())[colour] += times
    bins = sorted(near.values(), key=lambda one: -one.total())[:colours]
    palette = [one.most_common(1)[0][0] for one in bins]
    index = {colour: number for number, colours_of in enumerate(bins) for colour in colours_of}
    for colour in counted:
        if colour not in index:
            index[colour] = min(range(len(palette)), key=lambda one: _apart(colour, palette[one]))
    raw = b"".join(b"\0" + bytes(index[pixel] for pixel in row) for row in rows)
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _apart(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
