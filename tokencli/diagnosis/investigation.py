"""What `why` is to explain, and what it may do for that."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokencli.diagnosis.api_call import ApiCall
from tokencli.diagnosis.evidence import CallFacts
from tokencli.diagnosis.token_facts import TokenText
from tokencli.errors import TokencliError
from tokencli.models import Profile

TIME_LIMIT_S = 10.0
"""Seconds that everything takes together."""


@dataclass(frozen=True, slots=True)
class Investigation:
    """What is to be explained, and what may be done for it."""

    profile: Profile | None = None
    pasted: TokenText | None = None
    """The token that was pasted; None: the profile's stored token."""
    token_error: TokencliError | None = None
    """Why there is no token, if what was pasted should have one."""
    call: ApiCall | None = None
    """The call to send."""
    saved: CallFacts | None = None
    """A saved reply, instead of a call."""
    other_profiles: Sequence[Profile] = ()
    offline: bool = False
    introspect: bool = False
    """Whether prompts and programs may supply the secret with which the client introspects."""
    may_change: bool = True
    """Whether the call may be sent without asking, although its method may change something."""
    seconds: float = TIME_LIMIT_S
    command: str | None = None
    """The command line that asks the same, to which an option can be appended; None if there is none."""

    @property
    def is_call_complete(self) -> bool:
        """Whether the call can be sent without knowing its token: it has it already, or has none."""
        return (
            self.call is not None
            and self.call.carries_token
            and self.call.token_placeholder is None
        )

    def with_option(self, option: str) -> str | None:
        """Return the command with one more option."""
        return None if self.command is None else f"{self.command} {option}"
