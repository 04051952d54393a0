"""IAM's operations on users and their access keys."""

from collections.abc import Callable

from responder.drill.world.aws.account import Account
from responder.drill.world.aws.model import Key
from responder.drill.world.aws.protocol import Call, Done, Refused
from responder.drill.world.ledger import Effect

_MOST_KEYS = 2
_PAGE = 50


def _whose(account: Account, call: Call) -> str:
    """Return the user who is meant: the one that is named, else whoever asks."""
    name = str(call.fields.get("UserName") or "")
    if not name and isinstance(call.caller, Key):
        name = call.caller.user
    return account.user(name).name


def get_user(account: Account, call: Call) -> Done:
    """Show a user."""
    user = account.user(_whose(account, call))
    told = {"Path": "/", "UserName": user.name, "UserId": user.id, "Arn": user.arn, "CreateDate": user.created_at}
    return Done({"User": told})


def list_users(account: Account, call: Call) -> Done:
    """List users, page by page."""
    told = [
        {"Path": "/", "UserName": user.name, "UserId": user.id, "Arn": user.arn, "CreateDate": user.created_at}
        for user in account.users.values()
    ]
    return call.page("Users", told, _PAGE)


def get_account_summary(account: Account, _: Call) -> Done:
    """Say whether the root user has keys, which no list shows."""
    return Done({"SummaryMap": {"entry": {"key": "AccountAccessKeysPresent", "value": int(account.root_has_keys)}}})


def list_access_keys(account: Account, call: Call) -> Done:
    """List a user's keys; never a secret."""
    name = _whose(account, call)
    told = [
        {"UserName": name, "AccessKeyId": key.id, "Status": key.status, "CreateDate": key.created_at}
        for key in account.keys_of(name)
    ]
    return call.page("AccessKeyMetadata", told, _PAGE)


def get_access_key_last_used(account: Account, call: Call) -> Done:
    """Tell when a key was used last; of one that is not there AWS says that one may not ask."""
    key = account.keys.get(call.text("AccessKeyId"))
    if key is None or key.deleted:
        told = f"not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key {call.text('AccessKeyId')}"
        raise Refused(403, "AccessDenied", f"User is {told}")
    used = key.last_used
    shown = (
        {"LastUsedDate": used[0], "ServiceName": used[1], "Region": used[2]}
        if used
        else {"ServiceName": "N/A", "Region": "N/A"}
    )
    return Done({"UserName": key.user, "AccessKeyLastUsed": shown})


def create_access_key(account: Account, call: Call) -> Done:
    """Make a key; asking twice makes two, and a user has two at most, those that are switched off included."""
    name = _whose(account, call)
    if isinstance(call.caller, Key) and call.caller.deleted:
        raise Refused(403, "AccessDenied", "A deleted key makes no keys.")
    if len(account.keys_of(name)) >= _MOST_KEYS:
        raise Refused(409, "LimitExceeded", f"Cannot exceed quota for AccessKeysPerUser: {_MOST_KEYS}")
    made = account.new_key(name)
    told = {
        "UserName": name,
        "AccessKeyId": made.id,
        "Status": made.status,
        "SecretAccessKey": made.secret,
        "CreateDate": made.created_at,
    }
    traced = {"accessKey": {"userName": name, "accessKeyId": made.id, "status": made.status}}
    return Done({"AccessKey": told}, (Effect("key_issued", name, name, {"id": made.id}),), traced)


def update_access_key(account: Account, call: Call) -> Done:
    """Switch a key off, or on again."""
    key = account.key(_whose(account, call), call.text("AccessKeyId"))
    status = call.text("Status")
    if status not in ("Active", "Inactive"):
        raise Refused(400, "ValidationError", "Status must be Active or Inactive")
    if status == key.status:
        return Done()
    key.status = status
    if status == "Active":
        key.refused_from = None
        return Done(effects=(Effect("key_enabled", key.id, key.user),))
    account.refuse(key)
    return Done(effects=(Effect("key_disabled", key.id, key.user),))


def delete_access_key(account: Account, call: Call) -> Done:
    """Delete a key; the second time there is none."""
    key = account.key(_whose(account, call), call.text("AccessKeyId"))
    account.refuse(key)
    key.deleted = True
    return Done(effects=(Effect("key_revoked", key.id, key.user),))


def list_user_tags(account: Account, call: Call) -> Done:
    """List a user's tags."""
    tags = account.user(call.text("UserName")).tags
    return call.page("Tags", [{"Key": name, "Value": value} for name, value in tags.items()], _PAGE)


def tag_user(account: Account, call: Call) -> Done:
    """Set tags of a user."""
    user, number = account.user(call.text("UserName")), 1
    while name := call.fields.get(f"Tags.member.{number}.Key"):
        user.tags[str(name)] = str(call.fields.get(f"Tags.member.{number}.Value") or "")
        number += 1
    return Done()


OPERATIONS: dict[str, Callable[[Account, Call], Done]] = {
    "iam:GetUser": get_user,
    "iam:ListUsers": list_users,
    "iam:GetAccountSummary": get_account_summary,
    "iam:ListAccessKeys": list_access_keys,
    "iam:GetAccessKeyLastUsed": get_access_key_last_used,
    "iam:CreateAccessKey": create_access_key,
    "iam:UpdateAccessKey": update_access_key,
    "iam:DeleteAccessKey": delete_access_key,
    "iam:ListUserTags": list_user_tags,
    "iam:TagUser": tag_user,
}
