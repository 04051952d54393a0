"""An access key of an IAM user stands in a public paste; whoever found it has opened a session and made a key since."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from responder.drill.lines import Expected
from responder.drill.scenes.leak import LeakScene
from responder.drill.world.aws import Aws
from responder.drill.world.aws.account import NUMBER, pair
from responder.drill.world.aws.signed import form
from responder.drill.world.caller import Caller
from responder.drill.world.fleet import Stored
from responder.drill.world.leak import Errand, Leak
from responder.drill.world.system import Ground
from responder.drill.world.values import SECRET_SHAPE

if TYPE_CHECKING:
    from responder.drill.stage import Stage
    from responder.state import RunState
    from responder.unit import Ask

USER = "deploy"
OWNERS = {"leaked": USER, "control": "probe", "aws-admin": "responder", "aws-ada": "ada"}
"""The users of the account's keys, by their labels."""
PLACES: Mapping[str, Mapping[str, Any]] = {
    "site": {"connection": "issuer", "secret": "secretsmanager:site/key", "seen_as": ["198.51.100.0/24"]},
    "worker": {"connection": "issuer", "secret": "ssm:/worker/key", "seen_as": ["celery/5"]},
}
"""Where two of the programs keep their key: at AWS itself."""
OF_THEIR_OWN = {"site": "site", "worker": "worker"}
"""The users that two of the programs get; a user has two keys at most, and the third program stays with the old one."""
WORK = """{"Version": "2012-10-17", "Statement": [
 {"Effect": "Allow", "Action": ["s3:*", "iam:CreateAccessKey"], "Resource": "*"}]}"""
_ABROAD, _PROGRAM = "203.0.113.9", "aws-cli/2.15.0"


class _Key(LeakScene):
    """The key of a user as whom three programs act."""

    playbook: ClassVar[str] = "aws-access-key"
    title: ClassVar[str] = "An access key of our deploy user stands in a public paste."
    issuer: ClassVar[str] = "aws"
    own: ClassVar[Mapping[str, str]] = {
        "AWS_OWN_KEY": "aws-admin", "AWS_CONTROL": "control", "KNOWN_KEY": "leaked",
    }  # fmt: skip
    programs: ClassVar[tuple[str, ...]] = ("site", "worker", "reports")
    watched: ClassVar[re.Pattern[str]] = re.compile(SECRET_SHAPE.pattern + r"|AKIA[A-Z2-7]{16}:[A-Za-z0-9]{40}")
    libraries: ClassVar[Mapping[str, str]] = {"boto3": "aws"}

    def minted(self, seed: int) -> dict[str, str]:
        """Return the key that leaked, a known-good one, our own, and that of a person."""
        return {label: pair(seed, label) for label in OWNERS}

    def populate(self, ground: Ground) -> Leak:
        """Make an account with the user whose key leaked, the stores of two programs, and what strangers did so far."""
        system = Aws(ground)
        _furnish(system)
        _remember(system)
        return Leak(
            ground, [system], programs=dict.fromkeys(self.programs, "leaked"), leaked=["leaked"],
            accepts=system.accepts, use=_Stranger(ground), label_of=system.stored_label, errand=_errand(ground),
            elsewhere={"site": _secret(system, "site/key"), "worker": _parameter(system, "/worker/key")},
            names=lambda label: ground.labels[label].partition(":")[0],
            sessions=lambda: sum(system.is_open(one) for one in system.sessions.values()),
        )  # fmt: skip

    def connections(self, stage: "Stage") -> dict[str, Any]:
        """Describe the account, with our own key and that of a user who may do nothing."""
        return {
            "issuer": {
                "provider": "aws", "account": NUMBER, "secret": "env:AWS_OWN_KEY", "control": "env:AWS_CONTROL",
                "base_url": stage.urls["aws"], "policy_propagation": "30s", "users": OF_THEIR_OWN,
            },
        }  # fmt: skip

    def entry(self, stage: "Stage") -> dict[str, Any]:
        """Return the key of the user."""
        key_id = pair(stage.seed, "leaked").partition(":")[0]
        return {"id": "deploy-key", "kind": "access key", "key_id": key_id, "known_by": "env:KNOWN_KEY"}

    def place(self, program: str) -> dict[str, Any]:
        """Return the store at AWS, or the vault."""
        return dict(PLACES.get(program) or super().place(program))

    def choice(self, state: "RunState", ask: "Ask") -> str:
        """Shut the key that none of us has made; the user's own policies stay, and the old backup job is given up."""
        if ask.unit.startswith("replace/adopt["):
            return "stops"
        if "leave-open" not in ask.options:
            return super().choice(state, ask)
        return "shut" if _key_in(ask) else "leave-open"

    def act(self, state: "RunState", ask: "Ask", person: str) -> tuple[str, Mapping[str, Any]] | None:
        """Delete a key that none of us has made."""
        is_door = ask.unit.partition("[")[0] in {"replace/door", "left-open"}
        return ("/cast/errand", {"key": _key_in(ask)}) if is_door and _key_in(ask) else None

    def report(self, state: "RunState", ask: "Ask") -> str:
        """Say what was seen of a door, or of what strangers did."""
        step = ask.unit.partition("[")[0]
        told = {"left-open": "it is ours, and as it was", "strangers": "they looked who they are, and made one key"}
        return told.get(step) or super().report(state, ask)

    def expected(self, stage: "Stage", state: "RunState") -> Sequence[Expected]:
        """Return a new key for each program, where it reads it, and the end of the key and of its sessions."""
        users = [OF_THEIR_OWN.get(name, USER) for name in self.programs]
        return [
            *(Expected("key_issued", user) for user in users),
            *(Expected("secret_written", self.place(name)["secret"]) for name in self.programs),
            Expected("key_disabled", USER), Expected("sessions_ended", USER), Expected("key_revoked", USER),
        ]  # fmt: skip


