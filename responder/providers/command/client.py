"""The commands of a connection: what they are given, and what they may see."""

import hashlib
import os
import pwd
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from responder.action import Access, Identity
from responder.errors import ProviderError
from responder.redaction import Secret

_BLANK = re.compile(r"\{([a-z_]+)\}")
_VALUE = frozenset({"value", "secret", "token", "password"})
_PLAIN = re.compile(r"[^-\x00-\x1f\x7f][^\x00-\x1f\x7f]*")
Argv = tuple[Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]*$")], ...]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class Options(BaseModel):
    """Commands, each a list of words; no shell reads them.

    In every word `{name}` becomes the consumer's `secret` and `{consumer}` its id. Other braces stay as they are.
    A command that ends with 0 has done it. 75 means that certainly nothing changed and that it may be tried again, 77
    that a right is missing and nothing changed. Every other end of `deliver` leaves its outcome unknown.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    deliver: Argv
    """Reads the value on its standard input, to the end, and puts it where the consumer reads it. `{marker}` becomes a
    word that names this step and this value; it holds letters, digits and `-` alone."""
    show: Argv = ()
    """Prints the `{marker}` of the value that is in place, or nothing; without it a person is asked after a lost
    answer."""
    test: Argv = ()
    """Ends with 0 when the consumer works with what was delivered. `{key_id}` becomes the new credential's id."""
    whoami: Argv = ()
    """Prints the account on which the commands act; without it the account is `login@host`."""
    seconds: float = Field(30.0, gt=0, le=300)
    """How long one command may take; then it is killed, with all that it began."""
    environment: tuple[Variable, ...] = ()
    """The variables of ours that commands see, besides PATH. None of responder's own."""
    value_in: Variable | None = None
    """A variable in which `deliver` gets the value, instead of on its standard input. Whoever acts as the same login,
    and every program that the command begins, can read it there: only for a command that cannot do otherwise."""

    @field_validator("deliver", "show", "test", "whoami")
    @classmethod
    def _begins_with_a_program(cls, argv: Argv) -> Argv:
        if argv and not argv[0].strip():
            raise ValueError("must begin with a program")
        if any(name in _VALUE for word in argv for name in _BLANK.findall(word)):
            raise ValueError("a value never stands among a program's words; it goes to its standard input")
        return argv

    @field_validator("deliver")
    @classmethod
    def _is_given(cls, argv: Argv) -> Argv:
        if not argv:
            raise ValueError("must begin with a program")
        return argv

    @field_validator("environment")
    @classmethod
    def _are_not_ours(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any(name.startswith("RESPONDER_") for name in names):
            raise ValueError("a command sees nothing of responder's own")
        return names

    @field_validator("value_in")
    @classmethod
    def _is_for_the_value_alone(cls, name: str | None) -> str | None:
        if name == "PATH" or (name or "").startswith(("LD_", "DYLD_")):
            raise ValueError("this variable has a meaning of its own")
        return name


class Client:
    """The commands of one connection."""

    def __init__(self, access: Access, options: Options) -> None:
        self.access = access
        self.options = options

    def mark(self, value: Secret) -> str:
        """Return the word that names this step and this value: a retried step may deliver another one."""
        digest = hashlib.sha256(f"{self.access.marker} {value.fingerprint}".encode()).hexdigest()[:16]
        run = re.sub(r"[^A-Za-z0-9-]", "-", self.access.marker.partition("/")[0]).strip("-")
        return f"{run}-{digest}" if run else digest

    def words(self, argv: Argv, given: Mapping[str, str]) -> list[str]:
        """Fill in a command's blanks. ProviderError where a name could be taken for an option."""
        for name, text in given.items():
            if text and not _PLAIN.fullmatch(text):
                raise ProviderError(
                    f"What stands for {{{name}}} begins with a dash, or has a line break",
                    where=f"program {argv[0]}",
                    remedy="correct the consumer in responder.yaml",
                )
        return [_BLANK.sub(lambda match: given.get(match[1], match[0]), word) for word in argv]

    def look(self, argv: Argv, given: Mapping[str, str], permission: str, hidden: Secret | None = None) -> str:
        """Run a command that only reads, and return the first line that it prints."""
        words, environment = self.words(argv, given), self._environment()
        said = self.access.wire.run(
            words,
            write=False,
            hidden=hidden,
            environment=environment,
            seconds=self.options.seconds,
            permission=permission,
        )
        return said.out.strip().partition("\n")[0].strip()

    def deliver(self, value: Secret, given: Mapping[str, str], permission: str) -> None:
        """Run the command that delivers."""
        named = self.options.value_in
        environment: dict[str, str | Secret] = {**self._environment(), **({named: value} if named else {})}
        self.access.wire.run(
            self.words(self.options.deliver, given),
            write=True,
            given=None if named else value,
            hidden=value,
            environment=environment,
            seconds=self.options.seconds,
            permission=permission,
        )

    def _environment(self) -> dict[str, str]:
        return {name: os.environ[name] for name in ("PATH", *self.options.environment) if name in os.environ}


def identify(client: Client) -> Identity:
    """Return what `whoami` prints, else as whom and where the commands run: `login@host`."""
    if client.options.whoami:
        return Identity(client.look(client.options.whoami, {}, "what the connection's `whoami` needs"))
    user = os.geteuid()
    try:
        login = pwd.getpwuid(user).pw_name
    except KeyError:
        login = str(user)
    return Identity(f"{login}@{os.uname().nodename}")
