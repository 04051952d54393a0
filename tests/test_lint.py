"""Lint: what YAML and structure cannot show, each with its place, all at once."""

from pathlib import Path

import clockwork
import pytest

from responder.documents import Templates
from responder.library import Library, built_in
from responder.lint import Report, Shelf, lint
from responder.registry import Registry
from responder.skeleton import files

APPROVAL = "approval: {role: commander, within: 5m, on_timeout: abort}"
OUTSIDE = """\
---
template: outside
version: 1
title: t
audience: public
channel: email
external: true
subject: s
fields:
  when: {type: text, from: "${{ incident.id }}"}
  what: {type: text}
  more: {type: text, optional: true}
---
{{ when }} {{ what }} {{ more }}
"""
BROKEN = "---\ntemplate: broken\nversion: 1\ntitle: t\naudience: public\nchannel: file\n---\n{{ nobody }}\n"
REVIEW = "---\ntemplate: postmortem\nversion: 1\ntitle: t\naudience: review\nchannel: file\n---\nx\n"
TEMPLATES = Templates({"outside": OUTSIDE, "broken": BROKEN, "postmortem": REVIEW})
HEAD = "playbook: p\ntitle: t\nversion: 1\nroles: {commander: {}}\n"


def linted(tmp_path: Path, steps: str, *, head: str = HEAD, facts: dict[str, str] | None = None) -> Report:
    (tmp_path / "p.yaml").write_text(f"{head}steps:\n{steps}")
    return lint(
        tmp_path / "p.yaml",
        Shelf(Registry({"clockwork": clockwork.PROVIDER}), TEMPLATES, facts if facts is not None else {}),
    )


def errors(report: Report) -> list[str]:
    return [str(problem) for problem in report.errors]


LOOK = "  - {id: look, phase: analysis, action: credential.inspect}\n"


SENDING = f"action: notice.send, {APPROVAL}, with:"
PROCEED = "approval: {role: commander, within: 5m, on_timeout: proceed}"


@pytest.mark.parametrize(
    ("step", "at", "words"),
    [
        pytest.param("action: clockwork.tun", "clockwork.tun", "did you mean 'clockwork.turn'?", id="action"),
        pytest.param("action: credential.stop", "credential.stop", "There is no verb", id="verb"),
        pytest.param("action: clokwork.turn", "clokwork", "did you mean 'clockwork'?", id="provider"),
        pytest.param("action: notice.sent", "notice.sent", "did you mean 'notice.send'?", id="notice"),
        pytest.param("action: clockwork.turn, with: {kye: a, key: b}", "kye", "did you mean 'key'?", id="argument"),
        pytest.param("action: clockwork.turn", "one", "clockwork.turn needs 'key'", id="missing argument"),
        pytest.param("action: clockwork.watch, with: {looks: many}", "many", "a valid integer", id="wrong type"),
        pytest.param("action: credential.disable, with: {subject: {}}", "subject", "no 'subject'", id="subject"),
        pytest.param(
            "action: credential.deliver, with: {consumer: '${{ item }}', value: words}, for_each: [a]",
            "words",
            "a secret is never written out",
            id="a secret written out",
        ),
        pytest.param(f"{SENDING} {{template: outsid, to: a}}", "outsid", "did you mean 'outside'?", id="template"),
        pytest.param(
            f"{SENDING} {{template: outside, to: a, fields: {{waht: x, what: y}}}}",
            "waht",
            "did you mean 'what'?",
            id="field",
        ),
        pytest.param(
            f"{SENDING} {{template: outside, to: a}}",
            "outside",
            "nobody fills the field 'what'",
            id="unfilled",
        ),
        pytest.param("action: clockwork.final, with: {key: a}", "one", "a final change needs", id="final, unapproved"),
        pytest.param(
            "action: notice.send, with: {template: outside, to: a, fields: {what: x}}",
            "one",
            "needs an approval",
            id="external, unapproved",
        ),
        pytest.param(
            f"action: clockwork.look, with: {{key: a}}, {APPROVAL}",
            "{role",
            "changes nothing, so its `approval` would never be asked for",
            id="a read with an approval",
        ),
        pytest.param(
            f"action: clockwork.final, with: {{key: a}}, {PROCEED}",
            "{role",
            "silence is no agreement",
            id="final, proceeding",
        ),
        pytest.param(
            f"action: clockwork.say, with: {{key: a}}, {PROCEED}",
            "{role",
            "silence is no agreement",
            id="message, proceeding",
        ),
    ],
)
def test_an_error_stands_at_its_place_with_its_remedy(tmp_path: Path, step: str, at: str, words: str) -> None:
    line = f"  - {{id: one, phase: containment, {step}}}"

    [error] = errors(linted(tmp_path, line + "\n"))

    assert error.startswith(f"p.yaml:6:{line.index(at) + 1}: ")
    assert words in error


