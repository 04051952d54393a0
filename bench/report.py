"""The results: a table to read, JSON to compute with, and the table of docs/benchmarks.md."""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from bench.comparison import Row

BEGIN, END = "<!-- results: `make bench` writes them -->", "<!-- end of the results -->"


def lines(rows: Sequence[Row]) -> list[str]:
    """Return the rows of one case as lines for a terminal."""
    told = [f"\n{rows[0].case}"]
    for row in rows:
        if row.missing:
            told.append(f"  {row.entrant:<56} left out: {row.missing}")
            continue
        told.append(
            f"  {row.entrant:<56} {_time(row.median):>9} ({_time(row.least)} to {_time(row.most)})"
            f"  x{row.ratio:.2f} ({row.ratio_least:.2f} to {row.ratio_most:.2f}), n={row.rounds}{_verdict(row)}"
        )
    return told


def _verdict(row: Row) -> str:
    if row.at_most is None:
        return ""
    return f"  at most {row.at_most:g}: {'ok' if row.kept else 'TOO SLOW'}"


def _time(seconds: float) -> str:
    if seconds >= 10:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def document(rows: Sequence[Row], machine: Mapping[str, str]) -> str:
    """Return everything as JSON."""
    return json.dumps({"machine": dict(machine), "rows": [row.document() for row in rows]}, indent=2) + "\n"


def tables(rows: Sequence[Row], machine: Mapping[str, str]) -> str:
    """Return the tables of docs/benchmarks.md, with the machine that they come from."""
    told = ["Measured on: " + ", ".join(f"{name} {value}" for name, value in machine.items()) + ".", ""]
    for case, some in groupby(rows, key=lambda row: row.case):
        told += [f"### {case[:1].upper()}{case[1:]}", ""]
        told += ["| who | median | least | most | ratio | least | most | rounds | promised |"]
        told += ["| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
        told += [_table_row(row) for row in some]
        told += [""]
    return "\n".join(told)


def _table_row(row: Row) -> str:
    name = f"{row.entrant} (the floor)" if row.entrant == row.floor else row.entrant
    promised = f"at most {row.at_most:g}" if row.at_most is not None else ""
    if row.missing:
        return f"| {name} | left out: {row.missing} | | | | | | | {promised} |"
    figures = [_time(row.median), _time(row.least), _time(row.most)]
    figures += [f"{ratio:.2f}" for ratio in (row.ratio, row.ratio_least, row.ratio_most)]
    return f"| {name} | {' | '.join(figures)} | {row.rounds} | {promised} |"


def write_page(page: Path, rows: Sequence[Row], machine: Mapping[str, str]) -> None:
    """Put the tables where the page keeps them; what people wrote around them stays."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{tables(rows, machine)}\n{END}{after}", encoding="utf-8")
