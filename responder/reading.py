"""A playbook file read: YAML becomes a Playbook, sub-playbooks inlined; each problem with its `file:line:column`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from responder.errors import PlaybookError
from responder.inlining import inlined
from responder.playbook import Playbook, PlaybookFile
from responder.source import Source, read
from responder.structure import own_problems, whole_problems

Find = Callable[[str], Path]
"""Returns the file of a playbook by its name. PlaybookError where there is none."""


def load_playbook(path: Path, find: Find | None = None, trail: tuple[str, ...] = ()) -> tuple[Playbook, Source]:
    """Read a playbook file. PlaybookError carries every problem, with its place.

    `find` says where its sub-playbooks are; without it they stand beside it. `trail` names the playbooks that are
    being read already, so that none can contain itself.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaybookError(
            f"The playbook cannot be read: {type(error).__name__}",
            where=str(path),
            remedy="`responder playbook list` shows what there is",
        ) from None
    find = find or (lambda name: path.parent / f"{name}.yaml")
    playbook, source = parse_playbook(text, path.name, partial(_other, find, (*trail, path.stem)))
    if playbook.playbook != path.stem:
        raise PlaybookError(
            f"The playbook calls itself {playbook.playbook!r}, its file {path.stem!r}",
            where=source.place(("playbook",)),
            remedy="make them equal",
        )
    return playbook, source


def _other(find: Find, trail: tuple[str, ...], name: str) -> Playbook:
    """Return a sub-playbook, its own ones inlined."""
    if name in trail:
        shown = " > ".join((*trail, name))
        raise PlaybookError(f"the playbook {name!r} would contain itself: {shown}", remedy="take one of them out")
    path = find(name)
    if not path.is_file():
        raise PlaybookError(f"there is no playbook {name!r}", remedy="`responder playbook list` shows what there is")
    return load_playbook(path, find, trail)[0]


def _none(name: str) -> Playbook:
    raise PlaybookError(f"there is no playbook {name!r} here")


def parse_playbook(text: str, name: str, other: Callable[[str], Playbook] = _none) -> tuple[Playbook, Source]:
    """Make a Playbook of YAML text. PlaybookError carries every problem, with its place.

    `other` returns a sub-playbook by its name.
    """
    source = read(text, name, PlaybookError)
    if not isinstance(source.data, dict):
        raise PlaybookError("A playbook is a mapping", where=f"{name}:1:1", remedy="begin with `playbook: NAME`")
    written, problems = source.check(PlaybookFile)
    if written is None:
        raise PlaybookError(problems=tuple(problems))
    problems += own_problems(written, source)
    playbook, wrong = inlined(written, source, other)
    problems += wrong
    if not wrong:
        problems += whole_problems(playbook, source)
    if problems:
        raise PlaybookError(problems=tuple(problems))
    return playbook, source
