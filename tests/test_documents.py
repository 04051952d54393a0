"""Templates are parsed strictly, filled without a blank, run in a cage, and scanned before they leave."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from responder.documents import Templates, read_templates
from responder.documents.template import Document, Template, digest_of, fill, parse_template, render, render_notice
from responder.errors import DocumentError
from responder.expressions import SecretRef, Unknown
from responder.redaction import Redactor, Secret

HEAD = "---\ntemplate: note\nversion: 1\ntitle: x\naudience: public\n"
NOW = datetime(2026, 5, 2, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 5, 3, 10, 0, tzinfo=UTC)
NAMES: dict[str, Any] = {
    "now": NOW,
    "facts": {},
    "incident": {"id": "inc-7", "aware_at": "2026-05-02T09:20:00+00:00", "contained_at": None},
    "people": {"dana": {"name": "Dana Reyes", "email": "dana@lab.example"}},
    "organisation": {"name": "Lab", "contact": "", "time_zone": "America/New_York"},
    "item": {"id": "h1", "name": "Mina Okafor", "email": "mina@x.example"},
}
HOLDERS = [
    {"id": "h1", "name": "Mina Okafor", "email": "mina@x.example"},
    {"id": "h2", "name": "Ben Adler", "email": "ben@x.example"},
]


def template(
    body: str, fields: str = "{}", *, channel: str = "email", external: str = "false", more: str = ""
) -> Template:
    text = f"""---
