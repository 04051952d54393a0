"""Commands of the user's own: their blanks, their marks, and what happens without `show`."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cases.command import NEW, SITE, delivered, marked, working
from provider_bench import bench_of
from pydantic import ValidationError

from responder.action import Change, Unchanged, Verdict
from responder.credential import Deliver
from responder.errors import Denied, OutcomeUnknown, ProviderError, Unavailable
from responder.providers.command import PROVIDER
from responder.providers.command.client import Options
from responder.providers.command.delivering import AskByCommand, DeliverByCommand, DeliverUnseen
from responder.registry import Registry
from responder.resolve import _class
from responder.settings import Consumer
from responder.testing.bench import Bench
from responder.testing.loopback import Trouble

NOTHING = Change("", "", "")


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of("command") as made:
        yield made


def set_options(bench: Bench, **options: Any) -> None:
    bench.live.connection = bench.live.connection.model_copy(update=options)


def delivery(bench: Bench, kind: type[Any] = DeliverByCommand, value: str = NEW) -> Any:
    return delivered(kind, value)(bench.live, bench.secret)


def script(bench: Bench, text: str) -> str:
    path = Path(bench.live.path) / "other"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


def test_the_value_reaches_the_consumers_place_with_its_mark(bench: Bench) -> None:
    action = delivery(bench)
    outcome = action.apply(bench.client(may_write=True), action.plan(bench.client()))

    assert NEW == (bench.live.path / "value").read_text()
    assert f"site/token {outcome.facts['marker']}\n" == (bench.live.path / "writes").read_text()
    assert outcome.facts["marker"].startswith("run-1f2e3d4c5b6a-")
    assert marked(bench.live, action.value) == outcome.facts["marker"]


def test_another_value_has_another_mark(bench: Bench) -> None:
    delivery(bench).apply(bench.client(may_write=True), NOTHING)

    assert isinstance(delivery(bench).plan(bench.client()), Unchanged)
    assert isinstance(delivery(bench, value="new-" + "Rt5y" * 7).plan(bench.client()), Change)


def test_a_mark_needs_no_quotes_anywhere(bench: Bench) -> None:
    mark = delivery(bench).apply(bench.client(may_write=True), NOTHING).facts["marker"]

    assert mark.replace("-", "").isalnum()
    assert mark.isascii()
    assert len(mark) <= 63


def test_the_mark_is_the_same_for_every_try(bench: Bench) -> None:
    first, second = (delivery(bench).plan(bench.client()) for _ in range(2))

    assert first == second


def test_a_lost_answer_is_found_by_its_mark(bench: Bench) -> None:
    bench.live.misbehave(Trouble.ANSWER_LOST)
    bench.failing(OutcomeUnknown, lambda: delivery(bench).apply(bench.client(may_write=True), NOTHING))

    assert isinstance(delivery(bench).plan(bench.client()), Unchanged)
    assert bench.live.writes() == 1


def test_a_show_that_repeats_the_value_shows_nothing(bench: Bench) -> None:
    set_options(bench, show=(script(bench, f"echo {NEW}"),))
    change = delivery(bench).plan(bench.client())

    assert "not shown" in change.before
    bench.nowhere(change)


def test_a_silent_show_proves_nothing(bench: Bench) -> None:
    action = delivery(bench)
    bench.live.misbehave(Trouble.UNAVAILABLE)

    assert action.verify(bench.client(), NOTHING) is Verdict.UNKNOWN


@pytest.mark.parametrize("shown", [True, False])
def test_what_cannot_be_shown_is_asked_of_a_person(bench: Bench, shown: bool) -> None:
    if not shown:
        set_options(bench, show=())
    kind = _class("credential.deliver", bench.live.connection, SimpleNamespace(registry=Registry()))  # type: ignore[arg-type]

    assert kind is (DeliverByCommand if shown else DeliverUnseen)
    assert kind.readback is shown
    assert issubclass(kind, Deliver)


def test_without_show_a_plan_does_not_say_that_it_is_done(bench: Bench) -> None:
    set_options(bench, show=())
    delivery(bench, DeliverUnseen).apply(bench.client(may_write=True), NOTHING)
    change = delivery(bench, DeliverUnseen).plan(bench.client())

    assert "not known" in change.before


def test_the_test_is_offered_where_it_is_described(bench: Bench) -> None:
    assert Registry().offers(bench.live.connection) == {"deliver", "test_consumer"}

    set_options(bench, test=())

    assert Registry().offers(bench.live.connection) == {"deliver"}


def test_a_consumer_that_does_not_work_yet_is_asked_again(bench: Bench) -> None:
    action: Any = AskByCommand(consumer=SITE, key_id="k_1")
    bench.failing(Unavailable, lambda: action.read(bench.client()))

    assert working(bench.live, bench.secret).read(bench.client()).facts["key_id"] == "k_1"  # type: ignore[attr-defined]


def test_a_test_that_is_not_given_the_key_cannot_speak_of_it(bench: Bench) -> None:
    working(bench.live, bench.secret)
    set_options(bench, test=bench.live.connection.options["test"][:2])
    action: Any = AskByCommand(consumer=SITE, key_id="k_1")

    assert action.read(bench.client()).facts["key_id"] == ""


@pytest.mark.parametrize("secret", ["--help", "-x", "a\nb", "a\x1bb"])
def test_a_name_that_could_be_an_option_is_refused(bench: Bench, secret: str) -> None:
    consumer = Consumer(id="site", connection="command", secret=secret)
    action: Any = DeliverByCommand(consumer=consumer, value=bench.secret(NEW))
    bench.failing(ProviderError, lambda: action.apply(bench.client(may_write=True), NOTHING))

    assert bench.live.writes() == 0


def test_other_braces_stay_as_they_are(bench: Bench) -> None:
    path = bench.live.path / "words"
    set_options(bench, deliver=(script(bench, f'echo "$1 $2" > {path}'), "{{.Data}} {x} ${name}", "{consumer}={name}"))
    delivery(bench).apply(bench.client(may_write=True), NOTHING)

    assert path.read_text() == "{{.Data}} {x} $site/token site=site/token\n"


@pytest.mark.parametrize("blank", ["value", "secret", "token"])
def test_a_value_among_the_words_is_refused_before_anything_runs(blank: str) -> None:
    with pytest.raises(ValidationError, match="standard input"):
        Options(deliver=("vault", f"--x={{{blank}}}"))


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "A B", ""])
def test_a_variable_with_a_meaning_of_its_own_does_not_hold_the_value(name: str) -> None:
    with pytest.raises(ValidationError):
        Options(deliver=("x",), value_in=name)


def test_responders_own_variables_are_never_handed_on() -> None:
    with pytest.raises(ValidationError, match="responder's own"):
        Options(deliver=("x",), environment=("RESPONDER_SEALING_KEY",))


def test_a_command_sees_the_variables_that_are_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "seen")
    monkeypatch.setenv("OTHERS", "unseen")
    path = bench.live.path / "seen"
    set_options(bench, deliver=(script(bench, f"env > {path}"),), environment=("OURS", "NOT_THERE"))
    delivery(bench).apply(bench.client(may_write=True), NOTHING)

    assert {line.partition("=")[0] for line in path.read_text().splitlines()} - {"PWD", "_", "SHLVL"} == {
        "PATH",
        "OURS",
    }


def test_a_value_is_in_a_variable_only_where_that_is_asked_for(bench: Bench) -> None:
    path = bench.live.path / "seen"
    command = script(bench, f'printf %s "$TOKEN" > {path}; cat >> {path}')
    set_options(bench, deliver=(command,))
    delivery(bench).apply(bench.client(may_write=True), NOTHING)
    once = path.read_text()
    set_options(bench, deliver=(f"{bench.live.path}/other",), value_in="TOKEN")
    change = delivery(bench).plan(bench.client())
    delivery(bench).apply(bench.client(may_write=True), NOTHING)

    assert [NEW, NEW] == [once, path.read_text()]
    assert "variable TOKEN" in change.breaks


def test_the_account_is_what_whoami_prints_else_the_login_and_the_host(bench: Bench) -> None:
    assert PROVIDER.identify(bench.client()).account == "prod"

    set_options(bench, whoami=())

    assert PROVIDER.identify(bench.client()).account.endswith(f"@{os.uname().nodename}")


def test_a_right_that_is_missing_is_named(bench: Bench) -> None:
    bench.live.misbehave(Trouble.DENIED)
    error = bench.failing(Denied, lambda: delivery(bench).apply(bench.client(may_write=True), NOTHING))

    assert "`deliver` command needs" in error.remedy
