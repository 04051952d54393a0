"""The same cases against a real OpenBao, which no author of ours wrote; skipped where it is not installed.

Our own token has exactly the permissions that the actions name: what they say that they need is enough.
"""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from cases.common import Gated, HandClock, connection
from cases.openbao import (
    ANYWHERE,
    CONSUMER,
    DENIAL,
    LEASES,
    SECRET_IDS,
    TOKENS,
    delivered,
    secret_id,
    token,
    writes,
)
from openbao_server import Server, missing, server
from postgresql import missing as postgresql_missing
from postgresql import server as postgresql_server

from responder.action import Change, Observed, Unchanged, Verdict
from responder.credential import Subject
from responder.providers.openbao import PROVIDER
from responder.providers.openbao.client import LIST_ACCESSORS, LOOKUP, LOOKUP_SELF
from responder.providers.openbao.credentials import EndRoleSessions, RevokeCredential
from responder.providers.openbao.databases import RotateStaticRole
from responder.providers.openbao.issuing import IssueCredential
from responder.providers.openbao.leases import RevokePrefix
from responder.providers.openbao.proof import ProveCredentialDead
from responder.testing.bench import Bench, ProviderCase
from responder.testing.contract import Check, checks
from responder.testing.loopback import Loopback, forwarding

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


NAMED = {"ROLE": "+", "MOUNT": "secret", "PATH": "app/*", "PREFIX": "*", "ID": "*"}
"""What stands for the names in the permissions that actions say they need."""


def policy_of(permissions: set[str]) -> str:
    """Write the policy that gives exactly these permissions, as somebody would who reads our reference."""
    rules: dict[str, set[str]] = {}
    for permission in permissions:
        capabilities, _, path = permission.partition(" on ")
        for name, stands in NAMED.items():
            path = re.sub(rf"\b{name}\b", stands, path)
        rules.setdefault(path, set()).update(capabilities.replace(" and ", ",").split(","))
    return "\n".join(f'path "{path}" {{ capabilities = {json.dumps(sorted(held))} }}' for path, held in rules.items())


