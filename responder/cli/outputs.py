"""What `--json` prints, command by command; the JSON Schemas in `schemas/` are made of this."""

import json
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from responder.cli.drilled import Drilled
from responder.doctor import Check
from responder.schema import AsPrinted, field_help
from responder.stocktaking import Stock
from responder.view import RunView

FOLDER = Path(__file__).parent / "schemas"


class ProblemShown(TypedDict):
    """One thing that is wrong."""

    what: str
    where: str
    """`file:line:column`, or the field, or the place in the record."""
    remedy: str
    guard: str
    """The guard that refuses it; empty where none does."""
    rule: str
    """The rule of lint that says it; empty where none does."""


class Failed(TypedDict):
    """Any command that could not do what was asked."""

    error: str
    """The kind of error, named for what may be done next."""
    exit: int
    problems: list[ProblemShown]


class Status(TypedDict):
    """The open runs; with `--all` every run, with a run's name that one."""

    incidents: list[RunView]


class PlannedShown(TypedDict):
    """One step of a plan."""

    id: str
    phase: str
    action: str
    target: str
    before: str
    after: str
    effect: str
    approval: str
    needs: list[str]
    digest: str | None
    """What an approval would sign; null where it depends on steps that have not run."""
    deferred: str
    """Why it cannot be read yet."""
    breaks: str
    items: int | None
    condition: str
    meets: str
    problems: list[str]
    """Why a guard would refuse it."""


class Planned(TypedDict):
    """What a run would do."""

    playbook: str
    title: str
    credential: str
    ownership: str
    steps: list[PlannedShown]
    deadlines: list[dict[str, Any]]
    """Each with `name`, `from`, `within`, `due_at` and `role`."""


class Detached(TypedDict):
    """A run that goes on in the background, or at a worker."""

    incident: str
    run: str
    joined: bool
    """Whether a run responded to this credential already."""
    detached: bool


class Worked(TypedDict):
    """What a worker did until it was told to leave."""

    worker: str
    """`host:pid`."""
    turns: int
    """How often it advanced a run as far as it went."""
    handed_on: list[str]
    """The runs that it gave back because it was told to leave; others go on with them."""


class Answered(TypedDict):
    """Something that a person said, now on the timeline."""

    incident: str
    run: str
    step: str
    """Empty where it concerns the whole run."""
    said: str
    by: str
    working: bool
    """Whether some process works on the run now; if not, `resume` it."""


class EntryShown(TypedDict):
    """One line of `timeline --json`: one entry of the record."""

    seq: int
    at: str
    incident: str
    run: str
    event: str
    step: str
    actor: str
    facts: dict[str, Any] | None
    """Null once they were withheld."""
    prev: str
    hash: str


class PresentedShown(TypedDict):
    """What presenting a leaked value once more has shown."""

    run: str
    credential: str
    surfaces: dict[str, str]
    """Each surface: `accepted`, `refused` or `unknown`."""
    reason: str
    """Why there are none."""


class Verified(TypedDict):
    """Whether the record is whole and unaltered."""

    incident: str
    verified: bool
    entries: int
    head: str
    """The last entry's number and hash, to keep elsewhere and to check later with `--head`."""
    problems: list[ProblemShown]
    live: list[PresentedShown]


class Examined(TypedDict):
    """What `doctor` found."""

    ready: bool
    checks: list[Check]


class Written(TypedDict):
    """The files that `init` wrote."""

    written: list[str]


class PlaybookRow(TypedDict):
    """One playbook; without a title it cannot be read."""

    playbook: str
    title: str
    summary: str
    path: str


class Playbooks(TypedDict):
    """All playbooks."""

    playbooks: list[PlaybookRow]


class PlaybookShown(TypedDict):
    """A whole playbook, as `playbook schema` describes it."""

    playbook: dict[str, Any]


class LintedPlaybook(TypedDict):
    """What is wrong with one playbook."""

    playbook: str
    errors: list[ProblemShown]
    warnings: list[ProblemShown]


class LintedPlaybooks(TypedDict):
    """What is wrong with playbooks."""

    playbooks: list[LintedPlaybook]


class ScenarioShown(TypedDict):
    """What came of one scenario."""

    playbook: str
    scenario: str
    """Its title."""
    file: str
    held: bool
    wrong: bool
    """Whether the file itself is wrong, and nothing was played."""
    seconds: float
    problems: list[ProblemShown]


