"""A deadline as a playbook says it: from which moment, how long, whose; and when it is due."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from responder.anchors import Anchor, AnchorError, Found, Later, Moments, Submission, find, parts, read_anchor, under
from responder.dates import Calendar, LocalTime, Span, read_local_time, read_span, zone_named
from responder.errors import Problem, SettingsError
from responder.source import Source, nearest


def _anchor(text: object) -> Anchor:
    try:
        return read_anchor(text)
    except AnchorError as error:  # the place inside the text goes on to whoever knows where the text stands
        raise PydanticCustomError("anchor", "{told}", {"told": str(error), "inside": error.place}) from None


class _Text:
    """Says how a field is read from its text; it is written as text again. pydantic need not look into its type."""

    def __init__(self, read: Callable[[object], object]) -> None:
        self._read = read

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read it, and write it as text."""
        written = core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema())
        return core_schema.no_info_plain_validator_function(self._read, serialization=written)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe it as the text that it is in a file."""
        return handler(core_schema.str_schema())


AnchorField = Annotated[Anchor, _Text(_anchor)]
SpanField = Annotated[Span, _Text(read_span)]
LocalTimeField = Annotated[LocalTime, _Text(read_local_time)]


class Deadline(BaseModel):
    """A time that starts at an event and is due at another."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    from_: AnchorField = Field(alias="from")
    within: SpanField | None = None
    by: LocalTimeField | None = None
    zone: str = ""
    holidays: str = ""
    role: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=60)]
    condition: str = Field(default="", alias="if")

    @model_validator(mode="after")
    def _says_how_long(self) -> Self:
        if self.within is not None and self.by is not None:
            raise ValueError("give `within` or `by`, not both")
        if self.within is None and self.by is None and not any(isinstance(one, Later) for one in parts(self.from_)):
            raise ValueError("nothing says how long there is: give `within`, `by`, or a span in `from`")
        if self.zone and not self.needs_zone:
            raise ValueError("`zone` changes nothing here: hours are the same everywhere")
        if self.holidays and not self.needs_business_days:
            raise ValueError("`holidays` changes nothing here: no business days are counted")
        return self

    @property
    def spans(self) -> tuple[Span, ...]:
        """Every span that it counts."""
        inner = tuple(one.span for one in parts(self.from_) if isinstance(one, Later))
        return (*inner, self.within) if self.within else inner

    @property
    def submissions(self) -> tuple[Submission, ...]:
        """The other deadlines from whose fulfilment it counts."""
        return tuple(one for one in parts(self.from_) if isinstance(one, Submission))

    @property
    def needs_zone(self) -> bool:
        """Whether it matters where its days begin."""
        return self.by is not None or not all(span.is_elapsed for span in self.spans)

    @property
    def needs_business_days(self) -> bool:
        """Whether it counts business days."""
        named = self.by is not None and self.by.day == "next business day"
        return named or any(span.unit == "business days" for span in self.spans)

    def under(self, parent: str) -> Self:
        """Return it as a deadline of a sub-playbook, whose deadlines stand below the step that takes it."""
        return self.model_copy(update={"from_": under(self.from_, parent)})

    def due(self, moments: Moments, time_zone: str, holidays: Mapping[str, Sequence[str]]) -> Found:
        """Return when it is due, as far as is known.

        `time_zone`: the organisation's, where it names none. `holidays`: days by the name of their list.
        SettingsError where its zone is not known on this machine.
        """
        listed = holidays.get(self.holidays, ()) if self.holidays else ()
        given = frozenset(date.fromisoformat(str(day)) for day in listed)
        days = Calendar(self.zone, given, "the deadline's zone") if self.zone else Calendar(time_zone, given)
        found = find(self.from_, moments, days)
        length = self.within or self.by
        if found.at is None or length is None:
            return found
        return Found(length.after(found.at, days), found.awaits)


def settings_problems(
    deadlines: Mapping[str, Deadline], time_zone: str, holidays: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield what a playbook's deadlines need of responder.yaml and of this machine, and is not there."""
    for name, deadline in deadlines.items():
        if deadline.needs_zone:
            try:
                where = f"deadline {name}" if deadline.zone else "organisation.time_zone"
                zone_named(deadline.zone or time_zone, where)
            except SettingsError as error:
                yield from error.problems
        if deadline.holidays and deadline.holidays not in holidays:
            near = nearest(deadline.holidays, list(holidays))
            remedy = f"did you mean {near!r}?" if near else "add the list of days to `holidays`"
            yield Problem(f"responder.yaml has no holidays {deadline.holidays!r}", f"deadline {name}", remedy)


def deadline_problems(deadlines: Mapping[str, Deadline], source: Source) -> Iterator[Problem]:
    """Yield what is wrong between deadlines: unknown ones, zones that nobody knows, and circles."""
    wrong = False
    for name, deadline in deadlines.items():
        if "/" in name:
            continue  # it was judged in the file that says it
        for other in deadline.submissions:
            if other.deadline not in deadlines:
                wrong = True
                near = nearest(other.deadline, list(deadlines))
                remedy = f"did you mean {near!r}?" if near else f"known: {', '.join(deadlines)}"
                place = source.inside(("deadlines", name, "from"), other.place)
                yield Problem(f"there is no deadline {other.deadline!r}", place, remedy)
        if deadline.zone:
            try:
                zone_named(deadline.zone, source.place(("deadlines", name, "zone")))
            except SettingsError as error:
                yield from error.problems
    if not wrong:
        yield from _circle(deadlines, source)


def _circle(deadlines: Mapping[str, Deadline], source: Source) -> Iterator[Problem]:
    """Yield one problem where deadlines wait for each other's submission."""
    waiting = {name: {other.deadline for other in deadline.submissions} for name, deadline in deadlines.items()}
    while free := [name for name, others in waiting.items() if not others & waiting.keys()]:
        waiting = {name: others for name, others in waiting.items() if name not in free}
    if waiting:
        first = next(name for name in deadlines if name in waiting)
        told = f"these deadlines wait for each other's submission: {', '.join(waiting)}"
        place = source.place(("deadlines", first, "from"))
        yield Problem(told, place, "let one of them start at a moment of the incident")