class _Stranger:
    """Makes a key of their own as soon as they can, and looks with the leaked one whether it still works."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._has_made = False

    def __call__(self, caller: Caller) -> int:
        """Ask AWS for something, once."""
        fields = {"Action": "GetCallerIdentity"} if self._has_made else {"Action": "CreateAccessKey", "UserName": USER}
        product = "sts" if self._has_made else "iam"
        status = _ask(self._ground, caller, "leaked", product, fields, {"x-world-address": _ABROAD})
        self._has_made = True
        return status


def _ask(  # noqa: PLR0917 - who asks whom for what
    ground: Ground, caller: Caller, label: str, product: str, fields: Mapping[str, str], headers: Mapping[str, str]
) -> int:
    asked = form(ground.labels[label], product, fields, ground.clock.now())
    return caller.call("POST", "/", headers={**asked.headers, **headers}, body=asked.body)[0]


def _errand(ground: Ground) -> Errand:
    def delete(caller: Caller, fields: Mapping[str, Any]) -> int:
        asked = {"Action": "DeleteAccessKey", "UserName": USER, "AccessKeyId": str(fields.get("key"))}
        return _ask(ground, caller, "aws-ada", "iam", asked, {})

    return delete


def _furnish(system: Aws) -> None:
    """Make users, keys and stores as they were before anything happened."""
    long_ago = system.now - timedelta(days=90)
    for name, policies in {
        "responder": ["AdministratorAccess"], "ada": ["AdministratorAccess"], "probe": [], USER: ["ReadOnlyAccess"],
        "site": ["ReadOnlyAccess"], "worker": ["ReadOnlyAccess"],
    }.items():  # fmt: skip
        system.add_user(name, *policies, created_at=long_ago)
    system.users[USER].inline.put("work", WORK, long_ago)
    for label, user in OWNERS.items():
        system.add_key(user, label, created_at=long_ago)
    value = system.ground.labels["leaked"]
    system.add_secret("site/key", value)
    system.add_parameter("/worker/key", value, description="The worker's key")


def _remember(system: Aws) -> None:
    """Write what CloudTrail knows: the programs at work, one that no inventory names, and whoever found the key."""
    origin = system.ground.clock.origin
    system.used("leaked", "s3:PutObject", origin - timedelta(days=6), address="10.0.0.31", agent="rclone/1.66")
    system.used("leaked", "s3:ListBuckets", origin - timedelta(hours=3), address="198.51.100.4", agent="Boto3/1.34")
    system.used("leaked", "sqs:ListQueues", origin - timedelta(hours=2), address="10.0.0.7", agent="celery/5.3")
    at = origin - timedelta(minutes=16, seconds=30)
    system.used("leaked", "sts:GetCallerIdentity", at, address=_ABROAD, agent=_PROGRAM)
    key = next(key for key in system.keys.values() if key.label == "leaked")
    made = system.open_session(key, system.users[USER], "session")
    made.opened_at = at + timedelta(seconds=5)
    system.used("leaked", "sts:GetSessionToken", made.opened_at, address=_ABROAD, agent=_PROGRAM)
    given = {"accessKeyId": made.id, "expiration": made.ends_at.strftime("%b %d, %Y, %I:%M:%S %p")}
    system.events[-1].shown["responseElements"] = {"credentials": given}


def _secret(system: Aws, name: str) -> Callable[[], Stored | None]:
    def read() -> Stored | None:
        with system.lock:
            found = system.secrets[name]
            return Stored(found.versions[found.stages["AWSCURRENT"]], found.changed_at or found.created_at)

    return read


def _parameter(system: Aws, name: str) -> Callable[[], Stored | None]:
    def read() -> Stored | None:
        with system.lock:
            found = system.parameters[name]
            return Stored(found.value, found.at)

    return read


def _key_in(ask: "Ask") -> str:
    """Return the id of the access key that a question is about; empty where it is about something else."""
    item = ask.unit.partition("[")[2].rstrip("]")
    return item if item.startswith("AKIA") else ""


SCENE = _Key()