template: note
version: 1
title: A note
audience: holder
channel: {channel}
external: {external}
subject: A note
fields: {fields}
{more}---
{body}
"""
    return parse_template(text, "note.md.j2")


def notice(body: str, fields: str = "{}", given: Mapping[str, Any] = {}, **kwargs: Any) -> Document:
    names = {**NAMES, **kwargs.pop("names", {})}
    redactor, known_bad = kwargs.pop("redactor", Redactor()), kwargs.pop("known_bad", ())
    return render_notice(template(body, fields, **kwargs), names, given, redactor, known_bad=known_bad)


def problems_of(error: pytest.ExceptionInfo[DocumentError]) -> list[str]:
    return [str(problem) for problem in error.value.problems]


# Parsing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("no front matter", "note.md.j2:1:1: The template does not begin", id="no front matter"),
        pytest.param("---\ntemplate: [\n---\n", "note.md.j2:3:1: This is not YAML", id="broken YAML"),
        pytest.param("---\n- a\n---\n", "note.md.j2:2:1: The front matter is a mapping", id="a list"),
    ],
)
def test_what_is_no_template_is_refused_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_template(text, "note.md.j2")

    assert problems_of(caught)[0].startswith(expected)


def test_all_problems_of_the_front_matter_come_at_once() -> None:
    text = "---\ntemplate: note\nversion: 0\naudiance: public\nchannel: fax\ntitle: x\n---\n{{ x. }}\n"

    with pytest.raises(DocumentError) as caught:
        parse_template(text, "note.md.j2")

    found = "\n".join(problems_of(caught))
    for expected in (
        "note.md.j2:3:10: version",
        "note.md.j2:4:1: unknown key 'audiance' (did you mean 'audience'?)",
        "'audience' is missing",
        "note.md.j2:5:10: channel",
        "note.md.j2:8:1: not a template",
    ):
        assert expected in found


def test_a_syntax_error_bears_the_line_of_the_file() -> None:
    with pytest.raises(DocumentError) as caught:
        template("fine\n\n{{ broken")

    assert problems_of(caught)[0].startswith("note.md.j2:13:1: not a template")


def test_text_and_fields_must_agree() -> None:
    with pytest.raises(DocumentError) as caught:
        template("\n{{ conerns }}", "{concerns: {type: text}, unused: {type: text}}")

    assert problems_of(caught) == [
        "note.md.j2:12:1: the text reads 'conerns', which is no field (did you mean 'concerns'?)",
        "note.md.j2:9:10: the field 'concerns' is declared and never used",
        "note.md.j2:9:34: the field 'unused' is declared and never used",
    ]


def test_a_subject_may_read_only_fields() -> None:
    text = HEAD + "channel: email\nsubject: '{{ nope }}'\n---\nhi\n"

    with pytest.raises(DocumentError, match=r"note.md.j2:7:1: the text reads 'nope'"):
        parse_template(text, "note.md.j2")


def test_a_mail_needs_a_subject() -> None:
    text = HEAD + "channel: email\n---\nhi\n"

    with pytest.raises(DocumentError, match="a mail needs a `subject`"):
        parse_template(text, "note.md.j2")


def test_a_span_needs_a_time_to_be_counted_from() -> None:
    with pytest.raises(DocumentError, match="`plus` is for a time with a `from`"):
        template("{{ a }}", "{a: {type: time, plus: 24h}}")


def test_a_source_that_can_never_be_evaluated_is_found_at_once() -> None:
    with pytest.raises(DocumentError, match=r"note.md.j2:9:\d+: .*'incidnet', which does not exist"):
        template("{{ a }}", '{a: {type: text, from: "${{ incidnet.id }}"}}')


def test_a_template_calls_itself_as_its_file() -> None:
    with pytest.raises(DocumentError, match="calls itself 'note', its file 'other'"):
        parse_template(
            "---\ntemplate: note\nversion: 1\ntitle: x\naudience: review\nchannel: file\n---\n", "other.md.j2"
        )


@pytest.mark.parametrize(
    "body",
    [
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{% set x = 1 %}",
        "{% with x = 1 %}{% endwith %}",
        "{{ 'a'.upper() }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 'x' % 3 }}",
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ [].__class__.__mro__[1].__subclasses__() }}",
        "{{ _tick }}",
        "{% for _tick in [] %}{% endfor %}",
        "{{ range(9) }}",
        "{{ 'x' | format(1) }}",
        "{{ 'a' | replace('a', 'b') }}",
        "{{ " + "(" * 400 + "1" + ")" * 400 + " }}",
    ],
)
def test_a_template_that_wants_more_than_to_show_choose_and_repeat_is_refused(body: str) -> None:
    began = time.monotonic()

    with pytest.raises(DocumentError):
        notice(body)

    assert time.monotonic() - began < 1  # before anything was computed


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            "{% for a in x %}{% for b in x %}{% for c in x %}{% endfor %}{% endfor %}{% endfor %}",
            id="loops that print nothing",
        ),
        pytest.param("{% for a in x %}{% for b in x %}{{ x | join }}{% endfor %}{% endfor %}", id="huge output"),
        pytest.param("{{ x | join(x | join(x | join)) }}", id="huge joins"),
        pytest.param("{{ x.nothing.more }}", id="what is not there"),
        pytest.param("{{ x }}", id="raw data"),
        pytest.param("{% for a, b in x %}{% endfor %}", id="wrong shape"),
    ],
)
def test_a_hostile_template_ends_in_one_error(body: str) -> None:
    began = time.monotonic()

    with pytest.raises(DocumentError, match="cannot be rendered") as caught:
        notice(body, "{x: {type: list}}", {"x": ["y" * 50] * 500})

    assert len(caught.value.problems) == 1
    assert caught.value.where in {"note.md.j2:11:1", "note.md.j2:1:1"}
    assert time.monotonic() - began < 3


# Reading ------------------------------------------------------------------------------------------


def test_templates_are_read_from_folders_and_earlier_ones_win(tmp_path: Path) -> None:
    for folder, text in (("own", "mine"), ("shipped", "theirs")):
        (tmp_path / folder / "notices").mkdir(parents=True)
        (tmp_path / folder / "notices" / "a.md.j2").write_text(text)
    (tmp_path / "shipped" / "page.html.j2").write_text("page")
    (tmp_path / "shipped" / "readme.md").write_text("no template")

    assert read_templates([tmp_path / "own", tmp_path / "shipped"]) == {"a": "mine", "page": "page"}


def test_a_template_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(DocumentError, match="did you mean 'holding-statement'"):
        Templates({"holding-statement": "", "x": ""}).get("holding-statment")


def test_a_template_knows_what_its_sources_read() -> None:
    one = template(
        "{{ a }}{{ b }}{{ c }}",
        """
  a: {type: text, from: "${{ steps.kill.state }}"}
  b: {type: text, from: "${{ steps.dead.verdict }}"}
  c: {type: text, optional: true, from: "${{ steps.late.x }}"}""",
    )

    assert one.reads(["b"]).steps == {"kill"}


# Filling ------------------------------------------------------------------------------------------


def test_a_value_comes_from_the_step_then_the_facts_then_the_source() -> None:
    one = template(
        "{{ a }}{{ b }}{{ c }}",
        "".join(f'\n  {n}: {{type: text, from: "${{{{ incident.id }}}}"}}' for n in "abc"),
    )

    values = fill(one, {**NAMES, "facts": {"a": "fact", "b": "fact"}}, {"a": "step"})

    assert values == {"a": "step", "b": "fact", "c": "inc-7"}


def test_all_that_is_missing_blank_or_wrong_is_said_at_once() -> None:
    kinds = {
        "a": "text",
        "b": "time",
        "c": "list",
        "d": "person",
        "e": "number",
        "f": "mapping",
        "g": "link",
        "h": "text",
    }
    one = template(
        "".join(f"{{{{ {n} }}}}" for n in kinds), "".join(f"\n  {n}: {{type: {k}}}" for n, k in kinds.items())
    )
    given = {"a": [], "b": "noon", "c": "x", "d": "dna", "e": "9", "f": [], "g": "javascript:x", "extra": 1}

    with pytest.raises(DocumentError) as caught:
        fill(one, NAMES, given)

    found = problems_of(caught)
    assert len(found) == 9
    for expected in (
        "extra: the template has no such field",
        "a: should be text, not a list",
        "b: should be a time",
        "c: should be a list, not text",
        "d: there is no person 'dna'; did you mean 'dana'?",
        "e: should be a number, not text",
        "f: should be a mapping",
        "g: should be a link",
        "h: is missing",
    ):
        assert any(expected in problem for problem in found), expected


@pytest.mark.parametrize(
    "blank",
    [
        "",
        "  \n",
        "TBD",
        "todo",
        "N/A",
        "n/a.",
        "?",
        "???",
        "xxx",
        "lorem ipsum dolor",
        "-",
        "...",
        "see {{ x }}",
        "[NAME]",
        "${{ y }}",
    ],
)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"k": [x]}], ids=["text", "list", "mapping"])
def test_blanks_are_refused_however_deep(blank: str, wrap: Any) -> None:
    value = wrap(blank)
    kind = {str: "text", list: "list", dict: "mapping"}[type(value)]

    with pytest.raises(DocumentError, match=r"blank|placeholder"):
        fill(template("{{ a }}", f"{{a: {{type: {kind}}}}}"), NAMES, {"a": value})


@pytest.mark.parametrize("link", ["ftp://x.example/a", "https://", "https://a:b@x.example/", "https://x.example/a b"])
def test_a_link_leads_to_a_page_and_carries_no_login(link: str) -> None:
    with pytest.raises(DocumentError, match="a: should be a link"):
        fill(template("{{ a }}", "{a: {type: link}}"), NAMES, {"a": link})


def test_an_empty_list_is_no_value() -> None:
    with pytest.raises(DocumentError, match="a: is empty"):
        fill(template("{{ a }}", "{a: {type: list}}"), NAMES, {"a": []})


def test_words_that_only_look_like_blanks_stand() -> None:
    values = fill(template("{{ a }}", "{a: {type: text}}"), NAMES, {"a": "Todos os dias, n/aves"})

    assert values["a"] == "Todos os dias, n/aves"


def test_entries_of_a_list_have_the_keys_that_they_need() -> None:
    one = template("{{ a }}", "{a: {type: list, of: [what, by]}}")

    with pytest.raises(DocumentError, match="a: lacks by: each needs what, by"):
        fill(one, NAMES, {"a": [{"what": "x", "by": "y"}, {"what": "x"}]})


def test_an_optional_field_may_stay_empty_and_its_source_may_not_exist() -> None:
    one = template("{{ a }}", '{a: {type: time, optional: true, from: "${{ incident.never }}"}}')

    assert fill(one, NAMES, {}) == {"a": None}


def test_a_required_field_whose_source_does_not_exist_is_missing() -> None:
    one = template("{{ a }}", '{a: {type: time, from: "${{ incident.never }}"}}')

    with pytest.raises(DocumentError, match=r"a: is missing: .*incident.never"):
        fill(one, NAMES, {})


def test_a_span_is_counted_from_the_source() -> None:
    one = template(
        "{{ a }}{{ b }}",
        "".join(f'\n  {n}: {{type: time, plus: 24h, from: "${{{{ incident.aware_at }}}}"}}' for n in "ab"),
    )

    values = fill(one, {**NAMES, "facts": {"b": "2h"}}, {})

    assert [value.isoformat() for value in values.values()] == [
        "2026-05-03T09:20:00+00:00",
        "2026-05-02T11:20:00+00:00",
    ]


def test_a_promise_must_lie_ahead() -> None:
    one = template("{{ a }}", "{a: {type: time, future: true}}")

    with pytest.raises(DocumentError, match="promises 2026-05-02T09:59:00"):
        fill(one, NAMES, {"a": "2026-05-02T09:59:00+00:00"})


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        pytest.param(Unknown("the log is read", NOW), "which is past", id="due now"),
        pytest.param(Unknown("TBD", LATER), "without a reason", id="no reason"),
        pytest.param(Unknown("x is read", NOW.replace(tzinfo=None)), "next_update_at", id="no zone"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x]], ids=["field", "entry"])
def test_what_is_unknown_has_a_reason_and_a_time_ahead(unknown: Unknown, expected: str, wrap: Any) -> None:
    value = wrap(unknown)
    one = template("{{ a }}", f"{{a: {{type: {'list' if isinstance(value, list) else 'time'}}}}}")

    with pytest.raises(DocumentError, match=expected):
        fill(one, NAMES, {"a": value})


def test_a_secret_is_never_a_value() -> None:
    with pytest.raises(DocumentError, match=r"a: should be text|is a secret"):
        fill(template("{{ a }}", "{a: {type: text}}"), NAMES, {"a": SecretRef("blob", "fp:1")})

    with pytest.raises(DocumentError, match="is a secret"):
        fill(template("{{ a }}", "{a: {type: list}}"), NAMES, {"a": [SecretRef("blob", "fp:1")]})


# Rendering ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "zone", "expected"),
    [
        pytest.param(
            "2026-05-02T09:20:00+00:00", "America/New_York", "2026-05-02 09:20 UTC (05:20 EDT)", id="same day"
        ),
        pytest.param(
            "2026-05-02T01:20:00+00:00",
            "America/New_York",
            "2026-05-02 01:20 UTC (2026-05-01 21:20 EDT)",
            id="day before",
        ),
        pytest.param("2026-05-02T09:20:00+02:00", "UTC", "2026-05-02 07:20 UTC", id="no zone of its own"),
    ],
)
def test_times_are_shown_in_both_zones(moment: str, zone: str, expected: str) -> None:
    one = template("It was at {{ a | when }}.", "{a: {type: time}}")

    _, text = render(one, fill(one, NAMES, {"a": moment}), zone)

    assert text == f"It was at {expected}.\n"


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("2026-05-02T09:20:00+00:00", "By 2026-05-02 09:20 UTC: done."),
        ("within an hour", "Within an hour: done."),
        ("from now on", "From now on: done."),
        ("the next update", "By the next update: done."),
        (LATER, "By 2026-05-03 10:00 UTC: done."),
    ],
)
def test_what_is_due_may_be_a_time_or_words(by: Any, expected: str) -> None:
    one = template("{{ a[0].by | due | first_up }}: done.", "{a: {type: list}}")

    assert render(one, {"a": [{"by": by}]})[1] == expected + "\n"


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"organisation.time_zone: There is no time zone 'Mars/Base'"):
        render(template("x"), {}, "Mars/Base")


def test_an_unknown_fact_renders_as_its_sentence() -> None:
    document = notice("The use is {{ a }}.", "{a: {type: text}}", {"a": Unknown("the log is read", LATER)})

    assert (
        "The use is not known yet (the log is read; next update by 2026-05-03 10:00 UTC (06:00 EDT))." in document.text
    )


def test_a_document_is_signed_by_subject_and_text() -> None:
    document = notice("Hello.")

    assert document.digest == digest_of("A note", "Hello.\n") != digest_of("A noteH", "ello.\n")


def test_a_documents_fields_are_plain_and_redacted() -> None:
    redactor = Redactor([Secret("hunter2-hunter2", "fp:9")])
    given = {
        "a": "2026-05-02T09:20:00+00:00",
        "b": {"k": "safe"},
        "c": Unknown("hunter2-hunter2 leaked", LATER),
    }
    one = template("{{ a }}{{ b.k }}{% if c %}{% endif %}", "{a: {type: time}, b: {type: mapping}, c: {type: text}}")

    document = render_notice(one, NAMES, given, redactor)

    assert document.fields == {
        "a": "2026-05-02T09:20:00+00:00",
        "b": {"k": "safe"},
        "c": {"unknown": "<secret fp:9> leaked", "next_update_at": "2026-05-03T10:00:00+00:00"},
    }


# The scan -----------------------------------------------------------------------------------------

ALLOWED = "https://127.0.0.1:8123/claim/1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It is ghp_" + "a1B2" * 9 + ".", "looks like a credential", id="an unknown credential"),
        pytest.param("See https://wiki.corp.internal/x.", "inside address 'wiki.corp.internal'", id="inside host"),
        pytest.param("See http://localhost:80/x.", "inside address 'localhost'", id="loopback name"),
        pytest.param("See http://gateway/x.", "inside address 'gateway'", id="bare host"),
        pytest.param("See http://[::1]/x.", "inside address '::1'", id="loopback v6"),
        pytest.param("It came from 10.1.2.3.", "inside address '10.1.2.3'", id="inside address"),
        pytest.param("It was db1.prod.internal.", "inside address 'db1.prod.internal'", id="inside name"),
        pytest.param("We write again tomorrow.", "says 'tomorrow'", id="relative day"),
        pytest.param("We write again Shortly.", "says 'Shortly'", id="relative time"),
        pytest.param("It will be resolved within 2 hours.", "estimates when it is over", id="estimate"),
        pytest.param("We expect this to be fixed.", "estimates when it is over", id="expectation"),
        pytest.param("The ETA is unclear.", "estimates when it is over", id="eta"),
        pytest.param("We take your security very seriously.", "no text of ours says", id="seriously"),
        pytest.param("Out of an abundance of caution.", "no text of ours says", id="caution"),
        pytest.param("It was an isolated incident.", "no text of ours says", id="isolated"),
        pytest.param("This had no impact.", "no text of ours says", id="no impact"),
        pytest.param("It was human error.", "no text of ours says", id="human error"),
        pytest.param("Mistakes were made.", "no text of ours says", id="passive"),
        pytest.param("It is forbidden fruit.", "no text of ours says", id="the template's own"),
        pytest.param("There is no evidence of use.", "what the logs cover", id="clean bill"),
        pytest.param("Dear <NAME>!", "blank left", id="placeholder"),
        pytest.param("One " * 26 + "end.", "first sentence of 27 words", id="long beginning"),
        pytest.param("Dear Mina,\n\n" + "One " * 26 + "end.", "first sentence of 27 words", id="greeting"),
        pytest.param("Hi.\n\n" + "One " * 31 + "end.", "a sentence of 32 words", id="long sentence"),
        pytest.param("Hi.\n\n" + "One two three four five. " * 16, "a paragraph of 80 words", id="long paragraph"),
        pytest.param("Ben Adler did this.", "names 'Ben Adler'", id="another holder"),
        pytest.param("Ask ben@x.example.", "names 'ben@x.example'", id="another holder's address"),
        pytest.param("Ask third@x.example.", "names 'third@x.example'", id="another recipient"),
        pytest.param("Ask Dana Reyes.", "names 'Dana Reyes'", id="a colleague who is in no field"),
    ],
)
def test_a_text_that_may_not_leave_is_refused(text: str, expected: str) -> None:
    names = {"incident": {**NAMES["incident"], "credential": {"holders": HOLDERS}}}

    with pytest.raises(DocumentError) as caught:
        notice(
            "{{ a }}{% if holder %}{% endif %}",
            '{a: {type: text}, holder: {type: person, from: "${{ item }}"}}',
            {"a": text},
            names=names,
            external="true",
            more="forbid: [forbidden]\n",
            known_bad=["third@x.example"],
        )

    assert [problem for problem in problems_of(caught) if expected in problem], problems_of(caught)


@pytest.mark.parametrize(
    "text",
    [
        f"Collect it at {ALLOWED}.",
        "See https://lab.example/today/soon.",
        "It came from 93.184.216.34.",
        "It went to https://10.0.0.7/x.",
        "Mina Okafor, this is yours.",
        "The sooner the better, monsoon or not.",
        "At 2026-05-02 09:20 UTC (05:20 EDT) " + "one " * 22 + "end.",
        "One " * 24 + "end.",
    ],
)
def test_a_text_that_may_leave_does(text: str) -> None:
    names = {
        "facts": {"allowed_hosts": ["10.0.0.7"]},
        "incident": {"id": "i", "credential": {"holders": HOLDERS}},
    }
    fields = '{a: {type: text}, b: {type: link}, holder: {type: person, from: "${{ item }}"}}'
    body = "{{ a }}{% if b and holder %}{% endif %}"

    document = notice(body, fields, {"a": text, "b": ALLOWED}, names=names, external="true")

    assert document.text == text + "\n"


def test_a_clean_bill_stands_beside_what_the_logs_cover() -> None:
    fields = "{a: {type: text}, log_coverage: {type: text}}"
    given = {"a": "There is no evidence of use.", "log_coverage": "all requests from 06:00 to 09:31 UTC"}

    assert "no evidence of use" in notice("{{ a }}", fields, given).text


def test_inside_addresses_may_go_to_people_inside() -> None:
    assert notice("See https://wiki.corp.internal/x.").text


def test_a_known_secret_is_found_in_any_form_and_not_repeated() -> None:
    value = "s3cr3t/value+with=signs"

    with pytest.raises(DocumentError, match="holds a secret") as caught:
        notice(
            "{{ a }}",
            "{a: {type: text}}",
            {"a": value.encode().hex()},
            redactor=Redactor([Secret(value, "fp:1")]),
        )

    assert value not in str(caught.value)
    assert value.encode().hex() not in str(caught.value)


def test_all_that_keeps_a_text_from_leaving_is_said_at_once() -> None:
    with pytest.raises(DocumentError) as caught:
        notice("Today we take security seriously at http://localhost/.", external="true")

    assert len(problems_of(caught)) == 3


def test_a_subject_of_two_lines_is_refused() -> None:
    text = HEAD + "channel: email\nsubject: '{{ a }}'\nfields: {a: {type: text}}\n---\nhi\n"

    with pytest.raises(DocumentError, match="a subject of more than one line"):
        render_notice(parse_template(text, "note.md.j2"), NAMES, {"a": "x\nBcc: y@z.example"}, Redactor())


def test_a_text_with_too_many_lines_is_refused() -> None:
    with pytest.raises(DocumentError, match="has 3 lines; 2 are allowed"):
        notice("a\nb\nc", more="most_lines: 2\n")


def test_three_hundred_notices_take_a_moment() -> None:
    one = template(
        "{{ a }} is fine for {{ holder.name }}.",
        '{a: {type: text}, holder: {type: person, from: "${{ item }}"}}',
    )
    holders = [{"id": f"h{n}", "name": f"Mina Okafor{n}", "email": f"h{n}@x.example"} for n in range(300)]
    names = {**NAMES, "incident": {"credential": {"holders": holders}}}
    began = time.monotonic()

    texts = {render_notice(one, {**names, "item": item}, {"a": "This"}, Redactor()).text for item in holders}

    assert len(texts) == 300
    assert time.monotonic() - began < 3
