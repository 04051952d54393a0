"""What a scenario says: a finding, what everybody and everything answers, and what must come of it."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from responder.durations import Duration
from responder.settings import Name

Words = tuple[str, ...]
BECAUSE = "because the scenario says so"
"""The reason of whoever is given none."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


# What is found ---------------------------------------------------------------------------------------------------


class Found(_Model):
    """Where the credential was seen, and whose it is."""

    exposure: Literal["public", "private", "unknown"] = "public"
    """Who could see it."""
    url: str = "https://pages.example/post"
    """Its address."""
    place: str = "a public page"
    """The place in words."""
    exposed_for: Duration = timedelta(minutes=17)
    """How long it had been there when we learned of it."""
    covered_for: Duration | None = None
    """How long the press had been writing about it by then; nothing where it has not."""
    value: bool = True
    """Whether the finding holds the value, and not the id alone."""


class Leaked(_Model):
    """A credential as it is when the scenario begins."""

    ownership: Literal["ours", "canary", "not-ours"] = "ours"
    """Whose it is; a canary is ours, and laid out to be found."""
    provider: str = ""
    """Who issued it. Nothing: the provider that the playbook's `match` names, else one that offers every verb."""
    kind: str = "key"
    """What `match` may ask for."""
    shared: bool = False
    """Whether several people hold the same value."""
    holders: int = Field(default=0, ge=0, le=2000)
    """How many people hold it: `holder-1`, `holder-2`, ..."""
    consumers: int = Field(default=0, ge=0, le=200)
    """In how many places it is used: `consumer-1`, ..."""
    state: Literal["live", "disabled", "dead"] = "live"
    """How it is doing."""
    sessions: int | None = Field(default=None, ge=0)
    """How many sessions that were opened with it are open. Nothing: one where the playbook can end them,
    else none."""
    propagation: Duration = timedelta(seconds=30)
    """How long its issuer takes to make its end known everywhere."""
    cannot: Words = ()
    """The `credential` verbs that its issuer does not offer."""


class Other(Leaked):
    """Another credential of the incident, that a step finds on its way."""

    exposure: Literal["public", "private", "unknown"] | None = None
    """Who could see it where it is found. Nothing: as many as could see the first."""


# What is answered ------------------------------------------------------------------------------------------------

_LOOK = re.compile(r"([a-z]+(?:[ -][a-z]+|-\d+)*?)(?: x (\d+))?")


def _shorthand(value: Any) -> Any:
    """Read one word for what most often goes wrong: `unavailable`, `denied`, `defect`, `lost`, `unchanged`."""
    words = {"lost": {"lost": "done"}, "unchanged": {"unchanged": "it is so already"}}
    return words.get(value, {"fails": value}) if isinstance(value, str) else value


