"""STS's operations: who somebody is, and temporary keys."""

import json
from collections.abc import Callable

from responder.drill.world.aws.account import SESSION_SECONDS, Account
from responder.drill.world.aws.model import Key, Role, Session, User
from responder.drill.world.aws.protocol import Call, Done, Refused
from responder.drill.world.ledger import Effect

_ROLE_SECONDS = 3600


def get_caller_identity(account: Account, call: Call) -> Done:
    """Say who asks; this needs no permission, and no deny takes it away."""
    who = call.caller
    if isinstance(who, Session) and isinstance(who.owner, Role):
        arn = f"arn:aws:sts::{account.number}:assumed-role/{who.owner.name}/{who.name}"
        return Done({"UserId": f"{who.owner.id}:{who.name}", "Account": account.number, "Arn": arn})
    user = who.owner if isinstance(who, Session) else account.user(who.user)
    return Done({"UserId": user.id, "Account": account.number, "Arn": user.arn})


def get_access_key_info(account: Account, call: Call) -> Done:
    """Say which account a key id belongs to, whether it is live or not."""
    key_id = call.text("AccessKeyId")
    if key_id not in account.keys and key_id not in account.sessions:
        raise Refused(400, "ValidationError", "Invalid Access key")
    return Done({"Account": account.number})


def get_session_token(account: Account, call: Call) -> Done:
    """Open a session of the user who asks."""
    if not isinstance(call.caller, Key):
        raise Refused(403, "AccessDenied", "Cannot call GetSessionToken with session credentials")
    user = account.users[call.caller.user]
    seconds = float(call.fields.get("DurationSeconds") or SESSION_SECONDS)
    return _opened(account, call.caller, user, user.name, seconds)


def assume_role(account: Account, call: Call) -> Done:
    """Open a session of a role whose trust policy names whoever asks."""
    arn, who = call.text("RoleArn"), call.caller
    role = next((one for one in account.roles.values() if one.arn == arn), None)
    owner = account.users[who.user] if isinstance(who, Key) else who.owner
    if role is None or owner.arn not in str(json.loads(role.trust)):
        raise Refused(403, "AccessDenied", f"not authorized to perform: sts:AssumeRole on resource: {arn}")
    opener = who if isinstance(who, Key) else account.keys[who.opened_by]
    seconds = float(call.fields.get("DurationSeconds") or _ROLE_SECONDS)
    return _opened(account, opener, role, call.text("RoleSessionName"), seconds)


def _opened(account: Account, key: Key, owner: User | Role, name: str, seconds: float) -> Done:
    made = account.open_session(key, owner, name, seconds)
    told = {
        "AccessKeyId": made.id,
        "SecretAccessKey": made.secret,
        "SessionToken": made.token,
        "Expiration": made.ends_at,
    }
    shown = {"accessKeyId": made.id, "expiration": made.ends_at.strftime("%b %d, %Y, %I:%M:%S %p")}
    arn = f"arn:aws:sts::{account.number}:assumed-role/{owner.name}/{name}"
    user = {"AssumedRoleUser": {"AssumedRoleId": f"{owner.id}:{name}", "Arn": arn}} if isinstance(owner, Role) else {}
    return Done({"Credentials": told} | user, (Effect("session_opened", made.id, owner.name),), {"credentials": shown})


OPERATIONS: dict[str, Callable[[Account, Call], Done]] = {
    "sts:GetCallerIdentity": get_caller_identity,
    "sts:GetAccessKeyInfo": get_access_key_info,
    "sts:GetSessionToken": get_session_token,
    "sts:AssumeRole": assume_role,
}
