"""The drill's AWS by itself, asked by AWS's own client."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session
from cases.aws import ADMIN, CONTROL, LEAKED, OTHER, USER, furnished
from cases.common import a_ground

from responder.drill.world.aws import Aws
from responder.drill.world.aws.signed import form
from responder.drill.world.caller import Caller

_CONFIG = Config(retries={"total_max_attempts": 1, "mode": "standard"})


class Asker:
    """Somebody with a key of the account."""

    def __init__(self, system: Aws) -> None:
        self.system = system

    def client(self, service: str, value: str, region: str = "us-east-1") -> Any:
        key_id, secret, token = [*value.split(":"), ""][:3]
        return Session().create_client(
            service, region_name=region, endpoint_url=f"http://127.0.0.1:{self.system.door.port}", config=_CONFIG,
            aws_access_key_id=key_id, aws_secret_access_key=secret, aws_session_token=token or None,
        )  # fmt: skip

    def ask(self, label: str, call: str, **sent: Any) -> Any:
        service, _, operation = call.partition(":")
        made = self.client(service, self.system.ground.labels[label])
        try:
            return getattr(made, operation)(**sent)
        finally:
            made.close()

    def refused(self, label: str, call: str, **sent: Any) -> tuple[int, str]:
        with pytest.raises(ClientError) as caught:
            self.ask(label, call, **sent)
        answer = caught.value.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]

    def move(self, seconds: float) -> None:
        clock: Any = self.system.ground.clock
        clock.move(seconds)

    def lines(self) -> list[dict[str, Any]]:
        path = self.system.ground.spec.dir / "ledger.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def effects(self) -> list[tuple[str, str, str]]:
        return [(e["kind"], e["key"], e["subject"]) for line in self.lines() if (e := line["effect"])]


@contextmanager
def an_asker() -> Iterator[Asker]:
    with a_ground() as ground:
        system = Aws(ground)
        system.open()
        try:
            yield Asker(furnished(system))
        finally:
            system.close()


@pytest.fixture
def aws() -> Iterator[Asker]:
    with an_asker() as made:
        yield made


def leaked_id(aws: Asker) -> str:
    return aws.system.ground.labels[LEAKED].partition(":")[0]


def test_it_is_empty_until_it_is_furnished() -> None:
    with a_ground() as ground:
        system = Aws(ground)
        system.close()

    assert (system.users, system.keys, system.roles, system.secrets, system.parameters) == ({}, {}, {}, {}, {})


def test_whoever_signs_is_told_who_they_are(aws: Asker) -> None:
    found = aws.ask(LEAKED, "sts:get_caller_identity")

    assert (found["Account"], found["Arn"]) == (aws.system.number, f"arn:aws:iam::{aws.system.number}:user/{USER}")


def test_another_secret_for_the_same_key_is_another_error(aws: Asker) -> None:
    aws.system.ground.labels.add({"wrong": f"{leaked_id(aws)}:{'x' * 40}", "nobody": f"AKIA{'Q' * 16}:{'x' * 40}"})

    assert aws.refused("wrong", "sts:get_caller_identity") == (403, "SignatureDoesNotMatch")
    assert aws.refused("nobody", "sts:get_caller_identity") == (403, "InvalidClientTokenId")
    assert aws.refused("nobody", "ssm:describe_parameters") == (400, "UnrecognizedClientException")


def test_a_third_key_is_refused_and_those_switched_off_count(aws: Asker) -> None:
    second = aws.ask(ADMIN, "iam:create_access_key", UserName=USER)["AccessKey"]["AccessKeyId"]
    aws.ask(ADMIN, "iam:update_access_key", UserName=USER, AccessKeyId=second, Status="Inactive")

    assert aws.refused(ADMIN, "iam:create_access_key", UserName=USER) == (409, "LimitExceeded")


def test_an_ended_key_works_for_some_seconds_and_is_refused_then(aws: Asker) -> None:
    aws.ask(ADMIN, "iam:delete_access_key", UserName=USER, AccessKeyId=leaked_id(aws))
    aws.move(3)
    assert aws.ask(LEAKED, "sts:get_caller_identity")
    assert aws.refused(LEAKED, "iam:create_access_key") == (403, "AccessDenied")
    aws.move(1)

    assert aws.refused(LEAKED, "sts:get_caller_identity") == (403, "InvalidClientTokenId")
    assert not aws.system.accepts(LEAKED)
    assert aws.system.accepts(OTHER)


def test_a_second_deletion_finds_nothing(aws: Asker) -> None:
    asked = {"UserName": USER, "AccessKeyId": leaked_id(aws)}
    aws.ask(ADMIN, "iam:delete_access_key", **asked)

    assert aws.refused(ADMIN, "iam:delete_access_key", **asked) == (404, "NoSuchEntity")
    assert aws.refused(ADMIN, "iam:get_access_key_last_used", AccessKeyId=leaked_id(aws)) == (403, "AccessDenied")
    assert aws.effects() == [("key_revoked", leaked_id(aws), USER)]


def test_a_key_that_was_switched_off_comes_back_and_does_not_come_back_by_its_deletion(aws: Asker) -> None:
    asked = {"UserName": USER, "AccessKeyId": leaked_id(aws)}
    aws.ask(ADMIN, "iam:update_access_key", Status="Inactive", **asked)
    aws.move(5)
    assert aws.refused(LEAKED, "sts:get_caller_identity") == (403, "InvalidClientTokenId")
    aws.ask(ADMIN, "iam:update_access_key", Status="Active", **asked)
    assert aws.system.accepts(LEAKED)
    aws.ask(ADMIN, "iam:update_access_key", Status="Inactive", **asked)
    aws.move(5)
    aws.ask(ADMIN, "iam:delete_access_key", **asked)

    assert not aws.system.accepts(LEAKED)


DENY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})


def test_a_deny_is_felt_after_a_while_and_never_hides_who_one_is(aws: Asker) -> None:
    aws.ask(ADMIN, "iam:put_user_policy", UserName=USER, PolicyName="no", PolicyDocument=DENY)
    assert aws.ask(LEAKED, "iam:get_user")
    aws.move(20)

    assert aws.refused(LEAKED, "iam:get_user") == (403, "AccessDenied")
    assert aws.ask(LEAKED, "sts:get_caller_identity")
    assert aws.system.accepts(LEAKED)


def test_a_quarantine_keeps_a_user_from_making_keys(aws: Asker) -> None:
    aws.system.users[USER].attached.put(
        "AdministratorAccess", "arn:aws:iam::aws:policy/AdministratorAccess", aws.system.now
    )
    aws.system.quarantine(USER)
    aws.move(20)

    assert aws.refused(LEAKED, "iam:create_access_key") == (403, "AccessDenied")
    assert aws.ask(LEAKED, "iam:get_user")


def test_whoever_may_nothing_is_told_so_by_each_kind_of_service(aws: Asker) -> None:
    assert aws.refused(CONTROL, "iam:list_users") == (403, "AccessDenied")
    assert aws.refused(CONTROL, "secretsmanager:describe_secret", SecretId="site/key") == (400, "AccessDeniedException")


def test_a_session_outlives_its_key_and_ends_by_its_time_of_issue(aws: Asker) -> None:
    given = aws.ask(LEAKED, "sts:get_session_token")["Credentials"]
    aws.ask(ADMIN, "iam:delete_access_key", UserName=USER, AccessKeyId=leaked_id(aws))
    aws.move(60)
    assert given["AccessKeyId"].startswith("ASIA")
    assert aws.ask("aws-session-1", "iam:get_user", UserName=USER)
    assert aws.system.accepts("aws-session-1")
    cut = json.loads(DENY)
    moment = aws.system.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    cut["Statement"][0]["Condition"] = {"DateLessThan": {"aws:TokenIssueTime": moment}}
    aws.ask(ADMIN, "iam:put_user_policy", UserName=USER, PolicyName="cut", PolicyDocument=json.dumps(cut))
    aws.move(20)

    assert aws.refused("aws-session-1", "iam:get_user", UserName=USER) == (403, "AccessDenied")
    assert not aws.system.accepts("aws-session-1")


def test_a_session_needs_its_token_and_expires(aws: Asker) -> None:
    aws.ask(LEAKED, "sts:get_session_token", DurationSeconds=900)
    value = aws.system.ground.labels["aws-session-1"]
    aws.system.ground.labels.add({"no-token": value.rpartition(":")[0]})
    assert aws.refused("no-token", "sts:get_caller_identity") == (403, "InvalidClientTokenId")
    aws.move(901)

    assert aws.refused("aws-session-1", "sts:get_caller_identity") == (403, "ExpiredToken")


def test_a_role_is_taken_on_by_whom_it_trusts_alone(aws: Asker) -> None:
    arn = aws.system.roles["release"].arn
    found = aws.ask(LEAKED, "sts:assume_role", RoleArn=arn, RoleSessionName="work")
    told = {"RoleArn": arn, "RoleSessionName": "work"}

    assert found["AssumedRoleUser"]["Arn"].endswith("assumed-role/release/work")
    assert aws.refused(OTHER, "sts:assume_role", **told) == (403, "AccessDenied")
    assert aws.ask("aws-session-1", "sts:get_caller_identity")["Arn"].endswith("assumed-role/release/work")


def test_the_role_of_a_service_cannot_be_changed(aws: Asker) -> None:
    aws.system.add_role("AWSServiceRoleForX", "arn:aws:iam::1:root", path="/aws-service-role/x/")
    told = {"RoleName": "AWSServiceRoleForX", "PolicyName": "x", "PolicyDocument": DENY}

    assert aws.refused(ADMIN, "iam:put_role_policy", **told) == (400, "UnmodifiableEntity")


def test_a_text_that_is_no_policy_is_refused(aws: Asker) -> None:
    told = {"UserName": USER, "PolicyName": "x", "PolicyDocument": "{}"}

    assert aws.refused(ADMIN, "iam:put_user_policy", **told) == (400, "MalformedPolicyDocument")


def test_the_same_token_is_the_same_version_and_another_value_an_error(aws: Asker) -> None:
    told = {"SecretId": "site/key", "ClientRequestToken": "t" * 32}
    for _ in range(2):
        aws.ask(ADMIN, "secretsmanager:put_secret_value", SecretString="new", **told)
    stages = aws.ask(ADMIN, "secretsmanager:describe_secret", SecretId="site/key")["VersionIdsToStages"]

    assert stages["t" * 32] == ["AWSCURRENT"]
    assert len(stages) == 2
    wrong = aws.refused(ADMIN, "secretsmanager:put_secret_value", SecretString="other", **told)
    assert wrong == (400, "ResourceExistsException")


def test_a_parameter_that_is_written_without_its_key_gets_the_stores_own(aws: Asker) -> None:
    told = {"Name": "/worker/key", "Value": "v", "Overwrite": True}
    assert aws.refused(ADMIN, "ssm:put_parameter", Type="String", **told) == (400, "HierarchyTypeMismatchException")
    aws.ask(ADMIN, "ssm:put_parameter", Type="SecureString", **told)
    found = aws.ask(ADMIN, "ssm:describe_parameters", ParameterFilters=[{"Key": "Name", "Values": ["/worker/key"]}])[
        "Parameters"
    ][0]

    assert (found["KeyId"], found["Version"], "Description" in found) == ("alias/aws/ssm", 2, False)


def test_the_history_is_late_and_of_one_region(aws: Asker) -> None:
    aws.ask(LEAKED, "iam:get_user")
    told = {"LookupAttributes": [{"AttributeKey": "AccessKeyId", "AttributeValue": leaked_id(aws)}]}
    assert aws.ask(ADMIN, "cloudtrail:lookup_events", **told)["Events"] == []
    aws.move(900)
    found = aws.ask(ADMIN, "cloudtrail:lookup_events", **told)["Events"]
    assert [event["EventName"] for event in found] == ["GetUser"]
    aws.move(timedelta(days=91).total_seconds())

    assert aws.ask(ADMIN, "cloudtrail:lookup_events", **told)["Events"] == []


def test_the_ledger_names_who_signed_and_never_a_value(aws: Asker) -> None:
    aws.ask(ADMIN, "iam:update_access_key", UserName=USER, AccessKeyId=leaked_id(aws), Status="Inactive")
    aws.ask(LEAKED, "sts:get_caller_identity")
    shown = [(line["credential"], line["write"]) for line in aws.lines()]

    assert shown == [(ADMIN, True), (LEAKED, False)]
    assert aws.effects() == [("key_disabled", leaked_id(aws), USER)]
    text = (aws.system.ground.spec.dir / "ledger.jsonl").read_text()
    assert aws.system.ground.labels[ADMIN].partition(":")[2] not in text


def test_a_new_key_has_a_label_and_its_effect_names_its_id(aws: Asker) -> None:
    made = aws.ask(ADMIN, "iam:create_access_key", UserName=USER)["AccessKey"]

    assert aws.system.ground.labels["aws-issued-1"] == f"{made['AccessKeyId']}:{made['SecretAccessKey']}"
    assert aws.system.accepts("aws-issued-1")
    assert aws.lines()[-1]["effect"] == {
        "kind": "key_issued", "key": USER, "subject": USER, "id": made["AccessKeyId"],
    }  # fmt: skip


def test_effects_tell_a_fence_from_the_end_of_sessions_and_whose_value_was_stored(aws: Asker) -> None:
    cut = json.loads(DENY)
    cut["Statement"][0]["Condition"] = {"DateLessThan": {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}}
    told = {"UserName": USER, "PolicyName": "p"}
    aws.ask(ADMIN, "iam:put_user_policy", PolicyDocument=DENY, **told)
    aws.ask(ADMIN, "iam:put_user_policy", PolicyDocument=json.dumps(cut), **told)
    key_id, _, secret = aws.system.ground.labels[OTHER].partition(":")
    pair = json.dumps({"Version": 1, "AccessKeyId": key_id, "SecretAccessKey": secret})
    aws.ask(ADMIN, "secretsmanager:put_secret_value", SecretId="site/key", SecretString=pair)

    assert aws.effects() == [
        ("fenced", leaked_id(aws), USER), ("sessions_ended", "p", USER),
        ("secret_written", OTHER, "secretsmanager:site/key"),
    ]  # fmt: skip


def test_the_worlds_own_people_sign_as_everybody_does(aws: Asker) -> None:
    asked = {"Action": "CreateAccessKey", "UserName": "probe"}
    value = aws.system.ground.labels[ADMIN]
    with Caller(aws.system.inner.port, "public") as caller:
        for pair, status in ((value, 200), (value[:-1] + "x", 403)):
            request = form(pair, "iam", asked, aws.system.now)
            assert caller.call("POST", "/", headers=request.headers, body=request.body)[0] == status

    assert [(line["actor"], line["credential"], bool(line["effect"])) for line in aws.lines()] == [
        ("public", ADMIN, True), ("public", "unknown", False),
    ]  # fmt: skip


def test_the_ledger_tells_a_dead_key_from_one_that_may_not_and_from_haste(aws: Asker) -> None:
    aws.refused(CONTROL, "iam:list_users")
    aws.refused(CONTROL, "ssm:describe_parameters")
    aws.system.throttled = 1
    aws.refused(ADMIN, "ssm:describe_parameters")
    aws.ask(ADMIN, "iam:delete_access_key", UserName=USER, AccessKeyId=leaked_id(aws))
    aws.move(60)
    aws.refused(LEAKED, "iam:list_users")
    aws.refused(LEAKED, "ssm:describe_parameters")

    assert [line["outcome"] for line in aws.lines()] == ["denied", "denied", "limited", "served", "refused", "refused"]


def test_what_is_no_request_of_aws_is_answered_too(aws: Asker) -> None:
    import httpx  # noqa: PLC0415

    found = httpx.post(f"http://127.0.0.1:{aws.system.door.port}/", content=b"{")

    assert found.status_code == 403


def test_what_nobody_knows_is_no_operation(aws: Asker) -> None:
    assert aws.refused(ADMIN, "iam:list_groups") == (400, "InvalidAction")
