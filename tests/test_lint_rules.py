"""The rules of lint, one by one: what each finds, where, with what remedy; and what is close to it and right."""

from dataclasses import dataclass
from pathlib import Path

import clockwork
import pytest

from responder.documents import Templates
from responder.lint import RULES, Shelf, lint
from responder.registry import Registry

FRONT = """\
---
template: {name}
version: 1
title: t
audience: public
channel: email
subject: s
fields:
{fields}---
{body}
"""
TEMPLATES = {
    "word": FRONT.format(
        name="word", fields="  what: {type: text}\n  more: {type: text, optional: true}\n", body="{{ what }} {{ more }}"
    ),
    "since": FRONT.format(
        name="since", fields='  dead_at: {type: time, from: "${{ incident.contained_at }}"}\n', body="{{ dead_at }}"
    ),
    "theirs": FRONT.format(name="theirs", fields='  who: {type: person, from: "${{ item }}"}\n', body="{{ who.name }}"),
    "given": FRONT.format(
        name="given", fields='  place: {type: text, from: "${{ inputs.place }}"}\n', body="{{ place }}"
    ),
    "takedown-word": FRONT.format(name="takedown-word", fields="  what: {type: text}\n", body="{{ what }}"),
    "postmortem": "---\ntemplate: postmortem\nversion: 1\ntitle: t\naudience: review\nchannel: file\n---\nx\n",
}
HEAD = "playbook: p\ntitle: t\nversion: 1\nroles: {boss: {}}\n"
ASK = "approval: {role: boss, within: 5m, on_timeout: abort}"
LOOK = "{id: look, phase: analysis, action: credential.inspect}"
PROVE = "{id: dead, phase: containment, action: credential.prove_dead, needs: [look]}"
TURN = f"{{id: turn, phase: analysis, action: clockwork.turn, {ASK}, with: {{key: a}}}}"
ISSUE = f"{{id: make, phase: recovery, action: credential.issue, for_each: [a], {ASK}}}"
END = f"{{id: end, phase: containment, action: credential.revoke, needs: [look], {ASK}}}"


def told(action: str, arguments: str, more: str = "") -> str:
    return f"{{id: tell, phase: communication, action: {action}, {ASK}, {more}with: {arguments}}}"


@dataclass(frozen=True)
class Case:
    """What a rule finds, and what stands close to it and is right."""

    wrong: tuple[str, ...]
    """Steps, or lines of the head that end with a colon and more."""
    at: str
    """Where the problem is, within the line that holds it."""
    words: str
    right: tuple[str, ...]


NOTICE = "notice.send"
BASE = (LOOK, END, ISSUE)
BLIND = END.replace("needs: [look], ", "")
OFF = END.replace("needs: [look], ", "").replace("revoke", "disable")
PAGE = "{id: page, phase: analysis, action: evidence.capture_page, with: {url: 'https://x.example/'}}"
DUE = "deadlines: {soon: {from: incident.aware_at, within: 1h, role: boss}}"


def word(fields: str, more: str = "") -> str:
    return told(NOTICE, f"{{template: word, to: a, fields: {{{fields}}}}}", more)


def use(text: str) -> str:
    return f"{{id: use, phase: recovery, action: clockwork.nothing, {ASK}, with: {{says: {text}}}}}"