class Act(_Model):
    """What a system answers to one step, where that is not what goes well by itself."""

    facts: dict[str, Any] = {}
    """What is known once the step has ended; added to what its action ordinarily tells. A sweep is given its `doors`,
    and what is `unseen`, and tells what is new and unresolved, and whether it is complete, by itself."""
    unchanged: str = ""
    """There is nothing to change, for this reason."""
    fails: Literal["unavailable", "denied", "defect"] | None = None
    """It fails: it may be tried again, our permission is missing, or the provider's own code breaks."""
    lost: Literal["done", "not-done"] | None = None
    """The answer to the write is lost; whether it took effect all the same."""
    holds: bool = True
    """False: it is accepted, and reading back does not show it; or the last look is a bad one."""
    at: Literal["plan", "apply", "verify"] | None = None
    """When it fails. Nothing: `unavailable` at the first request, all else when something is written."""
    times: int | None = Field(default=None, ge=1)
    """How often; nothing: whenever it is asked, and once for a lost answer."""
    until: Duration | None = None
    """For how long, from the beginning of the scenario."""
    looks: Words = ()
    """What looking again and again shows, in order: for a proof of death or of a fence `accepted`, `refused` or
    `unknown`, for that of a fence also `stops consumer-1`, each also as `refused x 3`; then it shows what is so."""
    finds: Words = ()
    """The credentials that it finds, by their names under `others`; `leaked` is that of the run."""
    takes: Duration | None = None
    """How long it takes, on the scenario's clock."""
    says: str = ""
    """The words of the failure."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if sum((bool(self.unchanged), self.fails is not None, self.lost is not None, not self.holds)) > 1:
            raise ValueError("`unchanged`, `fails`, `lost` and `holds` exclude one another; write a list of answers")
        if any(_LOOK.fullmatch(look) is None for look in self.looks):
            raise ValueError("a look is a word, or a word and how often: `refused x 3`")
        return self

    @property
    def goes_wrong(self) -> bool:
        """Whether this is used up, as opposed to what is so whenever it is asked."""
        return self.fails is not None or self.lost is not None or not self.holds or bool(self.unchanged)

    def seen(self) -> list[str]:
        """Return the looks one by one."""
        matches = (_LOOK.fullmatch(look) for look in self.looks)
        return [match[1] for match in matches if match for _ in range(int(match[2] or 1))]


OneAct = Annotated[Act, BeforeValidator(_shorthand, json_schema_input_type=Act | str)]


def _said(value: Any) -> Any:
    return {"says": value} if isinstance(value, str) else value


class Reply(_Model):
    """What a person answers to one question."""

    says: str
    """`agree`, `decline`, `done`, `silent`, an option of a decision; `happened` or `not-happened` where an outcome is
    unknown; `continue`, `again` or `stop` at a gate between waves."""
    after: Duration | None = None
    """How long after they were asked. Nothing: one minute for an approval, ten for everything else."""
    by: str = ""
    """Who answers: `ROLE-1` or `ROLE-2`. Nothing: whoever may."""
    reason: str = BECAUSE
    """Why they decline, or what they say that they did."""


OneReply = Annotated[Reply, BeforeValidator(_said, json_schema_input_type=Reply | str)]


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (value,)


Acts = Annotated[tuple[OneAct, ...], BeforeValidator(_listed, json_schema_input_type=OneAct | list[OneAct])]
Replies = Annotated[tuple[OneReply, ...], BeforeValidator(_listed, json_schema_input_type=OneReply | list[OneReply])]


class Later(_Model):
    """What a person does without being asked, at a time of the scenario."""

    after: Duration
    """How long after the scenario began."""
    retry: str = ""
    """The step that they have tried again."""
    abort: str = ""
    """Why they abort the run."""
    set: dict[str, str] = {}
    """The facts that they add or correct."""
    by: str = ""
    """Who does it: `ROLE-1` or `ROLE-2`. Nothing: whoever began the run."""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.retry or self.abort or self.set):
            raise ValueError("nothing is done: give `retry`, `abort` or `set`")
        return self


class Crash(_Model):
    """Where the process that drives the run dies, once; another takes the run over ten seconds later."""

    before_apply: str = Field(default="", alias="before-apply")
    """The step whose intent is written, and nothing sent."""
    after_apply: str = Field(default="", alias="after-apply")
    """The step that took effect, and nothing of it written."""
    after_record: str = Field(default="", alias="after-record")
    """The step whose outcome was just written; of one that only reads, it is about to be."""

    def points(self) -> Mapping[str, str]:
        """Return the instants and their steps."""
        points = {"before-apply": self.before_apply, "after-apply": self.after_apply, "after-record": self.after_record}
        return {point: step for point, step in points.items() if step}


# What must come of it --------------------------------------------------------------------------------------------


class Ending(_Model):
    """How the run stands when nothing moves any more."""

    state: Literal["ended", "halted", "waiting", "aborting", "refused"] | None = None
    """`refused`: a guard refused the run, and nothing was begun."""
    contained: bool | None = None
    """Whether every criterion of the playbook's `exit` holds."""
    exit: int | None = None
    """The exit code of `responder run`."""
    says: str = ""
    """Words that the refusal, or what does not hold, contains."""


def _pair(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value):  # noqa: PLR2004
        return {"before": value[0], "after": value[1]}
    return value


