"""IAM's operations on policies, and its simulator."""

from collections.abc import Callable
from urllib.parse import quote

from responder.drill.world.aws.account import Account
from responder.drill.world.aws.model import Role, User
from responder.drill.world.aws.policies import MANAGED, decide, statements
from responder.drill.world.aws.protocol import Call, Done, Refused
from responder.drill.world.ledger import Effect

_PAGE = 50


def put_user_policy(account: Account, call: Call) -> Done:
    """Write a policy into a user."""
    return _put(account, account.user(call.text("UserName")), call)


def put_role_policy(account: Account, call: Call) -> Done:
    """Write a policy into a role; one that belongs to a product cannot be changed."""
    role = account.role(call.text("RoleName"))
    if role.path.startswith("/aws-service-role/"):
        raise Refused(400, "UnmodifiableEntity", "Cannot perform the operation on the protected role")
    return _put(account, role, call)


def _put(account: Account, owner: User | Role, call: Call) -> Done:
    name, document = call.text("PolicyName"), call.text("PolicyDocument")
    try:
        statements(document)
    except (ValueError, KeyError):
        raise Refused(400, "MalformedPolicyDocument", "Syntax errors in policy.") from None
    owner.inline.put(name, document, account.felt_at())
    return Done(effects=_meant(account, owner, name, document))


def _meant(account: Account, owner: User | Role, name: str, document: str) -> tuple[Effect, ...]:
    """Say what a policy is for: it ends sessions, fences the keys of a user, or gives rights."""
    if "aws:TokenIssueTime" in document:
        return (Effect("sessions_ended", name, owner.name),)
    denies = all(one["Effect"] == "Deny" for one in statements(document)) and bool(statements(document))
    if denies and isinstance(owner, User):
        return tuple(Effect("fenced", key.id, owner.name) for key in account.keys_of(owner.name))
    return (Effect("policy_written", name, owner.name),)


def get_user_policy(account: Account, call: Call) -> Done:
    """Show a policy of a user."""
    return _shown(account.user(call.text("UserName")), "UserName", call)


def get_role_policy(account: Account, call: Call) -> Done:
    """Show a policy of a role."""
    return _shown(account.role(call.text("RoleName")), "RoleName", call)


def _shown(owner: User | Role, kind: str, call: Call) -> Done:
    name = call.text("PolicyName")
    if name not in owner.inline.listed:
        raise Refused(404, "NoSuchEntity", f"The policy with name {name} cannot be found.")
    return Done({kind: owner.name, "PolicyName": name, "PolicyDocument": quote(owner.inline.listed[name])})


def delete_user_policy(account: Account, call: Call) -> Done:
    """Take a policy out of a user."""
    user, name = account.user(call.text("UserName")), call.text("PolicyName")
    if name not in user.inline.listed:
        raise Refused(404, "NoSuchEntity", f"The policy with name {name} cannot be found.")
    user.inline.put(name, None, account.felt_at())
    return Done(effects=(Effect("policy_deleted", name, user.name),))


def list_user_policies(account: Account, call: Call) -> Done:
    """List the names of a user's own policies."""
    return call.page("PolicyNames", list(account.user(call.text("UserName")).inline.listed), _PAGE)


def list_attached_user_policies(account: Account, call: Call) -> Done:
    """List the policies that are attached to a user."""
    listed = account.user(call.text("UserName")).attached.listed
    told = [{"PolicyName": name, "PolicyArn": arn} for name, arn in listed.items()]
    return call.page("AttachedPolicies", told, _PAGE)


def attach_user_policy(account: Account, call: Call) -> Done:
    """Attach a policy to a user."""
    user, arn = account.user(call.text("UserName")), call.text("PolicyArn")
    if arn not in MANAGED:
        raise Refused(404, "NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")
    user.attached.put(arn.rpartition("/")[2], arn, account.felt_at())
    return Done(effects=(Effect("policy_attached", arn, user.name),))


def detach_user_policy(account: Account, call: Call) -> Done:
    """Detach a policy from a user."""
    user, arn = account.user(call.text("UserName")), call.text("PolicyArn")
    name = arn.rpartition("/")[2]
    if user.attached.listed.get(name) != arn:
        raise Refused(404, "NoSuchEntity", f"Policy {arn} was not found.")
    user.attached.put(name, None, account.felt_at())
    return Done(effects=(Effect("policy_detached", arn, user.name),))


def list_roles(account: Account, call: Call) -> Done:
    """List roles with who may take them on."""
    told = [_role(role) for role in account.roles.values()]
    return call.page("Roles", told, _PAGE)


def get_role(account: Account, call: Call) -> Done:
    """Show a role."""
    return Done({"Role": _role(account.role(call.text("RoleName")))})


def _role(role: Role) -> dict[str, object]:
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.created_at,
        "AssumeRolePolicyDocument": quote(role.trust),
    }


def simulate_principal_policy(account: Account, call: Call) -> Done:
    """Say what the policies of a user or a role, as they are listed, would decide."""
    arn = call.text("PolicySourceArn")
    principals: list[User | Role] = [*account.users.values(), *account.roles.values()]
    found = next((one for one in principals if one.arn == arn), None)
    if found is None:
        raise Refused(404, "NoSuchEntity", f"The principal {arn} cannot be found.")
    documents = [*found.inline.listed.values()]
    if isinstance(found, User):
        documents += [MANAGED[arn] for arn in found.attached.listed.values()]
    context, number = {}, 1
    while name := call.fields.get(f"ContextEntries.member.{number}.ContextKeyName"):
        context[str(name)] = str(call.fields[f"ContextEntries.member.{number}.ContextKeyValues.member.1"])
        number += 1
    told = [
        {"EvalActionName": action, "EvalResourceName": "*", "EvalDecision": decide(documents, action, context)}
        for action in call.many("ActionNames")
    ]
    return call.page("EvaluationResults", told, 100)


OPERATIONS: dict[str, Callable[[Account, Call], Done]] = {
    "iam:PutUserPolicy": put_user_policy,
    "iam:PutRolePolicy": put_role_policy,
    "iam:GetUserPolicy": get_user_policy,
    "iam:GetRolePolicy": get_role_policy,
    "iam:DeleteUserPolicy": delete_user_policy,
    "iam:ListUserPolicies": list_user_policies,
    "iam:ListAttachedUserPolicies": list_attached_user_policies,
    "iam:AttachUserPolicy": attach_user_policy,
    "iam:DetachUserPolicy": detach_user_policy,
    "iam:ListRoles": list_roles,
    "iam:GetRole": get_role,
    "iam:SimulatePrincipalPolicy": simulate_principal_policy,
}