WORD = word("what: x")
FINAL = TURN.replace("clockwork.turn", "clockwork.final").replace(ASK, "title: x")
PLACE = "inputs: {place: {type: string}}"
MAYBE = (
    "{id: maybe, phase: analysis, action: clockwork.look, with: {key: a}, if: \"${{ steps.look.state == 'live' }}\"}"
)
TRIES = "{id: tries, phase: analysis, action: clockwork.look, with: {key: a}, on_error: continue}"
CASES: dict[str, list[Case]] = {
    "action": [Case(("{id: x, phase: analysis, action: clockwork.tun}",), "clockwork.tun", "did you mean", (TURN,))],
    "arguments": [Case((TURN.replace("key: a", "kye: a, key: a"),), "kye", "did you mean 'key'?", (TURN,))],
    "approval": [Case((FINAL,), "turn,", "needs an approval", (TURN,))],
    "template": [
        Case((told(NOTICE, "{template: wrod, to: a}"),), "wrod", "did you mean 'word'?", (WORD,)),
    ],
    "field": [
        Case(
            (word("what: x, mroe: y"),),
            "mroe",
            "did you mean 'more'?",
            (word("what: x, more: y"),),
        ),
    ],
    "unfilled": [
        Case(
            (told(NOTICE, "{template: word, to: a}"),),
            "word",
            "nobody fills the field 'what'",
            (WORD,),
        ),
    ],
    "postmortem": [Case(("postmortem: reviw", TURN), "reviw", "no template", ("postmortem: postmortem", TURN))],
    "joined-secret": [
        Case(
            (*BASE, use(text)),
            text,
            words,
            (*BASE, use(fine)),
        )
        for text, words, fine in (
            ("'Bearer ${{ steps.make.value }}'", "joined", "'${{ steps.make.value }}'"),
            ("'${{ steps.make.value | upper }}'", "joined", "'${{ steps.make.key_id | upper }}'"),
            ("\"${{ [1, steps.make.each['a'].value] }}\"", "joined", "\"${{ steps.make.each['a'].value }}\""),
            (
                "\"${{ steps['make'].each | map(attribute='value') | list }}\"",
                "stands inside",
                "\"${{ steps['make'].each | length }}\"",
            ),
            ("'${{ steps.make.each }}'", "stands inside", "'${{ steps.make.all_done }}'"),
            ("'${{ steps.make }}'", "stands inside", "'${{ steps.make.status }}'"),
        )
    ]
    + [
        Case(
            ("exit: [\"${{ steps.make.value == 'x' }}\"]", *BASE),
            '"${{',
            "joined",
            ("exit: ['${{ steps.make.all_done }}']", *BASE),
        ),
    ],
    "shown-secret": [
        Case(
            (*BASE, word("what: x, more: ['${{ steps.make.value }}']")),
            "'${{",
            "would show it",
            (*BASE, word("what: x, more: ['${{ steps.make.key_id }}']")),
        ),
        Case(
            (*BASE, told("human.task", "{role: boss, instructions: '${{ steps.make.value }}', on_timeout: abort}")),
            "'${{",
            "would show it",
            (*BASE, told("human.task", "{role: boss, instructions: '${{ steps.make.key_id }}', on_timeout: abort}")),
        ),
        Case(
            (*BASE, told("clockwork.turn", "{key: '${{ steps.make.value }}'}")),
            "'${{",
            "would show it",
            (
                *BASE,
                told(
                    "credential.deliver",
                    "{consumer: '${{ item }}', value: '${{ steps.make.value }}'}",
                    "for_each: [a], ",
                ),
            ),
        ),
    ],
    "branch": [
        Case(
            (LOOK, MAYBE, word("what: '${{ steps.maybe.state }}'")),
            "'${{ steps.maybe.state",
            "when 'maybe' is skipped",
            (LOOK, MAYBE, fine),
        )
        for fine in (
            word("what: x, more: '${{ steps.maybe.state }}'"),
            word("what: '${{ steps.maybe.status }}'"),
            word("what: \"${{ steps.maybe.state | default('none', true) }}\""),
            word("what: '${{ steps.maybe.state }}'", "if: \"${{ steps.maybe.status == 'done' }}\", "),
            word("what: '${{ steps.maybe.state }}'", "if: \"${{ steps.look.state == 'live' }}\", "),
        )
    ]
    + [
        Case(
            (TRIES, word("what: 'it is ${{ steps.tries.state }}'")),
            "'it is",
            "when 'tries' fails, and the run goes on",
            (TRIES.replace("continue", "block"), word("what: '${{ steps.tries.state }}'")),
        ),
        Case(
            (LOOK, PROVE, told(NOTICE, "{template: since, to: a}", "needs: [look], ")),
            "since",
            "nothing has proven",
            (LOOK, PROVE, told(NOTICE, "{template: since, to: a}", "needs: [dead], ")),
        ),
        Case(
            (told(NOTICE, "{template: theirs, to: a}"),),
            "theirs",
            "no `for_each`",
            (told(NOTICE, "{template: theirs, to: a}", "for_each: [a], "),),
        ),
        Case(
            (told(NOTICE, "{template: given, to: a}"),),
            "given",
            "no input 'place'",
            (PLACE, told(NOTICE, "{template: given, to: a}")),
        ),
        Case(
            ("inputs: {place: {type: string, required: false}}", told(NOTICE, "{template: given, to: a}")),
            "given",
            "nobody gives the input 'place'",
            (
                "inputs: {place: {type: string, required: false}}",
                told(NOTICE, "{template: given, to: a}", "if: '${{ inputs.place }}', "),
            ),
        ),
    ],
    "unseen": [Case((LOOK, BLIND), "end", "does not wait", (LOOK, END))],
    "unproven": [
        Case(
            ("match: [{exposure: public}]", TURN),
            "[{",
            "never proves",
            ("match: [{exposure: public}]", TURN, LOOK, PROVE),
        ),
    ],
    "unended": [
        Case((ISSUE,), "make", "nothing ever ends the old one", BASE),
        Case((ISSUE,), "make", "nothing ever ends the old one", (ISSUE, OFF)),
    ],
    "uncaptured": [
        Case(
            (told(NOTICE, "{template: takedown-word, to: a, fields: {what: x}}"),),
            "tell",
            "removes what nobody has captured",
            (PAGE, told(NOTICE, "{template: takedown-word, to: a, fields: {what: x}}", "needs: [page], ")),
        ),
        Case(
            (told("huggingface.pause_space", "{space: a/b}"),),
            "tell",
            "removes what nobody has captured",
            (told("huggingface.set_visibility", "{repository: a/b, visibility: public}"),),
        ),
        Case(
            (PAGE, told("huggingface.set_visibility", "{repository: a/b}")),
            "tell",
            "removes what nobody has captured",
            (PAGE, told("huggingface.set_visibility", "{repository: a/b}", "needs: [page], ")),
        ),
    ],
    "idle": [Case((LOOK, TURN), "look", "nothing needs it", (LOOK, TURN.replace("with:", "needs: [look], with:")))],
    "unused-input": [
        Case((PLACE, TURN), "place", "nothing reads", (PLACE, TURN.replace("key: a", "key: '${{ inputs.place }}'"))),
        Case((PLACE, TURN), "place", "nothing reads", (PLACE, told(NOTICE, "{template: given, to: a}"))),
    ],
    "unused-role": [Case((TURN.replace(f"{ASK}, ", ""),), "boss", "is ever asked", (TURN,))],
    "unmet-deadline": [
        Case(
            (DUE, TURN),
            "soon",
            "no step meets",
            (DUE, TURN.replace("with:", "meets: soon, with:")),
        ),
    ],
}
BY_ITSELF = {"facts"}
"""What is found only where there is no configuration: see test_lint.py."""


