"""Draws the README's picture, and its score, from a drill that really runs: `make picture`."""

import io
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from responder.cli.drill import DEFAULT, score_lines
from responder.cli.follow import Follower
from responder.cli.screen import screen
from responder.drill.drill import Drill, Options, begin, carry_out
from responder.drill.report import report
from responder.lines import Lines
from responder.view import RunView

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "pictures" / "drill.svg"
README = ROOT / "README.md"
SCORE = re.compile(r"(<!-- score: begin -->\n```text\n).*?(```\n<!-- score: end -->)", re.DOTALL)
WIDTH = 104
LOOK_SECONDS = 0.1
FONT_FACE = re.compile(r"\s*@font-face \{[^}]*\}", re.DOTALL)


def interest(seen: RunView) -> int:
    """Return how much a moment of a run has to show: a question, bars half full, another run, clocks met."""
    half = sum(1 for step in seen.steps if step.items and 0.2 < step.items.ended / step.items.total < 0.9)  # noqa: PLR2004
    contained = 4 if seen.contained_at else 0
    return 3 * min(half, 2) + 3 * bool(seen.awaiting) + 2 * bool(seen.children) + contained


def watch(drill: Drill) -> list[Text]:
    """Carry a drill out, and return the screen of its most telling moment."""
    follower = Follower(drill.app, drill.run)
    sentences = Lines(drill.run)
    thread = threading.Thread(target=carry_out, args=(drill, lambda _: None), daemon=True)
    thread.start()
    best, shown, last = -1, [Text()], list[str]()
    while thread.is_alive():
        last += sentences.of(follower.news(), follower.state)
        seen = follower.view()
        if interest(seen) > best:
            best, shown = interest(seen), screen(seen, last, width=WIDTH)
        time.sleep(LOOK_SECONDS)
    return shown


def draw(lines: list[Text]) -> str:
    """Return a terminal that shows these lines, as SVG that asks the network for nothing."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("\n").join(lines), highlight=False)
    drawn = console.export_svg(title="responder drill", unique_id="drill")
    return re.sub(r"[ \t]+\n", "\n", FONT_FACE.sub("", drawn))


def score_text(document: dict[str, object], folder: Path) -> str:
    """Return the score as the drill prints it, with the folder that `make drill` uses."""
    return "\n".join(score_lines(document)).strip().replace(str(folder), "drills/latest") + "\n"


def main() -> int:
    """Practise once; write the picture, and the score into the README."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        drill = begin(Options(DEFAULT, folder))
        try:
            shown = watch(drill)
            score = score_text(report(drill), folder)
        finally:
            drill.app.close()
            drill.stage.close()
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(shown), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(SCORE.sub(lambda found: found[1] + score + found[2], text), encoding="utf-8")
    print(f"written: {PICTURE.relative_to(ROOT)}, and the score in README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
