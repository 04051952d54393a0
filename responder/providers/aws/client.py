"""One AWS account, as our own credential sees it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from responder.action import Access, Identity
from responder.durations import Duration, duration
from responder.errors import Denied, ProviderError
from responder.providers.aws.pair import Pair, pair_of
from responder.providers.aws.refusals import code_of
from responder.providers.aws.sending import call, talker
from responder.redaction import Secret
from responder.settings import safe_base

_MOST_PAGES = 400
_HOMES = {"cn-": "cn-north-1", "us-gov-": "us-gov-west-1"}
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]


class Options(BaseModel):
    """A connection to one AWS account; its secret is an access key of ours, never the leaked one.

    The secret is `ID:SECRET`, or JSON with `AccessKeyId`, `SecretAccessKey` and `SessionToken`. Nothing is read from
    AWS's own environment variables, files and instance metadata. The credential should be of a principal that the
    leaked one cannot touch: whoever can edit our policies can end the response.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    region: Region = "us-east-1"
    """Where STS is asked, and where secrets and parameters are."""
    regions: tuple[Region, ...] = ()
    """Further regions in which the leaked credential may have been used; CloudTrail is asked in each."""
    base_url: str = ""
    """One address for all of AWS, for tests and for AWS-compatible servers; default: AWS's own."""
    cloudtrail: bool = True
    """Whether our credential may read CloudTrail; without it nobody can tell uses and sessions."""
    propagation: Duration = duration("15s")
    """How long a key that was switched off or deleted may still be taken; 3-4 s were measured (offensai.com)."""
    policy_propagation: Duration = duration("3m")
    """How long a change of a policy may take; AWS says: a few minutes."""
    users: Mapping[str, str] = {}
    """The IAM user whose key a consumer gets in place of the leaked one, by the consumer's id; default: the leaked
    key's own user, who may have two keys in all."""
    most_users: int = Field(500, ge=1)
    """How many users are searched for a key whose owner IAM does not tell, as it is with a deleted one."""

    @field_validator("base_url")
    @classmethod
    def _is_safe(cls, base_url: str) -> str:
        return safe_base(base_url) if base_url else ""


class Endless(ProviderError):
    """A list has more pages than may be read; what was yielded before is its beginning."""


class Shown(NamedTuple):
    """What AWS answered to a credential that was presented; an empty code is success."""

    code: str
    answer: Mapping[str, Any]


class Client:
    """One account, and our own credential in it."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options
        self.unseen: list[str] = []
        """What could not be looked at, in words."""
        self._made: dict[tuple[str, str], Any] = {}

    def ask(self, product: str, operation: str, *, region: str = "", **sent: Any) -> dict[str, Any]:
        """Call an operation with our own credential; the permission that it needs bears its name."""
        return call(self._talker(product, region), operation, sent, f"{product}:{operation}")

    def items(
        self, product: str, operation: str, key: str, *, region: str = "", pages: int = _MOST_PAGES, **sent: Any
    ) -> Iterator[Any]:
        """Yield the items of a list, page by page. Endless, in the end, where there are more pages than may be read."""
        token: dict[str, Any] = {}
        for _ in range(pages):
            answer = self.ask(product, operation, region=region, **sent, **token)
            yield from answer.get(key) or ()
            if answer.get("Marker") and answer.get("IsTruncated"):
                token = {"Marker": answer["Marker"]}
            elif answer.get("NextToken"):
                token = {"NextToken": answer["NextToken"]}
            else:
                return
        raise Endless(f"{product}:{operation} has more than {pages} pages", where=f"{product}:{operation}")

    def present(self, product: str, operation: str, value: Secret, **sent: Any) -> Shown:
        """Present a credential that is not our own, once. Unavailable where AWS cannot be reached or is busy."""
        from botocore import xform_name  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]  # noqa: PLC0415

        pair = pair_of(self.access.wire, value, "The leaked value")
        made = talker(self.access.wire, product, self.options.region, pair, self.options.base_url)
        try:
            return Shown("", getattr(made, xform_name(operation))(**sent))
        except ClientError as error:
            return Shown(code_of(error.response) or "Unknown", error.response)
        except (BotoCoreError, ResponseParserError) as error:
            return Shown(type(error).__name__, {})

    def own_pair(self) -> Pair:
        """Return the connection's own access key."""
        where = f"connections.{self.access.connection.name}"
        if self.access.secret is None:
            raise Denied("The connection has no access key", where=where, remedy="set `secret: env:NAME`")
        return pair_of(self.access.wire, self.access.secret, f"The secret of {where}")

    def whoami(self) -> dict[str, str]:
        """Return account, ARN and id of our own credential."""
        answer = self.ask("sts", "GetCallerIdentity")
        return {name: str(answer.get(name, "")) for name in ("Account", "Arn", "UserId")}

    def all_regions(self) -> Sequence[str]:
        """Return where CloudTrail is asked; IAM and STS write their global events in one region of each partition."""
        home = next((home for start, home in _HOMES.items() if self.options.region.startswith(start)), "us-east-1")
        return tuple(dict.fromkeys((home, self.options.region, *self.options.regions)))

    def _talker(self, product: str, region: str) -> Any:
        key = (product, region or self.options.region)
        if key not in self._made:
            self._made[key] = talker(self.access.wire, product, key[1], self.own_pair(), self.options.base_url)
        return self._made[key]


def time_of(answer: Mapping[str, Any]) -> datetime:
    """Return the moment of an answer by AWS's own clock. ProviderError where it does not say."""
    said = (answer.get("ResponseMetadata") or {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(said).astimezone(UTC)
    except (ValueError, TypeError):
        raise ProviderError("AWS's answer does not say what time it is", remedy="try again") from None


def identify(client: Client) -> Identity:
    """Read whom AWS takes us for; a session of a user may come from any of that user's keys."""
    found = client.whoami()
    pair = client.own_pair()
    user = user_in(found["Arn"])
    derived: Iterable[str] = ()
    if pair.is_temporary and user:
        derived = [str(key["AccessKeyId"]) for key in client.items("iam", "ListAccessKeys", "AccessKeyMetadata",
                                                                   UserName=user)]  # fmt: skip
    return Identity(found["Account"], pair.key_id, tuple(derived))


def user_in(arn: str) -> str:
    """Return the name of the user whom an ARN names; empty where it names something else."""
    found = re.fullmatch(r"arn:[\w-]+:iam::\d+:user/(?:.*/)?([^/]+)", arn)
    return found[1] if found else ""


def principal_in(arn: str) -> str:
    """Return the ARN of the user or role that speaks, so that its policies can be simulated."""
    found = re.fullmatch(r"(arn:[\w-]+):sts::(\d+):assumed-role/([^/]+)/.*", arn)
    return f"{found[1]}:iam::{found[2]}:role/{found[3]}" if found else arn