def linted(tmp_path: Path, parts: tuple[str, ...]) -> tuple[str, dict[str, list[str]]]:
    """Return the file's text, and what each rule says of it."""
    heads = [part for part in parts if not part.startswith("{")]
    steps = [f"  - {part}" for part in parts if part.startswith("{")]
    text = "\n".join([*HEAD.splitlines(), *heads, "steps:", *steps]) + "\n"
    (tmp_path / "p.yaml").write_text(text)
    report = lint(tmp_path / "p.yaml", Shelf(Registry({"clockwork": clockwork.PROVIDER}), Templates(TEMPLATES), {}))
    said: dict[str, list[str]] = {}
    for problem in (*report.errors, *report.warnings):
        said.setdefault(problem.rule, []).append(str(problem))
    return text, said


SAMPLES = [pytest.param(name, case, id=f"{name} {n}") for name, cases in CASES.items() for n, case in enumerate(cases)]


@pytest.mark.parametrize(("name", "case"), SAMPLES)
def test_a_rule_finds_what_is_wrong_at_its_place(tmp_path: Path, name: str, case: Case) -> None:
    text, said = linted(tmp_path, case.wrong)

    [problem] = said[name]
    place, _, told_what = problem.partition(": ")
    _, line, column = place.split(":")
    assert text.splitlines()[int(line) - 1][int(column) - 1 :].startswith(case.at)
    assert case.words in told_what


@pytest.mark.parametrize(("name", "case"), SAMPLES)
def test_what_is_close_to_it_and_right_is_left_alone(tmp_path: Path, name: str, case: Case) -> None:
    assert [] == linted(tmp_path, case.right)[1].get(name, [])


def test_every_rule_has_a_case() -> None:
    assert {rule.name for rule in RULES} == {*CASES, *BY_ITSELF}
    assert len(RULES) == len({rule.name for rule in RULES})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_says_in_a_sentence_what_is_wrong(rule: object) -> None:
    assert rule.says.endswith(".")  # type: ignore[attr-defined]
    assert rule.kind in {"error", "warning"}  # type: ignore[attr-defined]
