"""Secrets show a fingerprint wherever they are shown, and leave in no form."""

import base64
import copy
import html
import json
import os
import pickle
import shlex
import traceback
from urllib.parse import quote, quote_plus

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from responder.errors import SettingsError
from responder.redaction import _PLAIN, Redactor, Secret, _escaped_forms, looks_like_credential
from responder.sealing import Sealer

VALUE = "p@ss w/ord+&<\"'\\é" + "kQ7" * 6


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(os.urandom(32), Redactor())


@pytest.fixture
def secret(sealer: Sealer) -> Secret:
    return sealer.secret(VALUE)


class Holding(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)
    secret: Secret
    number: int = 0


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(str, id="str"),
        pytest.param(repr, id="repr"),
        pytest.param(lambda secret: f"{secret}", id="f-string"),
        pytest.param(lambda secret: f"{secret:>90}", id="format"),
        pytest.param(lambda secret: "%s" % secret, id="percent"),  # noqa: UP031 - the form is what is tested
        pytest.param(lambda secret: json.dumps({"a": secret}, default=str), id="json"),
        pytest.param(lambda secret: pickle.dumps(secret).decode("latin-1"), id="pickle"),
        pytest.param(lambda secret: str(copy.deepcopy(secret)), id="copy"),
        pytest.param(lambda secret: Holding(secret=secret).model_dump_json(), id="pydantic json"),
        pytest.param(lambda secret: repr(Holding(secret=secret)), id="pydantic repr"),
        pytest.param(lambda secret: str([secret, {"k": secret}]), id="in a list"),
    ],
)
def test_a_secret_shows_its_fingerprint(secret: Secret, show: object) -> None:
    shown = show(secret)  # type: ignore[operator]

    assert "kQ7" not in shown
    assert secret.fingerprint in shown


def test_a_validation_error_and_a_traceback_hide_it(secret: Secret) -> None:
    with pytest.raises(ValidationError) as caught:
        Holding.model_validate({"secret": VALUE, "number": "x"})

    assert "kQ7" not in "".join(traceback.format_exception(caught.value))


FORMS = {
    "raw": VALUE,
    "json": json.dumps(VALUE),
    "json unicode": json.dumps(VALUE, ensure_ascii=False),
    "url": quote(VALUE, safe=""),
    "url path": quote(VALUE),
    "form": quote_plus(VALUE),
    "html": html.escape(VALUE),
    "shell": shlex.quote(VALUE),
    "repr": repr(VALUE),
    "hex": VALUE.encode().hex(),
    "HEX": VALUE.encode().hex().upper(),
    "base64": base64.b64encode(VALUE.encode()).decode(),
    "base64 one in": base64.b64encode(b"a" + VALUE.encode()).decode(),
    "base64 two in": base64.b64encode(b"ab" + VALUE.encode() + b"c").decode(),
    "base64 url": base64.urlsafe_b64encode(VALUE.encode()).decode(),
}


