"""responder.yaml: no value of a secret, no reference into nothing, and every holder exactly once."""

from pathlib import Path

import pytest

from responder.errors import SettingsError
from responder.redaction import Redactor
from responder.sealing import Sealer
from responder.settings import Settings, load_settings, open_secret

HEAD = "people: {hal: {name: Hal, os_user: hal}}\nconnections: {gate: {provider: http}}\n"
ENTRY = HEAD + "inventory:\n  - {id: shared, connection: gate, key_id: k1, holders_file: holders.csv}\n"


def written(tmp_path: Path, text: str, holders: str | bytes = "") -> Path:
    path = tmp_path / "responder.yaml"
    path.write_text(text, encoding="utf-8")
    (tmp_path / "holders.csv").write_bytes(holders if isinstance(holders, bytes) else holders.encode())
    return path


def problems(tmp_path: Path, text: str, holders: str | bytes = "") -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(written(tmp_path, text, holders))
    return str(caught.value)


TOKEN = "hf_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            HEAD + f"facts: {{note: 'use {TOKEN}'}}",
            "responder.yaml:3:15: facts.note seems to hold a credential",
            id="a token in a text",
        ),
        pytest.param(
            f"connections: {{hub: {{provider: huggingface, secret: {TOKEN}}}}}",
            "name its place: env:NAME, file:PATH or keyring:NAME",
            id="a token as secret",
        ),
        pytest.param(
            "connections: {hub: {provider: huggingface, secret: swordfish}}",
            "connections.hub.secret",
            id="a password as secret",
        ),
        pytest.param(
            "connections: {hub: {provider: huggingface, api_token: [" + TOKEN + "]}}",
            "seems to hold a credential",
            id="a token in a provider's own field",
        ),
        pytest.param(
            HEAD + "inventory: [{id: a, connection: nowhere, key_id: k}]",
            "unknown connection 'nowhere'",
            id="an unknown connection",
        ),
        pytest.param(
            HEAD + "inventory: [{id: a, connection: gate, key_id: k, owner: nobody}]",
            "unknown person 'nobody'",
            id="an unknown owner",
        ),
        pytest.param(
            HEAD + "inventory: [{id: a, connection: gate, key_id: k, holders: [{id: h, person: hall}]}]",
            "unknown person 'hall'",
            id="a holder who is nobody",
        ),
        pytest.param(
            HEAD + "inventory: [{id: a, connection: gate, key_id: k, holders: [{id: h}, {id: h}]}]",
            "two holders of 'a'",
            id="a holder twice",
        ),
        pytest.param(
            HEAD + "inventory: [{id: a, connection: gate}]",
            "cannot be recognised",
            id="an entry that cannot be recognised",
        ),
        pytest.param(
            HEAD + "inventory: [{id: a, connection: gate, key_id: k}, {id: a, connection: gate, key_id: l}]",
            "'a' stands twice",
            id="an entry twice",
        ),
        pytest.param(
            "people: {a: {name: A, os_user: root}, b: {name: B, os_user: root}}",
            "the login 'root' speaks for several people",
            id="a login for two",
        ),
        pytest.param("canaries: ['/(/']", "is not a regular expression", id="a canary that is no pattern"),
        pytest.param("conections: {}", "did you mean 'connections'?", id="a misspelt key"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    found = problems(tmp_path, text)

    assert said in found
    assert TOKEN not in found
    assert "swordfish" not in found


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(
            "id,name,email\nh1,Doe, John,j@x.example\n",
            "holders.csv:2:1: this row has more fields",
            id="a comma in a name",
        ),
        pytest.param("id,name\nh1,A\nh1,B\n", "holders.csv:3:1: the holder 'h1' stands twice", id="a holder twice"),
        pytest.param(
            "id,name,person\nh1,Hal,hall\n",
            "holders.csv:2:1: names the unknown person 'hall'",
            id="a link to nobody",
        ),
        pytest.param("id,name,phone\nh1,A,1\n", "holders.csv:2:1: phone", id="a column that nobody knows"),
        pytest.param("name\nA\n", "holders.csv:2:1: id", id="no ids"),
        pytest.param("id,name\n,A\n", "holders.csv:2:1: id", id="an empty id"),
        pytest.param(b"id,name\nh1,\xff\xfe\n", "cannot be read: UnicodeDecodeError", id="another encoding"),
        pytest.param('id,name\nh1,"A\n', "cannot be read: Error", id="an open quote"),
    ],
)
def test_a_file_of_holders_says_what_it_seems_to_say(tmp_path: Path, rows: str | bytes, said: str) -> None:
    assert said in problems(tmp_path, ENTRY, rows)


def test_a_file_of_holders_as_a_spreadsheet_writes_it(tmp_path: Path) -> None:
    rows = '\ufeffid,name,email,person\r\nh1,"Doe, Jane", jane@x.example ,\r\nh2,Hal,,hal\r\n'.encode()

    holders = load_settings(written(tmp_path, ENTRY, rows)).inventory[0].holders

    assert [("h1", "Doe, Jane", "jane@x.example", ""), ("h2", "Hal", "", "hal")] == [
        (one.id, one.name, one.email, one.person) for one in holders
    ]


def test_a_missing_file_of_holders_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, ENTRY)
    (tmp_path / "holders.csv").unlink()

    with pytest.raises(SettingsError, match="holders of 'shared' cannot be read"):
        load_settings(path)


def test_without_a_file_everything_is_empty(tmp_path: Path) -> None:
    assert Settings() == load_settings(None)
    assert Settings() == load_settings(written(tmp_path, "# nothing yet\n"))


def test_a_login_speaks_for_its_person_and_nobody_for_an_empty_one() -> None:
    settings = Settings.model_validate({"people": {"hal": {"name": "Hal", "os_user": "hal"}, "ann": {"name": "Ann"}}})

    assert ("hal", "", "") == (settings.person_of("hal"), settings.person_of("ann"), settings.person_of(""))


@pytest.mark.parametrize("reference", ["env:MISSING", "env:EMPTY", "file:/nowhere/at/all"])
def test_a_secret_that_is_missing_is_told_by_its_place(reference: str) -> None:
    with pytest.raises(SettingsError, match="missing or empty"):
        open_secret(reference, Sealer(b"k" * 32, Redactor()), {"EMPTY": " \n"})


def test_a_secret_is_read_without_the_line_break_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("swordfish-42\n")
    sealer = Sealer(b"k" * 32, Redactor())

    assert "swordfish-42" == open_secret(f"file:{tmp_path}/token", sealer).reveal()
    assert "<secret" in sealer.redactor.scrub("it is swordfish-42")
