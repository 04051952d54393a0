"""Secrets Manager and Parameter Store: values go in, and are told to consumers alone."""

import re
from collections.abc import Callable
from typing import Any

from responder.drill.world.aws.account import Account
from responder.drill.world.aws.model import Parameter, Stored
from responder.drill.world.aws.protocol import Call, Done, Refused
from responder.drill.world.ledger import Effect

_SHORTEST_TOKEN, _LONGEST_TOKEN = 32, 64
_MOST_STANDARD = 4096
_MOST_DESCRIPTION = 1024


def _secret(account: Account, call: Call) -> Stored:
    name = call.text("SecretId")
    found = account.secrets.get(name) or next((s for s in account.secrets.values() if _arn(account, s) == name), None)
    if found is None:
        raise Refused(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    return found


def _arn(account: Account, secret: Stored) -> str:
    return f"arn:aws:secretsmanager:us-east-1:{account.number}:secret:{secret.name}-AbCdEf"


def describe_secret(account: Account, call: Call) -> Done:
    """Show everything about a secret but its value."""
    secret = _secret(account, call)
    stages: dict[str, list[str]] = {}
    for stage, version in secret.stages.items():
        stages.setdefault(version, []).append(stage)
    told: dict[str, Any] = {"ARN": _arn(account, secret), "Name": secret.name, "VersionIdsToStages": stages}
    told |= {"CreatedDate": secret.created_at, "LastChangedDate": secret.changed_at}
    return Done(told | ({"DeletedDate": secret.deleted_at} if secret.deleted_at else {}))


def put_secret_value(account: Account, call: Call) -> Done:
    """Add a version; the same token with the same value is the same version, with another value an error."""
    secret = _secret(account, call)
    if secret.deleted_at:
        raise Refused(400, "InvalidRequestException", "The secret is scheduled for deletion.")
    token, value = call.text("ClientRequestToken"), call.text("SecretString")
    if not _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN:
        raise Refused(400, "ValidationException", "ClientRequestToken must have length between 32 and 64")
    told = {"ARN": _arn(account, secret), "Name": secret.name, "VersionId": token}
    if token in secret.versions:
        if secret.versions[token] != value:
            raise Refused(400, "ResourceExistsException", "You can't modify an existing version.")
        stages = [stage for stage, version in secret.stages.items() if version == token]
        return Done(told | {"VersionStages": stages})
    secret.versions[token] = value
    secret.stages["AWSPREVIOUS"] = secret.stages["AWSCURRENT"]
    secret.stages["AWSCURRENT"] = token
    secret.changed_at = account.now
    effect = Effect(
        "secret_written", account.stored_label(value) or token, f"secretsmanager:{secret.name}", {"version": token}
    )
    return Done(told | {"VersionStages": ["AWSCURRENT"]}, (effect,))


def get_resource_policy(account: Account, call: Call) -> Done:
    """Show who else may read a secret."""
    secret = _secret(account, call)
    told = {"ARN": _arn(account, secret), "Name": secret.name}
    return Done(told | ({"ResourcePolicy": secret.policy} if secret.policy else {}))


def describe_parameters(account: Account, call: Call) -> Done:
    """Show parameters by name, everything but their values."""
    wanted = [
        value for one in call.fields.get("ParameterFilters", []) if one["Key"] == "Name" for value in one["Values"]
    ]
    found = [one for name, one in account.parameters.items() if name in wanted]
    return Done({"Parameters": [_shown(one) for one in found]})


def _shown(parameter: Parameter) -> dict[str, Any]:
    told = {
        "Name": parameter.name,
        "Type": parameter.kind,
        "Version": parameter.version,
        "LastModifiedDate": parameter.at,
        "Tier": parameter.tier,
    }
    described = {"Description": parameter.description} if parameter.description else {}
    described |= {"AllowedPattern": parameter.pattern} if parameter.pattern else {}
    return told | described | ({"KeyId": parameter.key} if parameter.kind == "SecureString" else {})


def put_parameter(account: Account, call: Call) -> Done:
    """Write a parameter; what is not given again, such as the key that encrypts it, is the store's own."""
    name, value = call.text("Name"), call.text("Value")
    found = account.parameters.get(name)
    if found and not call.fields.get("Overwrite"):
        raise Refused(400, "ParameterAlreadyExists", "The parameter already exists.")
    if found and call.fields.get("Tags"):
        raise Refused(400, "ValidationException", "Tags and Overwrite can't be used together.")
    if len(value.encode()) > _MOST_STANDARD and call.fields.get("Tier") != "Advanced":
        raise Refused(400, "ValidationException", "Standard tier parameters support a maximum of 4096 characters.")
    if len(str(call.fields.get("Description") or "")) > _MOST_DESCRIPTION:
        raise Refused(400, "ValidationException", "Description must have length less than or equal to 1024")
    kind = str(call.fields.get("Type") or (found.kind if found else ""))
    if found and kind != found.kind:
        raise Refused(400, "HierarchyTypeMismatchException", "The type of a parameter can't be changed.")
    pattern = str(call.fields.get("AllowedPattern") or "")
    if pattern and not re.fullmatch(pattern, value):
        raise Refused(400, "ParameterPatternMismatchException", "Parameter value doesn't match the pattern.")
    version = found.version + 1 if found else 1
    made = account.add_parameter(
        name, value, kind, version=version, description=str(call.fields.get("Description") or ""),
        key=str(call.fields.get("KeyId") or "alias/aws/ssm"), tier=str(call.fields.get("Tier") or "Standard"),
        pattern=pattern,
    )  # fmt: skip
    key = account.stored_label(value) or made.description
    effect = Effect("secret_written", key, f"ssm:{name}", {"version": version})
    return Done({"Version": version, "Tier": made.tier}, (effect,))


OPERATIONS: dict[str, Callable[[Account, Call], Done]] = {
    "secretsmanager:DescribeSecret": describe_secret,
    "secretsmanager:PutSecretValue": put_secret_value,
    "secretsmanager:GetResourcePolicy": get_resource_policy,
    "ssm:DescribeParameters": describe_parameters,
    "ssm:PutParameter": put_parameter,
}