@pytest.mark.parametrize("others", [0, 300], ids=["alone", "among many secrets"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_is_struck_out(sealer: Sealer, secret: Secret, form: str, others: int) -> None:
    for number in range(others):  # so many forms that each text is looked up, and not each form
        sealer.secret(f"another-value-{number}")

    scrubbed = sealer.redactor.scrub(f"before {form} after")

    assert form not in scrubbed
    assert secret.fingerprint in scrubbed
    assert scrubbed.startswith("before ")
    assert scrubbed.endswith(" after")


def test_each_long_line_of_a_value_with_lines_is_struck_out(sealer: Sealer) -> None:
    lines = [("Ab3" * 20)[n : n + 40] for n in range(3)]
    sealer.secret("-----BEGIN X-----\n" + "\n".join(lines) + "\n-----END X-----")

    scrubbed = sealer.redactor.scrub(" ".join(lines))

    assert not any(line in scrubbed for line in lines)


@pytest.mark.parametrize("others", [0, 300], ids=["alone", "among many secrets"])
@pytest.mark.parametrize(
    "form",
    [
        pytest.param("leaked-kQ7\nkQ7-kQ7kQ7-kQ7", id="a terminal's"),
        pytest.param("leaked-kQ7\r\n    kQ7-kQ7k\r\n    Q7-kQ7", id="a mail's, with a margin"),
        pytest.param("bGVha2VkLWtRN2tR\nNy1rUTdrUTcta1E3", id="base64 in lines"),
        pytest.param("six words that\nnobody else knows kQ7", id="where a space was"),
    ],
)
def test_a_value_that_was_broken_into_lines_is_struck_out(sealer: Sealer, form: str, others: int) -> None:
    for number in range(others):
        sealer.secret(f"another-value-{number}")
    secrets = sealer.secret("leaked-kQ7kQ7-kQ7kQ7-kQ7"), sealer.secret("six words that nobody else knows kQ7")

    scrubbed = sealer.redactor.scrub(f"it is:\n{form}\nin the log\n")

    assert scrubbed in {f"it is:\n{secret}\nin the log\n" for secret in secrets}


def test_lines_that_hold_no_value_stay_as_they_are(sealer: Sealer) -> None:
    sealer.secret("short-1")
    text = "a short\n-1 line\n\n  and  another\n"

    assert text == sealer.redactor.scrub(text)


def test_the_longest_form_is_struck_out_first(sealer: Sealer) -> None:
    sealer.secret("abcdefgh")
    longer = sealer.secret("abcdefghijkl")

    assert str(longer) == sealer.redactor.scrub("abcdefghijkl")


def test_a_short_value_is_struck_out_among_many_secrets(sealer: Sealer) -> None:
    short = sealer.secret("k9#")
    for number in range(300):
        sealer.secret(f"another-value-{number}")

    assert f"pin {short}!" == sealer.redactor.scrub("pin k9#!")
    assert str(short) == sealer.redactor.scrub("k9#")
    assert "k9#" not in sealer.redactor.scrub("pin k9# and another-value-7")


def test_secrets_that_begin_alike_are_told_apart_among_many(sealer: Sealer) -> None:
    secrets = [sealer.secret(f"token-{'x' * (number % 7)}{number}") for number in range(300)]

    scrubbed = sealer.redactor.scrub(" ".join(f"token-{'x' * (number % 7)}{number}" for number in range(300)))

    assert " ".join(map(str, secrets)) == scrubbed


def test_data_is_scrubbed_in_keys_and_depths(sealer: Sealer, secret: Secret) -> None:
    data = sealer.redactor.scrub_data({VALUE: [{"x": (VALUE, 3, None, True)}]})

    assert {str(secret): [{"x": [str(secret), 3, None, True]}]} == data


def test_equal_values_have_equal_fingerprints_and_other_keys_others(sealer: Sealer) -> None:
    assert sealer.secret("some value") == sealer.secret("some value")
    assert sealer.fingerprint("some value") != Sealer(os.urandom(32), Redactor()).fingerprint("some value")


def test_a_key_that_is_no_key_is_refused() -> None:
    with pytest.raises(SettingsError):
        Sealer(b"short", Redactor())


@pytest.mark.parametrize(
    ("text", "whose"),
    [
        ("hf_" + "a" * 34, "huggingface"),
        ("ghp_" + "A" * 36, "github"),
        ("xoxb-" + "1" * 24, "slack"),
        ("a note about hf_ tokens", None),
        ("AKIA" + "Q" * 16 + ":" + "nEw/" * 10, "aws"),
        ("AKIA" + "Q" * 16 + " and, a line below,\n" + "nEw/" * 10, "aws"),
        ("the access key AKIA" + "Q" * 16 + " of deploy is another way in", None),
        ("AKIA" + "Q" * 16 + " in the commit " + "5b1e" * 10, None),
    ],
)
def test_known_shapes_are_recognised(text: str, whose: str | None) -> None:
    assert whose == looks_like_credential(text)


MORE_FORMS = {
    "bytes": repr(VALUE.encode())[2:-1],
    "html of a template": html.escape(VALUE).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    "url in small letters": quote(VALUE, safe="")
    .replace("%2F", "%2f")
    .replace("%2B", "%2b")
    .replace("%3C", "%3c")
    .replace("%5C", "%5c")
    .replace("%C3%A9", "%c3%a9"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "form"),
    [
        pytest.param(
            "https://hooks.example/T0/B0/kQ7kQ7", r"https:\/\/hooks.example\/T0\/B0\/kQ7kQ7", id="JSON of PHP"
        ),
        pytest.param('kQ7kQ7/"x"+y', r"kQ7kQ7\/\"x\"+y", id="JSON of PHP with more"),
        pytest.param("kQ7kQ7&x<y>'z+1", r"kQ7kQ7\u0026x\u003cy\u003e'z+1", id="JSON of Go"),
        pytest.param("kQ7kQ7&x<y>'z+1", r"kQ7kQ7\u0026x\u003Cy\u003E\u0027z\u002B1", id="JSON of .NET"),
        pytest.param("kQ7kQ7/+!(1)*~'", "kQ7kQ7%2F%2B!(1)*~'", id="encodeURIComponent"),
        pytest.param("kQ7kQ7 +!(1)*~'", "kQ7kQ7+%2B%21%281%29*%7E%27", id="a browser's form"),
        pytest.param("kQ7kQ7/ +", "kQ7kQ7/%20%2b", id="a path in small letters"),
        pytest.param("kQ7kQ7/ +", "kQ7kQ7%2f+%2b", id="a form in small letters"),
    ],
)
def test_a_value_as_other_languages_escape_it_is_struck_out(sealer: Sealer, value: str, form: str) -> None:
    sealer.secret(value)

    assert "kQ7kQ7" not in sealer.redactor.scrub(f"before {form} after")


@pytest.mark.parametrize("form", MORE_FORMS.values(), ids=MORE_FORMS.keys())
def test_forms_that_other_tools_write_are_struck_out(sealer: Sealer, secret: Secret, form: str) -> None:
    assert "kQ7kQ7" not in sealer.redactor.scrub(f"before {form} after")


def test_a_secret_that_looks_like_a_number_is_struck_out_of_data(sealer: Sealer) -> None:
    secret = sealer.secret("4829113377")

    assert {"code": str(secret), "other": 4829113378} == sealer.redactor.scrub_data(
        {"code": 4829113377, "other": 4829113378}
    )


def test_half_a_character_is_no_reason_to_fail(sealer: Sealer) -> None:
    secret = sealer.secret("half-\ud800-" + "z" * 9)

    assert secret == sealer.unseal(sealer.seal(secret, "b"), "b")


def test_what_is_taken_for_plain_is_the_same_in_every_notation() -> None:
    plain = [chr(number) for number in range(0x250) if _PLAIN.fullmatch(chr(number))]

    assert len(plain) > 60
    assert all({f"a{one}b"} == set(_escaped_forms(f"a{one}b")) for one in plain)
