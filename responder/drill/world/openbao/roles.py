"""The drill's OpenBao: AppRoles and their secret ids; a token that one opened outlives it."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from responder.drill.world.ledger import Effect, shown_time
from responder.drill.world.openbao.tokens import Refused, Tokens
from responder.drill.world.system import Ground
from responder.drill.world.values import drawn
from responder.drill.world.web import Answer, Request

_HEX = "0123456789abcdef"


@dataclass
class SecretId:
    """A secret id of a role."""

    label: str
    role: str
    value: str
    accessor: str
    made_at: datetime
    metadata: dict[str, str] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """Return it as a look-up shows it."""
        return {
            "secret_id_accessor": self.accessor,
            "creation_time": shown_time(self.made_at),
            "metadata": self.metadata,
            "secret_id_num_uses": 0,
            "secret_id_ttl": 0,
        }


@dataclass
class Roles:
    """All roles and secret ids."""

    ground: Ground
    tokens: Tokens
    policies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    secret_ids: list[SecretId] = field(default_factory=list)
    made: int = 0
    """How many secret ids the API has made."""

    def add(self, role: str, policies: tuple[str, ...] = ("default",)) -> None:
        """Make a role."""
        self.policies[role] = policies

    def add_secret_id(self, label: str, role: str, metadata: dict[str, str] | None = None) -> str:
        """Make a secret id, and return its accessor."""
        try:
            value = self.ground.labels[label]
        except KeyError:
            value = self._uuid(label)
            self.ground.labels.add({label: value})
        made = SecretId(label, role, value, self._uuid(f"accessor:{label}"), self.ground.clock.now(), metadata or {})
        self.secret_ids.append(made)
        return made.accessor

    def open(self, label: str, secret_id: str) -> str:
        """Sign in with the secret id of a label; the token gets the label `label`. Return its accessor."""
        found = next(one for one in self.secret_ids if one.label == secret_id)
        return self._signed_in(label, found)

    def accepts(self, label: str) -> bool:
        """Tell whether a login with the secret id of a label would be taken."""
        return any(one.label == label for one in self.secret_ids)

    def role_id(self, role: str) -> str:
        """Return the id of a role, which is no secret."""
        return self._uuid(f"role:{role}")

    def login(self, request: Request) -> Answer:
        """Sign in; which half is wrong is not told."""
        sent = request.fields
        found = next((one for one in self.secret_ids if one.value == sent.get("secret_id")), None)
        if found is None or sent.get("role_id") != self.role_id(found.role):
            raise Refused(400, "invalid role or secret ID")
        accessor = self._signed_in(f"opened:{len(self.tokens.all)}", found)
        made = next(one for one in self.tokens.all if one.accessor == accessor)
        return Answer(body={"auth": {"client_token": made.value, "accessor": accessor}})

    def show(self, _: Request, parts: dict[str, str]) -> Answer:
        """Show what a role reaches."""
        if parts["role"] not in self.policies:
            raise Refused(404)
        return Answer(body={"data": {"token_policies": list(self.policies[parts["role"]])}})

    def list(self, request: Request, parts: dict[str, str]) -> Answer:
        """List the accessors of a role's secret ids; 404 where there are none, 400 where there is no role."""
        if parts["role"] not in self.policies:
            raise Refused(400, f'role "{parts["role"]}" does not exist')
        names = [one.accessor for one in self.secret_ids if one.role == parts["role"]]
        if request.query.get("list") != "true" or not names:
            raise Refused(404)
        return Answer(body={"data": {"keys": names}})

    def create(self, request: Request, parts: dict[str, str]) -> Answer:
        """Make a secret id; its metadata comes as a text of JSON."""
        self._known(parts)
        self.made += 1
        label = f"issued:secret-id:{self.made}"
        accessor = self.add_secret_id(label, parts["role"], json.loads(str(request.fields.get("metadata") or "{}")))
        shown = {"secret_id": self.ground.labels[label], "secret_id_accessor": accessor}
        effect = Effect("key_issued", label, parts["role"], {"id": accessor})
        return Answer(body={"data": shown}, effects=(effect,))

    def lookup(self, request: Request, parts: dict[str, str]) -> Answer:
        """Show the secret id of a value; 204 where there is none."""
        self._known(parts)
        sent = request.fields.get("secret_id")
        found = next((one for one in self.secret_ids if one.role == parts["role"] and one.value == sent), None)
        return Answer(body={"data": found.shown()}) if found else Answer(204, "")

    def lookup_accessor(self, request: Request, parts: dict[str, str]) -> Answer:
        """Show the secret id of an accessor; 404 with a word inside the data where there is none."""
        self._known(parts)
        sent = str(request.fields.get("secret_id_accessor"))
        found = self._found(parts["role"], sent)
        return Answer(body={"data": found.shown()}) if found else Answer(404, {"data": {"error": _missing(sent)}})

    def destroy(self, request: Request, parts: dict[str, str]) -> Answer:
        """End a secret id; one that is gone already is an error of the server's own, 500."""
        self._known(parts)
        sent = str(request.fields.get("secret_id_accessor"))
        found = self._found(parts["role"], sent)
        if found is None:
            raise Refused(500, f"1 error occurred:\n\t* {_missing(sent)}\n\n")
        self.secret_ids.remove(found)
        return Answer(204, "", (Effect("key_revoked", sent, parts["role"]),))

    def _signed_in(self, label: str, secret_id: SecretId) -> str:
        meta = {**secret_id.metadata, "role_name": secret_id.role}
        made = self.tokens.add(
            label, self.policies[secret_id.role], display_name="approle", entity=f"entity-{secret_id.role}",
            meta=meta, path="auth/approle/login",
        )  # fmt: skip
        return made.accessor

    def _known(self, parts: dict[str, str]) -> None:
        if parts["role"] not in self.policies:
            raise Refused(500, f'1 error occurred:\n\t* role "{parts["role"]}" does not exist\n\n')

    def _found(self, role: str, accessor: str) -> SecretId | None:
        return next((one for one in self.secret_ids if one.role == role and one.accessor == accessor), None)

    def _uuid(self, label: str) -> str:
        text = drawn(self.ground.spec.seed, f"openbao:{label}", 32, _HEX)
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _missing(accessor: str) -> str:
    return f'failed to find accessor entry for secret_id_accessor: "{accessor}"'
