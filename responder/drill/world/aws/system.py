"""The door to an account: who signed a request, whether they may, and what becomes of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from responder.drill.world.aws import logins, rules, stores, tokens, trail, users
from responder.drill.world.aws.account import Account
from responder.drill.world.aws.model import Event, Key, Session
from responder.drill.world.aws.protocol import Call, Done, Refused, answered, asked, refused
from responder.drill.world.aws.signed import is_signed_with, signed
from responder.drill.world.system import Ground, System
from responder.drill.world.web import Answer, Rejected, Request, Route, route

_READS = ("Get", "List", "Describe", "Simulate", "Lookup")
_OPERATIONS: dict[str, Callable[[Account, Call], Done]] = {
    name: act for module in (users, rules, logins, tokens, stores, trail) for name, act in module.OPERATIONS.items()
}
_FREE = {"sts:GetCallerIdentity", "sts:GetSessionToken", "sts:AssumeRole"}
"""What needs no permission of the user's own."""
_GLOBAL = ("iam", "sts")


class Aws(Account, System):
    """IAM, STS, Secrets Manager, Parameter Store and CloudTrail of one account; empty until it is furnished.

    The odd rules: a third key is refused, a second deletion finds nothing, a key that was ended works for some
    seconds, a policy is felt after a while, `GetCallerIdentity` answers under every deny, and a quarantine
    that AWS attaches keeps a user from making keys.
    """

    name = "aws"

    def __init__(self, ground: Ground) -> None:
        Account.__init__(self, ground)
        System.__init__(self, ground)
        self.address = "203.0.113.200"
        """Where the responder stands; the world's own people say theirs in `X-World-Address`."""
        self.throttled = 0
        """How many of the next requests are answered with `Throttling`."""

    def routes(self) -> tuple[Route, ...]:
        """Return the one address that all services have here."""
        return (route("POST", "/", self.serve),)

    def writes(self, request: Request) -> bool:
        """Tell whether the operation asks for a change."""
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        if not operation:
            try:
                operation = str(request.fields.get("Action", ""))
            except Rejected:
                return False
        return bool(operation) and not operation.startswith(_READS)

    def presented(self, request: Request) -> str | None:
        """Return the pair that signed, where the signature is right; else the key id that was claimed."""
        claim = signed(request)
        if claim is None:
            return None
        holder = self.keys.get(claim.key_id) or self.sessions.get(claim.key_id)
        if holder is None or not is_signed_with(request, claim, holder.secret):
            return claim.key_id
        return ":".join([holder.id, holder.secret, *([holder.token] if isinstance(holder, Session) else [])])

    def serve(self, request: Request, _: dict[str, str]) -> Answer:
        """Serve one operation of one product."""
        headers = {"Date": format_datetime(self.now.astimezone(UTC), usegmt=True)}
        call = asked(request)
        try:
            self._hurry()
            call.caller = self._caller(request)
            self._authorise(call, request)
            done = self._act(call)
        except Refused as error:
            self._trace(call, request, error.code, None)
            return refused(call.product, error, headers)
        self._trace(call, request, "", done)
        return answered(call, done, headers)

    def _hurry(self) -> None:
        if self.throttled:
            self.throttled -= 1
            raise Refused(400, "Throttling", "Rate exceeded")

    def _act(self, call: Call) -> Done:
        act = _OPERATIONS.get(f"{call.product}:{call.operation}")
        if act is None:
            raise Refused(400, "InvalidAction", f"Could not find operation {call.operation}")
        return act(self, call)

    def _caller(self, request: Request) -> Key | Session:
        claim = signed(request)
        key_id = claim.key_id if claim else ""
        holder = self.keys.get(key_id) or self.sessions.get(key_id)
        invalid = Refused(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        if claim is None or holder is None or (isinstance(holder, Key) and not holder.accepted(self.now)):
            raise invalid
        if isinstance(holder, Session) and request.headers.get("x-amz-security-token") != holder.token:
            raise invalid
        if not is_signed_with(request, claim, holder.secret):
            raise Refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        if isinstance(holder, Session) and self.now >= holder.ends_at:
            raise Refused(403, "ExpiredToken", "The security token included in the request is expired")
        return holder

    def _authorise(self, call: Call, request: Request) -> None:
        action = f"{call.product}:{call.operation}"
        if action == "sts:GetCallerIdentity":
            return
        address = request.headers.get("x-world-address", self.address)
        decision = self.decided(call.caller, action, **{"aws:SourceIp": address})
        if decision == "allowed" or (decision == "implicitDeny" and action in _FREE):
            return
        why = (
            "with an explicit deny in an identity-based policy"
            if decision == "explicitDeny"
            else f"because no identity-based policy allows the {action} action"
        )
        raise Refused(403, "AccessDenied", f"User is not authorized to perform: {action} {why}")

    def _trace(self, call: Call, request: Request, error: str, done: Done | None) -> None:
        """Write the row of CloudTrail, for whoever is known; and keep when a key was used."""
        who = call.caller
        if who is None:
            return
        now = self.now
        if isinstance(who, Key):
            who.last_used = (now, call.product, call.region)
        region = "us-east-1" if call.product in _GLOBAL else call.region
        shown: dict[str, Any] = {
            "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": f"{call.product}.amazonaws.com",
            "eventName": call.operation,
            "awsRegion": region,
            "sourceIPAddress": request.headers.get("x-world-address", self.address),
            "userAgent": request.headers.get("user-agent", ""),
            "requestParameters": {name[0].lower() + name[1:]: call.fields[name] for name in ("UserName", "RoleArn")
                                  if name in call.fields},
            "responseElements": done.traced if done else None,
        }  # fmt: skip
        if error:
            shown["errorCode"] = error
        user = who.user if isinstance(who, Key) else who.owner.name
        self.events.append(Event(now, who.id, user, call.product, call.operation, region, shown))

    def used(
        self, label: str, operation: str, at: datetime, *, address: str, agent: str, region: str = "us-east-1"
    ) -> None:
        """Write into the history that a key was used, such as `s3:ListBuckets`."""
        product, _, name = operation.partition(":")
        key = self.keys[self.ground.labels[label].partition(":")[0]]
        shown = {
            "eventTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventName": name,
            "sourceIPAddress": address,
            "userAgent": agent,
        }
        self.events.append(Event(at, key.id, key.user, product, name, region, shown))
        self.events.sort(key=lambda event: event.at)
