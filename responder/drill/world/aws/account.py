"""An account's users, keys, roles and stores: empty at first, and furnished by whoever plays."""

import base64
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from responder.drill.world.aws.model import Event, Key, Parameter, Role, Session, Stored, User
from responder.drill.world.aws.policies import MANAGED, Timed, decide
from responder.drill.world.aws.protocol import Refused
from responder.drill.world.system import Ground
from responder.drill.world.values import drawn

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
QUARANTINE = next(arn for arn in MANAGED if "Quarantine" in arn)
SESSION_SECONDS = 12 * 3600
NUMBER = "481516234200"


def key_id(seed: int, label: str, prefix: str, account: str = NUMBER) -> str:
    """Make a key id that bears its account, as those since 2019 do."""
    number = (int(account) << 7) | 1 << 47
    rest = hashlib.sha256(f"{seed}:{label}".encode()).digest()[:4]
    return prefix + base64.b32encode(number.to_bytes(6) + rest).decode()


def pair(seed: int, label: str) -> str:
    """Make an access key, as `ID:SECRET`: a function of the seed, known before there is an account."""
    return f"{key_id(seed, f'key:{label}', 'AKIA')}:{drawn(seed, f'aws:{label}', 40)}"


class Account:
    """One account. Callers hold the system's lock while they ask or change."""

    number = NUMBER
    key_seconds = 4.0
    """How long a key that was switched off or deleted goes on being accepted."""
    policy_seconds = 20.0
    """How long it takes until a change of a policy is felt."""
    trail_seconds = 900.0
    """How long it takes until CloudTrail shows an event."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.users: dict[str, User] = {}
        self.roles: dict[str, Role] = {}
        self.keys: dict[str, Key] = {}
        """Every key that ever was, deleted ones too."""
        self.sessions: dict[str, Session] = {}
        self.secrets: dict[str, Stored] = {}
        self.parameters: dict[str, Parameter] = {}
        self.events: list[Event] = []
        self.root_has_keys = False
        self._made = 0

    @property
    def now(self) -> datetime:
        """What time it is at AWS."""
        return self._ground.clock.now()

    # ---- furnishing

    def add_user(self, name: str, *policies: str, created_at: datetime | None = None) -> User:
        """Add a user, with AWS's own policies of these names."""
        arn = f"arn:aws:iam::{self.number}:user/{name}"
        inline, attached = Timed(), Timed()
        made = User(name, arn, "AIDA" + self.letters(f"user:{name}", 17), created_at or self.now, inline, attached)
        for policy in policies:
            made.attached.put(policy, f"arn:aws:iam::aws:policy/{policy}", self.now)
        self.users[name] = made
        return made

    def add_key(self, user: str, label: str, *, created_at: datetime | None = None, key_id: str = "") -> Key:
        """Give a user a key; its value is kept under the label."""
        own_id, _, secret = pair(self._ground.spec.seed, label).partition(":")
        made = Key(key_id or own_id, secret, user, created_at or self.now, label)
        self.keys[made.id] = made
        self._ground.labels.add({label: f"{made.id}:{secret}"})
        return made

    def add_role(self, name: str, trusted: str, *, path: str = "/") -> Role:
        """Add a role that the principal of this ARN may take on."""
        trust = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = f"arn:aws:iam::{self.number}:role{path}{name}"
        inline = Timed()
        inline.put(
            "work", json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}), self.now
        )
        self.roles[name] = Role(name, arn, "AROA" + self.letters(f"role:{name}", 17), path, document, self.now, inline)
        return self.roles[name]

    def add_secret(self, name: str, value: str) -> Stored:
        """Add a secret with one version."""
        first = hashlib.sha256(f"{name}:first".encode()).hexdigest()[:36]
        self.secrets[name] = Stored(name, self.now, {first: value}, {"AWSCURRENT": first}, self.now)
        return self.secrets[name]

    def add_parameter(self, name: str, value: str, kind: str = "SecureString", **more: Any) -> Parameter:
        """Add a parameter."""
        self.parameters[name] = Parameter(name, kind, value, self.now, **more)
        return self.parameters[name]

    def quarantine(self, user: str) -> None:
        """Attach AWS's own quarantine policy, as AWS does when it finds a key in public."""
        name = QUARANTINE.rpartition("/")[2]
        self.users[user].attached.put(name, QUARANTINE, self.felt_at())

    # ---- what is so

    def keys_of(self, user: str) -> list[Key]:
        """Return the keys that a user has, switched off or not."""
        return [key for key in self.keys.values() if key.user == user and not key.deleted]

    def user(self, name: str) -> User:
        """Return a user. Refused where there is none."""
        if name not in self.users:
            raise Refused(404, "NoSuchEntity", f"The user with name {name} cannot be found.")
        return self.users[name]

    def role(self, name: str) -> Role:
        """Return a role. Refused where there is none."""
        if name not in self.roles:
            raise Refused(404, "NoSuchEntity", f"The role with name {name} cannot be found.")
        return self.roles[name]

    def key(self, user: str, key_id: str) -> Key:
        """Return a key of this user. Refused where the user has no such key."""
        found = next((key for key in self.keys_of(user) if key.id == key_id), None)
        if found is None:
            raise Refused(404, "NoSuchEntity", f"The Access Key with id {key_id} cannot be found.")
        return found

    def label_of(self, value: str) -> str:
        """Return the label of a value; empty where it is none of ours."""
        label = self._ground.labels.of(value)
        return "" if label in (None, "unknown") else str(label)

    def accepts(self, label: str) -> bool:
        """Tell whether the credential with this label would be accepted now."""
        key_id = self._ground.labels[label].partition(":")[0]
        if key_id in self.keys:
            return self.keys[key_id].accepted(self.now)
        session = self.sessions.get(key_id)
        return session is not None and self.is_open(session)

    def is_open(self, session: Session) -> bool:
        """Tell whether a session can still do anything."""
        return self.now < session.ends_at and self.decided(session, "s3:ListAllMyBuckets") != "explicitDeny"

    def decided(self, who: Key | Session, action: str, **context: str) -> str:
        """Say what the policies in force say about an action."""
        owner = self.users[who.user] if isinstance(who, Key) else who.owner
        known = {"aws:SourceIp": "203.0.113.200", "aws:ViaAWSService": "false", **context}
        if isinstance(who, Session):
            known["aws:TokenIssueTime"] = who.opened_at.isoformat()
        return decide([text for text in owner.felt(self.now) if text], action, known)

    def stored_label(self, value: str) -> str:
        """Return the label of what a store holds, a pair as JSON included; empty where it is none of ours."""
        try:
            data = json.loads(value)
            value = f"{data['AccessKeyId']}:{data['SecretAccessKey']}"
        except (ValueError, KeyError, TypeError):
            pass
        return self.label_of(value)

    # ---- changes

    def refuse(self, key: Key) -> None:
        """Let a key be refused before long; one that was switched off does not come back to life when it is deleted."""
        after = timedelta(seconds=self._ground.trouble.propagation(self.key_seconds))
        key.refused_from = key.refused_from or self.now + after

    def felt_at(self) -> datetime:
        """Return from when on a change of a policy is felt."""
        return self.now + timedelta(seconds=self.policy_seconds)

    def new_key(self, user: str) -> Key:
        """Make one more key for a user."""
        self._made += 1
        label = f"aws-issued-{self._made}"
        return self.add_key(user, label)

    def open_session(self, key: Key, owner: User | Role, name: str, seconds: float = SESSION_SECONDS) -> Session:
        """Open a session with a key."""
        self._made += 1
        label = f"aws-session-{self._made}"
        seed = self._ground.spec.seed
        secret, token = drawn(seed, f"aws:{label}", 40), drawn(seed, f"aws-token:{label}", 200)
        ends = self.now + timedelta(seconds=seconds)
        made = Session(key_id(seed, label, "ASIA"), secret, token, owner, name, key.id, self.now, ends)
        self.sessions[made.id] = made
        self._ground.labels.add({label: f"{made.id}:{secret}:{token}"})
        return made

    def letters(self, label: str, length: int) -> str:
        """Draw letters as ids have them."""
        return drawn(self._ground.spec.seed, f"aws:{label}", length, _BASE32)
