"""Messages that are GitHub's, by the examples that GitHub itself publishes."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from responder.providers.github.signatures import verify_partner, verify_webhook

# docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries, "Testing the webhook payload validation"
SECRET, BODY = b"It's a Secret to Everybody", b"Hello, World!"
WEBHOOK = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def key(middle: str) -> str:
    return f"-----BEGIN PUBLIC KEY-----\n{middle}\n-----END PUBLIC KEY-----\n"


# The keys are those of api.github.com/meta/public_keys/secret_scanning, as pypi/warehouse prints them in
# docs/user/api/secrets.md; the messages are the samples of github/docs, "Secret scanning partner program", now and when
# the older key was current.
CURRENT = key(
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd\n"
    "AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw=="
)
OLDER = key(
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq\n"
    "kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA=="
)
SAMPLES = [
    pytest.param(
        CURRENT,
        "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg==",
        b'[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]',
        id="current",
    ),
    pytest.param(
        OLDER,
        "MEQCIAfgjgz6Ou/3DXMYZBervz1TKCHFsvwMcbuJhNZse622AiAG86/cku2XdcmFWNHl2WSJi2fkE8t+auvB24eURaOd2A==",
        b'[{"type":"github_oauth_token","token":"cb4985f91f740272c0234202299f43808034d7f5","url":" https://github.com/'
        b'github/faketestrepo/blob/b0dd59c0b500650cacd4551ca5989a6194001b10/production.env"}]',
        id="older",
    ),
]


def test_the_published_webhook_is_github() -> None:
    assert verify_webhook(SECRET, BODY, WEBHOOK)


@pytest.mark.parametrize(
    ("secret", "body", "header"),
    [
        pytest.param(SECRET, BODY + b"\n", WEBHOOK, id="a line more"),
        pytest.param(b"another", BODY, WEBHOOK, id="another secret"),
        pytest.param(SECRET, BODY, WEBHOOK.removeprefix("sha256="), id="no name of the algorithm"),
        pytest.param(SECRET, BODY, WEBHOOK.upper(), id="capitals"),
        pytest.param(SECRET, BODY, "sha1=" + "0" * 40, id="the old algorithm"),
        pytest.param(SECRET, BODY, "sha256=ü\udc80", id="no ASCII"),
        pytest.param(SECRET, BODY, "", id="nothing"),
    ],
)
def test_any_other_webhook_is_not(secret: bytes, body: bytes, header: str) -> None:
    assert verify_webhook(secret, body, header) is False


@pytest.mark.parametrize(("public", "signature", "body"), SAMPLES)
def test_the_published_report_is_github(public: str, signature: str, body: bytes) -> None:
    assert verify_partner(public, signature, body)
    assert len(SAMPLES[0].values[2]) == 104  # the Content-Length of the published sample


@pytest.mark.parametrize(("public", "signature", "body"), SAMPLES)
def test_a_line_more_is_another_report(public: str, signature: str, body: bytes) -> None:
    assert verify_partner(public, signature, body + b"\n") is False


@pytest.mark.parametrize(("public", "signature", "body"), SAMPLES)
def test_another_key_has_not_signed_it(public: str, signature: str, body: bytes) -> None:
    assert verify_partner(OLDER if public == CURRENT else CURRENT, signature, body) is False


def test_a_signature_is_all_of_what_was_sent() -> None:
    public, signature, body = SAMPLES[0].values

    assert verify_partner(str(public), f"!{signature}", bytes(body)) is False  # type: ignore[arg-type]


def test_another_curve_is_another_algorithm() -> None:
    private = generate_private_key(SECP384R1())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    signature = base64.b64encode(private.sign(b"[]", ECDSA(SHA256()))).decode()

    assert verify_partner(public, signature, b"[]") is False


# Ed25519: whoever chooses the key does not choose the algorithm.
OTHER_KIND = key("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")


@pytest.mark.parametrize(
    ("public", "signature"),
    [
        pytest.param("no PEM", "MEQ=", id="no key"),
        pytest.param(OTHER_KIND, "MEQ=", id="another kind of key"),
        pytest.param(CURRENT, "not base64!", id="no base64"),
        pytest.param(CURRENT, "AAAA", id="no signature"),
        pytest.param(CURRENT, "", id="nothing"),
    ],
)
def test_what_cannot_be_read_is_not_right(public: str, signature: str) -> None:
    assert verify_partner(public, signature, b"[]") is False