class ScenariosShown(TypedDict):
    """What came of scenarios."""

    scenarios: list[ScenarioShown]


class Drawn(TypedDict):
    """A playbook as a picture."""

    playbook: str
    format: str
    """`mermaid` or `svg`."""
    graph: str


class TemplateRow(TypedDict):
    """One template."""

    template: str
    audience: str
    channel: str
    title: str


class TemplateRows(TypedDict):
    """All templates."""

    templates: list[TemplateRow]


class LintedTemplate(TypedDict):
    """What is wrong with one template."""

    template: str
    errors: list[ProblemShown]


class LintedTemplates(TypedDict):
    """What is wrong with templates."""

    templates: list[LintedTemplate]


class Previewed(TypedDict):
    """A notice, rendered and not sent."""

    template: str
    version: int
    audience: str
    channel: str
    external: bool
    subject: str
    text: str
    digest: str
    """What an approval of subject and text signs."""


class Reviewed(TypedDict):
    """A postmortem or page that was rendered."""

    incident: str
    path: str
    """Where it was written; empty where `text` holds it."""
    recorded: int
    """How many regions people had changed, and are now on the timeline."""
    text: str


class StoreChecked(TypedDict):
    """Whether the record can be used, and what it holds."""

    store: str
    """Where it is, without a password."""
    kind: str
    """`file` or `postgresql`."""
    usable: bool
    format: int | None
    """Null where it could not be opened."""
    incidents: int
    runs: int
    open_runs: int
    entries: int
    sealed: int
    """How many sealed values and pieces of evidence there are."""
    moved_to: str
    """Where the record went; empty while it is here."""
    problems: list[ProblemShown]


class StoreMigrated(TypedDict):
    """A record that was brought to this version's format, or had it."""

    store: str
    was: int
    """The format that it had."""
    format: int
    changed: bool


class StoreCopied(TypedDict):
    """What went from one store to another."""

    source: str
    target: str
    key: str
    """Where this host finds the sealing key; every other host needs the same key."""
    incidents: int
    entries: int
    runs: int


DOCUMENTS: dict[str, Any] = {
    "error": Failed,
    "status": Status,
    "run": RunView,
    "run-detach": Detached,
    "plan": Planned,
    "answer": Answered,
    "timeline": EntryShown,
    "verify": Verified,
    "doctor": Examined,
    "inventory-check": Stock,
    "init": Written,
    "drill": Drilled,
    "playbook-list": Playbooks,
    "playbook-show": PlaybookShown,
    "playbook-lint": LintedPlaybooks,
    "playbook-test": ScenariosShown,
    "playbook-graph": Drawn,
    "notice-list": TemplateRows,
    "notice-lint": LintedTemplates,
    "notice-preview": Previewed,
    "postmortem": Reviewed,
    "store-check": StoreChecked,
    "store-migrate": StoreMigrated,
    "store-copy": StoreCopied,
    "worker": Worked,
}
"""Each document by the name of its schema. `run` is what `run`, `resume` and `watch` end with; `answer` is
what every command prints with which people answer or add something."""


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a document; no field that it does not name may stand in one."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - only where schemas are made

    schema = TypeAdapter(DOCUMENTS[name]).json_schema(mode="serialization", schema_generator=AsPrinted)
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            part["required"] = list(part["properties"])
            part["additionalProperties"] = False
            _explain(part)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _explain(part: dict[str, Any]) -> None:
    """Add the words that stand under the fields here."""
    kinds = [*DOCUMENTS.values(), *_parts()]
    kind = next((kind for kind in kinds if kind.__name__ == part.get("title")), None)
    for name, words in field_help(kind).items() if kind is not None else ():
        part["properties"][name].setdefault("description", words)


def _parts() -> list[type]:
    from responder import deadlines, stocktaking, view  # noqa: PLC0415 - only where schemas are made
    from responder.cli import drilled  # noqa: PLC0415

    spaces = (globals(), *(vars(module) for module in (view, deadlines, drilled, stocktaking)))
    return [value for space in spaces for value in space.values() if isinstance(value, type)]


def write_schemas() -> None:
    """Write every schema into its file."""
    FOLDER.mkdir(exist_ok=True)
    for name in DOCUMENTS:
        text = json.dumps(schema_of(name), indent=2, ensure_ascii=False) + "\n"
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
