"""IAM's operations on the other ways in: passwords, SSH keys, product credentials, certificates, devices."""

from collections.abc import Callable

from responder.drill.world.aws.account import Account
from responder.drill.world.aws.protocol import Call, Done, Refused
from responder.drill.world.ledger import Effect

_PAGE = 50


def get_login_profile(account: Account, call: Call) -> Done:
    """Show since when a user has a password."""
    user = account.user(call.text("UserName"))
    if user.password_since is None:
        raise Refused(404, "NoSuchEntity", f"Login Profile for User {user.name} cannot be found.")
    told = {"UserName": user.name, "CreateDate": user.password_since, "PasswordResetRequired": False}
    return Done({"LoginProfile": told})


def delete_login_profile(account: Account, call: Call) -> Done:
    """Take a user's password away; the keys go on working."""
    user = account.user(call.text("UserName"))
    if user.password_since is None:
        raise Refused(404, "NoSuchEntity", f"Login Profile for User {user.name} cannot be found.")
    user.password_since = None
    return Done(effects=(Effect("password_deleted", user.name, user.name),))


def list_ssh_public_keys(account: Account, call: Call) -> Done:
    """List a user's SSH keys."""
    user = account.user(call.text("UserName"))
    told = [
        {"UserName": user.name, "SSHPublicKeyId": id_, "Status": "Active", "UploadDate": at}
        for id_, at in user.ssh_keys.items()
    ]
    return call.page("SSHPublicKeys", told, _PAGE)


def delete_ssh_public_key(account: Account, call: Call) -> Done:
    """Delete an SSH key."""
    user, id_ = account.user(call.text("UserName")), call.text("SSHPublicKeyId")
    if user.ssh_keys.pop(id_, None) is None:
        raise Refused(404, "NoSuchEntity", f"SSH Public Key {id_} cannot be found.")
    return Done(effects=(Effect("ssh_key_deleted", id_, user.name),))


def list_product_credentials(account: Account, call: Call) -> Done:
    """List a user's credentials for single services."""
    user = account.user(call.text("UserName"))
    told = [
        {
            "UserName": user.name,
            "Status": "Active",
            "ServiceUserName": f"{user.name}-at-{account.number}",
            "CreateDate": at,
            "ServiceSpecificCredentialId": id_,
            "ServiceName": product,
        }
        for id_, (product, at) in user.product_credentials.items()
    ]
    return Done({"ServiceSpecificCredentials": told})


def delete_product_credential(account: Account, call: Call) -> Done:
    """Delete a credential for a single product."""
    user, id_ = account.user(call.text("UserName")), call.text("ServiceSpecificCredentialId")
    if user.product_credentials.pop(id_, None) is None:
        raise Refused(404, "NoSuchEntity", f"Service Specific Credential {id_} cannot be found.")
    return Done(effects=(Effect("service_credential_deleted", id_, user.name),))


def list_signing_certificates(account: Account, call: Call) -> Done:
    """List a user's signing certificates."""
    user = account.user(call.text("UserName"))
    told = [
        {"UserName": user.name, "CertificateId": id_, "CertificateBody": "-", "Status": "Active", "UploadDate": at}
        for id_, at in user.certificates.items()
    ]
    return call.page("Certificates", told, _PAGE)


def list_mfa_devices(account: Account, call: Call) -> Done:
    """List a user's second factors."""
    user = account.user(call.text("UserName"))
    told = [{"UserName": user.name, "SerialNumber": id_, "EnableDate": at} for id_, at in user.devices.items()]
    return call.page("MFADevices", told, _PAGE)


OPERATIONS: dict[str, Callable[[Account, Call], Done]] = {
    "iam:GetLoginProfile": get_login_profile,
    "iam:DeleteLoginProfile": delete_login_profile,
    "iam:ListSSHPublicKeys": list_ssh_public_keys,
    "iam:DeleteSSHPublicKey": delete_ssh_public_key,
    "iam:ListServiceSpecificCredentials": list_product_credentials,
    "iam:DeleteServiceSpecificCredential": delete_product_credential,
    "iam:ListSigningCertificates": list_signing_certificates,
    "iam:ListMFADevices": list_mfa_devices,
}