def test_a_broken_template_is_named_at_its_own_place(tmp_path: Path) -> None:
    [error] = errors(linted(tmp_path, f"  - {{id: one, phase: containment, {SENDING} {{template: broken, to: a}}}}\n"))

    assert error.startswith("broken.md.j2:8:1: ")


def test_every_error_of_every_step_is_named_at_once(tmp_path: Path) -> None:
    steps = (
        "  - {id: a, phase: analysis, action: clockwork.turn}\n"
        "  - {id: b, phase: analysis, action: clockwork.tun}\n"
        "  - {id: c, phase: analysis, action: clockwork.final, with: {kye: x}}\n"
    )

    assert 5 == len(errors(linted(tmp_path, steps)))


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("action: clockwork.watch, with: {looks: '${{ inputs.n }}'}", id="an expression may give any type"),
        pytest.param(
            "action: notice.draft, with: {template: outside, fields: {what: x}}",
            id="a draft leaves by a person's hand",
        ),
        pytest.param("action: notice.draft, with: {template: '${{ inputs.n }}'}", id="a template chosen at run time"),
        pytest.param(
            f"action: clockwork.turn, with: {{key: a}}, {PROCEED}",
            id="proceed on what can be undone",
        ),
        pytest.param(
            "action: credential.issue, for_each: [a], with: {holder: {id: '${{ item }}'}, scopes: [read]}",
            id="an expression inside a value",
        ),
    ],
)
def test_what_is_right_or_shows_only_at_run_time_is_no_error(tmp_path: Path, step: str) -> None:
    head = HEAD + "inputs: {n: {type: string}}\n"

    assert () == linted(tmp_path, f"  - {{id: one, phase: containment, {step}}}\n", head=head).errors


def test_a_fact_of_the_configuration_fills_a_field(tmp_path: Path) -> None:
    step = f"  - {{id: one, phase: communication, {SENDING} {{template: outside, to: a}}}}\n"

    assert () == linted(tmp_path, step, facts={"what": "x"}).errors


def test_without_a_configuration_the_facts_that_it_must_give_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        f"{HEAD}steps:\n  - {{id: one, phase: communication, {SENDING} {{template: outside, to: a}}}}\n"
    )

    report = lint(tmp_path / "p.yaml", Shelf(Registry(), TEMPLATES, None))

    assert ((), 1) == (report.errors, len(report.warnings))
    assert "what" in report.warnings[0].what


def test_an_unknown_postmortem_is_an_error(tmp_path: Path) -> None:
    [error] = errors(linted(tmp_path, LOOK, head=HEAD + "postmortem: reviw\n"))

    assert error.startswith("p.yaml:5:13: There is no template 'reviw'")


ISSUE = "  - {id: make, phase: recovery, action: credential.issue}\n"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("${{ steps.make.value }}", False),
        ("${{ steps['make'].each[item.id].value }}", False),
        ("Bearer ${{ steps.make.value }}", True),
        ("${{ steps.make.value | upper }}", True),
        ("${{ 'x' ~ steps.make.each['a'].value }}", True),
        ("${{ steps.make.key_id }} and more", False),
    ],
)
def test_a_secret_that_is_visibly_joined_is_an_error(tmp_path: Path, text: str, wrong: bool) -> None:
    arguments = f'{{says: "{text}"}}'
    step = f"  - {{id: use, phase: recovery, for_each: [a], action: clockwork.nothing, with: {arguments}}}\n"

    assert wrong == any("a secret is joined" in error for error in errors(linted(tmp_path, ISSUE + step)))


# Warnings -----------------------------------------------------------------------------------------


def warnings(tmp_path: Path, steps: str, head: str = HEAD) -> list[str]:
    return [str(problem) for problem in linted(tmp_path, steps, head=head).warnings]


