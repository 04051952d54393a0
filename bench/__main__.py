"""Measure everything, print the table, and write it as JSON: `python -m bench`, from the repository's folder."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import ansible, cold, machine, on_server, ours, prefect, report
from bench.comparison import Case, Entrant, Row, compare

ROOT = Path(__file__).resolve().parent.parent


def asked() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORDS", help="cases of these kinds: steps,cold,queue,chains")
    parser.add_argument("--rounds", type=int, metavar="N", help="so many rounds of each case")
    parser.add_argument("--no-peers", action="store_true", help="leave other tools out: under six minutes")
    parser.add_argument("--json", default=str(ROOT / "build" / "benchmarks.json"), metavar="FILE")
    parser.add_argument("--write-docs", action="store_true", help="write the tables into docs/benchmarks.md")
    return parser.parse_args()


def peers_of(until_the_end: ExitStack) -> dict[str, Sequence[Entrant]]:
    """Return what other tools do in each case."""
    every = [module.entrants(until_the_end) for module in (ansible, prefect)]
    return {case: [one for some in every for one in some.get(case, ())] for some in every for case in some}


def cases_of(until_the_end: ExitStack, peers: dict[str, Sequence[Entrant]]) -> Iterator[Case]:
    """Yield all cases."""
    for module in (ours, cold, on_server):
        yield from module.cases(until_the_end, peers)


def main() -> int:
    """Measure; return 1 where a promise was not kept."""
    wanted = asked()
    kinds = {word.strip() for word in wanted.only.split(",") if word.strip()}
    about = machine.facts()
    rows: list[Row] = []
    with ExitStack() as until_the_end:
        peers = {} if wanted.no_peers else peers_of(until_the_end)
        for case in cases_of(until_the_end, peers):
            if kinds and not kinds & set(case.kinds):
                continue
            some = list(compare(case, wanted.rounds))
            print("\n".join(report.lines(some)), flush=True)
            rows += some
    target = Path(wanted.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(report.document(rows, about), encoding="utf-8")
    if wanted.write_docs:
        report.write_page(ROOT / "docs" / "benchmarks.md", rows, about)
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