class Order(_Model):
    """Two steps of which the first has ended before the second does anything: written `[kill, dead]`."""

    before: str
    """The step that ends first; `STEP:EVENT` means the last such event of it."""
    after: str
    """The step that then begins; `STEP:EVENT` means the first such event of it."""


OneOrder = Annotated[Order, BeforeValidator(_pair, json_schema_input_type=Order | list[str])]


def _nothing(value: Any) -> Any:
    return {"step": value} if isinstance(value, str) else value


class Never(_Model):
    """Something that does not happen: at all, before a step has ended, or after it has. A step's id alone is enough."""

    step: str = ""
    """A step or item: it does nothing."""
    action: str = ""
    """An action, as the step names it or as a notice is sent by it."""
    template: str = ""
    """The template of a message."""
    to: str = ""
    """Part of the address that a message goes to."""
    event: str = ""
    """An event of the timeline."""
    says: str = ""
    """Part of a message's text."""
    by: str = ""
    """Who decides or says something: `ROLE-1` or `ROLE-2`."""
    before: str = ""
    """Only until this step has ended."""
    after: str = ""
    """Only once this step has ended."""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not any((self.step, self.action, self.template, self.to, self.event, self.says, self.by)):
            raise ValueError("it names nothing: give `step`, `action`, `template`, `to`, `event`, `says` or `by`")
        return self


OneNever = Annotated[Never, BeforeValidator(_nothing, json_schema_input_type=Never | str)]


def _text_or_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Phrases = Annotated[Words, BeforeValidator(_text_or_list, json_schema_input_type=str | list[str])]


class Notice(_Model):
    """A message that was sent or drafted: how often, and what it says."""

    template: str
    """The template that it was made from."""
    to: str = ""
    """Part of the address."""
    count: int | None = Field(default=None, ge=0)
    """How many of them; nothing: at least one."""
    subject: str = ""
    """Part of the subject."""
    says: Phrases = ()
    """Phrases that each of them contains."""
    never_says: Phrases = ()
    """Phrases that none of them contains."""


class Scenario(_Model):
    """One scenario of a playbook."""

    scenario: str
    """What happens, in a few words."""
    finding: Found = Found()
    """Where the credential was seen."""
    credential: Leaked = Leaked()
    """The credential."""
    others: dict[Name, Other] = {}
    """Other credentials, which steps may find: see `finds`. A run about one is named `NAME/step` below."""
    inputs: dict[str, Any] = {}
    """The playbook's inputs; those that are missing are made up, where they are required."""
    facts: dict[str, Any] = {}
    """What responder.yaml would say of us; what templates need and nobody says is made up."""
    audiences: dict[Name, int] = {}
    """How many addresses each list holds; nothing: one."""
    connections: dict[Name, str] = {}
    """Connections that the playbook names only when it runs, with their providers."""
    people: dict[str, Replies] = {}
    """Per step, what people answer when it asks; a list for one question after the other."""
    answers: dict[str, Acts] = {}
    """What systems answer, per `step[item]`, step, action or connection; the first of these that is given counts.
    What asks people or is written into the record reaches no system, and an answer for it is refused."""
    meanwhile: tuple[Later, ...] = ()
    """What people do without being asked."""
    crash: Crash = Crash()
    """Where the process that drives the run dies."""
    expect: Ending = Ending()
    """How it ends."""
    status: dict[str, str] = {}
    """How steps end: `done`, `unchanged`, `skipped`, `declined`, `failed`, `unknown`, `waiting` or `running`."""
    order: tuple[OneOrder, ...] = ()
    """What comes before what."""
    never: tuple[OneNever, ...] = ()
    """What must not happen."""
    notices: tuple[Notice, ...] = ()
    """What people are told."""
    deadlines: dict[str, Literal["pending", "running", "overdue", "met", "late", "off"]] = {}
    """How each deadline stands at the end."""


MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model for model in (Scenario, Found, Leaked, Act, Reply, Later, Crash, Ending, Order, Never, Notice)
}
"""What a scenario's file is made of."""