FINAL = f"  - {{id: end, phase: containment, action: credential.revoke, NEEDS{APPROVAL}}}\n"


@pytest.mark.parametrize(
    ("steps", "warned"),
    [
        pytest.param(FINAL.replace("NEEDS", ""), True, id="nobody looked"),
        pytest.param(LOOK + FINAL.replace("NEEDS", ""), True, id="looked, but did not wait"),
        pytest.param(LOOK + FINAL.replace("NEEDS", "needs: [look], "), False, id="after a look"),
        pytest.param(
            LOOK
            + "  - {id: mid, phase: analysis, action: clockwork.turn, needs: [look], with: {key: a}}\n"
            + FINAL.replace("NEEDS", "needs: [mid], "),
            False,
            id="after something after a look",
        ),
    ],
)
def test_a_final_step_that_nobody_looked_before_is_a_warning(tmp_path: Path, steps: str, warned: bool) -> None:
    assert warned == any("the final step 'end'" in warning for warning in warnings(tmp_path, steps))


@pytest.mark.parametrize(
    ("match", "proof", "warned"),
    [
        ("exposure: public", "", True),
        ("exposure: private", "", False),
        ("exposure: public", "  - {id: dead, phase: containment, action: credential.prove_dead}\n", False),
    ],
)
def test_a_public_leak_that_is_never_proven_dead_is_a_warning(
    tmp_path: Path, match: str, proof: str, warned: bool
) -> None:
    found = warnings(tmp_path, LOOK + proof, HEAD + f"match: [{{{match}}}]\n")

    assert warned == any("never proves" in warning for warning in found)


@pytest.mark.parametrize(
    ("steps", "exits", "warned"),
    [
        pytest.param("", "", True, id="nothing reads it"),
        pytest.param("", "${{ steps.idle.state == 'live' }}", False, id="an exit reads it"),
        pytest.param(
            "  - {id: b, phase: analysis, action: clockwork.turn, needs: [idle], with: {key: a}}\n",
            "",
            False,
            id="a step needs it",
        ),
        pytest.param(
            "  - {id: b, phase: analysis, action: clockwork.turn, with: {key: '${{ steps.idle.state }}'}}\n",
            "",
            False,
            id="a step reads it",
        ),
    ],
)
def test_a_step_that_nothing_reads_and_that_changes_nothing_is_a_warning(
    tmp_path: Path, steps: str, exits: str, warned: bool
) -> None:
    head = HEAD + (f'exit: ["{exits}"]\n' if exits else "")
    idle = "  - {id: idle, phase: analysis, action: clockwork.look, with: {key: a}}\n"

    assert warned == any("'idle'" in warning for warning in warnings(tmp_path, idle + steps, head))


def test_evidence_decisions_and_documents_are_worth_having_though_nothing_reads_them(tmp_path: Path) -> None:
    steps = (
        "  - {id: page, phase: analysis, action: evidence.capture_page, with: {url: 'https://x.example/'}}\n"
        "  - {id: do, phase: analysis, action: human.task,"
        " with: {role: commander, instructions: x, on_timeout: abort}}\n"
    )

    assert [] == warnings(tmp_path, steps)


# What ships ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(built_in("playbooks").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_playbooks_that_ship_have_no_errors(path: Path) -> None:
    report = lint(path, Shelf(Registry(), Templates(Library(None).templates())))

    assert () == report.errors
    assert all("needs facts" in warning.what for warning in report.warnings)


def test_the_example_that_init_writes_is_clean(tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(files("me")["playbooks/example.yaml"])

    report = lint(tmp_path / "example.yaml", Shelf(Registry(), Templates(Library(None).templates()), {}))

    assert ((), ()) == (report.errors, report.warnings)


@pytest.mark.parametrize(("meets", "warned"), [("", True), (", meets: d", False)])
def test_a_deadline_that_no_step_meets_is_a_warning(tmp_path: Path, meets: str, warned: bool) -> None:
    deadline = "deadlines: {d: {from: incident.aware_at, within: 1h, role: commander}}\n"
    task = "{role: commander, instructions: x, within: 1h, on_timeout: abort}"
    step = f"  - {{id: told, phase: review, action: human.task, with: {task}{meets}}}\n"

    found = warnings(tmp_path, step, HEAD + deadline)

    assert warned == any("it can only become overdue" in warning for warning in found)