class OnServer:
    """A namespace of the real server, filled as the drill's server is."""

    def __init__(self, bao: Server) -> None:
        self.bao = bao
        self.space = bao.namespace()
        self.labels: dict[str, str] = {}
        self.ground = SimpleNamespace(labels=self.labels)
        self.ids: dict[str, str] = {}
        needed = {one for action in PROVIDER.actions for one in action.permissions}
        self.done("PUT", "sys/policies/acl/responder", {"policy": policy_of(needed)})
        self._keep("bao-admin", self.done("POST", "auth/token/create-orphan", {"policies": ["default", "responder"]}))
        for policy in ("deploy", "web"):
            self.done("PUT", f"sys/policies/acl/{policy}", {"policy": 'path "secret/*" {capabilities=["read"]}'})
        self.done("PUT", "sys/policies/acl/makes", {"policy": 'path "auth/token/create" {capabilities=["update"]}'})
        maker = {"policies": ["default", "deploy", "makes"]}
        self._keep("leaked", self.done("POST", "auth/token/create-orphan", maker))
        self._keep("leaked-child", self._made({"policies": ["default"]}, self.labels["leaked"]))
        for label in ("other", "bao-control"):
            self._keep(label, self.done("POST", "auth/token/create-orphan", {"policies": ["default"]}))
        self._with_role()
        self._with_leases()
        self.done("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self.write("app/db", {"user": "app", "password": "one"})

    def _with_role(self) -> None:
        self.done("POST", "sys/auth/approle", {"type": "approle"})
        self.done("POST", "auth/approle/role/web", {"token_policies": ["default", "web"]})
        for label in SECRET_IDS:
            made = self.done("POST", "auth/approle/role/web/secret-id", {})["data"]
            self.labels[label] = made["secret_id"]
            self.ids[label] = f"approle:web#{made['secret_id_accessor']}"
        self._keep("opened", self.login("leaked-secret-id")[1])

    def _with_leases(self) -> None:
        self.done("POST", "sys/mounts/pki", {"type": "pki"})
        self.done("POST", "pki/root/generate/internal", {"common_name": "x.example", "key_type": "ec"})
        self.done("POST", "pki/roles/web", {"generate_lease": True, "allow_any_name": True, "key_type": "ec"})
        for label in ("lease-0", "lease-1"):
            made = self.done("POST", LEASES, {"common_name": "a.example", "ttl": "1h"})
            self.ids[label] = made["lease_id"]

    def done(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        return self.bao.done(method, path, body, namespace=self.space, **more)

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, dict[str, Any]]:
        return self.bao.call(method, path, body, namespace=self.space, **more)

    def login(self, label: str) -> tuple[int, dict[str, Any]]:
        role_id = self.done("GET", "auth/approle/role/web/role-id")["data"]["role_id"]
        body = {"role_id": role_id, "secret_id": self.labels[label]}
        return self.call("POST", "auth/approle/login", body, token="")

    def accepts(self, label: str) -> bool:
        """Present it, as whoever found it would."""
        if label in SECRET_IDS:
            return self.login(label)[0] == 200
        return self.call("GET", "auth/token/lookup-self", token=self.labels[label])[0] == 200

    def end(self, label: str) -> None:
        if label in SECRET_IDS:
            accessor = self.ids[label].rpartition("#")[2]
            path = "auth/approle/role/web/secret-id-accessor/destroy"
            self.done("POST", path, {"secret_id_accessor": accessor})
        elif label.startswith("lease"):
            self.done("POST", "sys/leases/revoke", {"lease_id": self.ids[label], "sync": True})
        else:
            self.done("POST", "auth/token/revoke-accessor", {"accessor": self.ids[label]})

    def alive(self, *, but: str) -> dict[str, bool]:
        told = {label: self._lives(label) for label in (*TOKENS, *SECRET_IDS, "lease-0", "lease-1")}
        return {label: lives for label, lives in told.items() if not label.startswith(but)}

    def write(self, path: str, data: dict[str, str]) -> None:
        until = time.monotonic() + 10
        # For a moment after it was mounted, the store answers 400: it is being made versioned.
        while self.call("POST", f"secret/data/{path}", {"data": data})[0] != 200:
            assert time.monotonic() < until
            time.sleep(0.02)

    def _lives(self, label: str) -> bool:
        if label.startswith("lease"):
            return self.call("POST", "sys/leases/lookup", {"lease_id": self.ids[label]})[0] == 200
        if label in SECRET_IDS:  # a login would leave a token behind, which a case may count
            path = "auth/approle/role/web/secret-id/lookup"
            return self.call("POST", path, {"secret_id": self.labels[label]})[0] == 200
        return self.accepts(label)

    def _made(self, body: Any, maker: str) -> dict[str, Any]:
        return self.done("POST", "auth/token/create", body, token=maker)

    def _keep(self, label: str, answer: dict[str, Any]) -> None:
        self.labels[label] = answer["auth"]["client_token"]
        self.ids[label] = answer["auth"]["accessor"]


_RUNNING: list[Server] = []


@pytest.fixture(scope="module", autouse=True)
def _running() -> Iterator[None]:
    with server() as made:
        _RUNNING.append(made)
        yield
        _RUNNING.clear()


@contextlib.contextmanager
def a_real_bao() -> Iterator[Gated]:
    """Fill a namespace of its own, and stand a gate in front of the server; the clock begins now, as the server's."""
    [bao] = _RUNNING
    filled = OnServer(bao)
    cluster = bao.done("GET", "sys/health")["cluster_id"]
    account = f"{cluster}/{filled.space}"
    clock = HandClock(time.time(), datetime.now(UTC), 1.0)
    with Loopback(forwarding(bao.url), writes=writes, denial=DENIAL) as gate:
        yield Gated(
            gate, connection("openbao", account=account, base_url=gate.url, namespace=filled.space), clock,
            account, filled.labels["bao-admin"], filled.labels["bao-control"], filled,
        )  # fmt: skip


# What needs a database stands by itself below.
REAL = ProviderCase(
    PROVIDER._replace(actions=tuple(one for one in PROVIDER.actions if one is not RotateStaticRole)),
    a_real_bao,
    ANYWHERE,
)


@pytest.mark.parametrize("check", [pytest.param(check, id=check.name) for check in checks(REAL)])
def test_contract_on_the_real_server(check: Check) -> None:
    check.run()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with a_real_bao() as live:
        made = Bench(PROVIDER, live)
        try:
            yield made
        finally:
            made.transport.close()


def applied(bench: Bench, action: Any) -> Any:
    change = action.plan(bench.client())
    assert isinstance(change, Change)
    outcome = action.apply(bench.client(may_write=True), change)
    assert action.verify(bench.client(), change) is Verdict.HOLDS
    return outcome


def proven(bench: Bench, subject: Subject) -> list[str]:
    history: list[Observed] = []
    for _ in range(8):
        look = ProveCredentialDead(subject=subject).observe(bench.client(), history)
        history.append(Observed(bench.live.clock.now(), look.verdict, look.facts))
        if look.last:
            break
        bench.live.clock.move(look.wait)
    return [look.verdict for look in history]


def test_a_token_really_dies_with_its_children_and_the_proof_sees_it(bench: Bench) -> None:
    world, subject = bench.live.world, token(bench.live, bench.secret)
    before = proven(bench, subject)
    applied(bench, RevokeCredential(subject=subject))

    assert set(before) == {"alive"}
    assert [world.accepts(label) for label in ("leaked", "leaked-child", "other")] == [False, False, True]
    assert proven(bench, subject) == ["refused", "refused", "refused", "dead"]


def test_what_a_token_leased_ends_soon_after_it(bench: Bench) -> None:
    world = bench.live.world
    world.done("PUT", "sys/policies/acl/deploy", {"policy": f'path "{LEASES}" {{capabilities=["update"]}}'})
    body = {"common_name": "a.example", "ttl": "1h"}
    leased = world.done("POST", LEASES, body, token=world.labels["leaked"])["lease_id"]
    applied(bench, RevokeCredential(subject=token(bench.live, bench.secret)))
    until = time.monotonic() + 20
    while world.call("POST", "sys/leases/lookup", {"lease_id": leased}, token=world.bao.root)[0] == 200:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_token_that_may_not_ask_who_it_is_is_refused_and_alive(bench: Bench) -> None:
    world = bench.live.world
    body = {"policies": ["web"], "no_default_policy": True}
    made = world.done("POST", "auth/token/create-orphan", body)["auth"]
    mute = Subject(key_id=made["accessor"], value=bench.secret(made["client_token"]))
    look = ProveCredentialDead(subject=mute).observe(bench.client(), [])

    assert look.facts["surfaces"] == {"lookup-self": "unknown", "lookup": "accepted"}
    assert look.verdict == "alive"


def test_a_token_from_a_destroyed_secret_id_still_works_until_its_sessions_are_ended(bench: Bench) -> None:
    world, subject = bench.live.world, secret_id(bench.live, bench.secret)
    bench.live.control = world.labels["other-secret-id"]
    applied(bench, RevokeCredential(subject=subject))
    assert (world.accepts("leaked-secret-id"), world.accepts("opened")) == (False, True)

    open_still = proven(bench, subject)
    applied(bench, EndRoleSessions(subject=subject))

    assert set(open_still) == {"sessions open"}
    assert world.accepts("opened") is False
    assert proven(bench, subject)[-1] == "dead"


def test_what_was_issued_works_and_reaches_what_it_should(bench: Bench) -> None:
    action = IssueCredential(subject=token(bench.live, bench.secret), consumer=CONSUMER, scopes=("deploy",))
    issued = applied(bench, action).issued
    value = issued.value.reveal()
    status, _ = bench.live.world.call("GET", "secret/data/app/db", token=value)
    _, shown = bench.live.world.call("POST", "auth/token/lookup", {"token": value})

    assert status == 200
    assert shown["data"]["policies"] == ["deploy"]
    assert shown["data"]["orphan"] is True


def test_a_secret_that_is_to_expire_keeps_its_other_fields(bench: Bench) -> None:
    world = bench.live.world
    world.done("POST", "secret/metadata/app/db", {"delete_version_after": "1h"})
    world.write("app/db", {"user": "app", "password": "two"})
    applied(bench, delivered(bench.live, bench.secret))
    shown = world.done("GET", "secret/data/app/db", token=bench.live.world.bao.root)["data"]

    assert shown["data"] == {"user": "app", "password": bench.values[-1]}
    assert shown["metadata"]["deletion_time"]


def test_what_our_token_lacks_is_told_by_the_server_itself(bench: Bench) -> None:
    assert PROVIDER.lacking is not None
    needed = sorted({one for action in PROVIDER.actions for one in action.permissions})
    assert list(PROVIDER.lacking(bench.client(), needed)) == []
    bench.live.secret = bench.live.world.labels["other"]

    lacking = PROVIDER.lacking(bench.client(), needed)
    assert {LIST_ACCESSORS, LOOKUP} <= set(lacking)
    assert LOOKUP_SELF not in lacking


def test_the_sweep_of_leases_takes_all_of_a_role(bench: Bench) -> None:
    applied(bench, RevokePrefix(prefix=LEASES))

    assert bench.live.world.alive(but="nothing") | {"lease-0": True, "lease-1": True} == dict.fromkeys(
        (*TOKENS, *SECRET_IDS, "lease-0", "lease-1"), True
    )
    assert isinstance(RevokePrefix(prefix=LEASES).plan(bench.client()), Unchanged)


@contextlib.contextmanager
def a_database(world: OnServer) -> Iterator[Any]:
    """Let the server keep accounts of a real database, and yield a connection to that."""
    import psycopg  # noqa: PLC0415 - only where a server runs

    with postgresql_server() as database, psycopg.connect(database.url(), autocommit=True) as connected:
        connected.execute("CREATE ROLE app_user LOGIN PASSWORD 'first'")
        world.done("POST", "sys/mounts/database", {"type": "database"})
        config = {"plugin_name": "postgresql-database-plugin", "allowed_roles": "*"}
        address = f"{database.url()}?sslmode=disable"
        world.done("POST", "database/config/pg", {**config, "connection_url": address})
        yield connected


@pytest.mark.skipif(bool(postgresql_missing()), reason=postgresql_missing())
def test_a_static_role_gets_a_new_password_at_a_real_database(bench: Bench) -> None:
    world = bench.live.world
    stored = "SELECT rolpassword FROM pg_authid WHERE rolname = 'app_user'"
    with a_database(world) as database:
        role = {"db_name": "pg", "username": "app_user", "rotation_period": "24h"}
        world.done("POST", "database/static-roles/app", role)
        before = database.execute(stored).fetchone()
        bench.live.clock.move(3600.0)
        since = datetime.now(UTC)
        action = RotateStaticRole(role="app", since=since)
        applied(bench, action)

        assert before != database.execute(stored).fetchone()
        assert isinstance(action.plan(bench.client()), Unchanged)


@pytest.mark.skipif(bool(postgresql_missing()), reason=postgresql_missing())
def test_an_account_that_was_leased_is_gone_from_a_real_database_when_the_revocation_returns(bench: Bench) -> None:
    world = bench.live.world
    with a_database(world) as database:
        made = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
        world.done("POST", "database/roles/web", {"db_name": "pg", "creation_statements": [made]})
        users = [world.done("GET", "database/creds/web")["data"]["username"] for _ in range(3)]
        there = "SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)"
        before = database.execute(there, (users,)).fetchone()
        applied(bench, RevokePrefix(prefix="database/creds/web"))

        assert (before, database.execute(there, (users,)).fetchone()) == ((3,), (0,))
