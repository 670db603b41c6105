"""What others say of a token that is being inspected: its issuer's keys, its server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tokencli.core.introspect import fetch_userinfo, introspect_token
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.token_verification import verify_token
from tokencli.errors import PromptRequiredError
from tokencli.jwt.verify import VerificationError, VerificationResult
from tokencli.models import Profile, Secret, TokenSet
from tokencli.protocols import Context


@dataclass(frozen=True, slots=True)
class RequestedChecks:
    """Which checks somebody asked for."""

    verify: bool = False
    introspect: bool = False
    userinfo: bool = False
    audiences: Sequence[str] = ()
    """Whom the token may be for, beside those whom the profile names."""

    @property
    def any_requested(self) -> bool:
        """Whether anything is to be asked of anybody."""
        return self.verify or self.introspect or self.userinfo


@dataclass(frozen=True, slots=True)
class CheckResults:
    """What was found out; None for what was not asked for."""

    verified: VerificationResult | None = None
    verification_failure: str | None = None
    """Why the token is not to be believed, as a clause."""
    introspection: Mapping[str, Any] | None = None
    userinfo: Mapping[str, Any] | None = None

    @property
    def rejection_reason(self) -> str | None:
        """Why the token is of no use, by somebody who must know."""
        if self.verification_failure is not None:
            return self.verification_failure
        if self.introspection is not None and self.introspection["active"] is False:
            return "its server says that it is not active: expired, revoked, or never issued"
        return None


NO_CHECKS = CheckResults()
"""Nobody was asked."""


def run_checks(
    profile: Profile, ctx: Context, token: str, stored: TokenSet | None, wanted: RequestedChecks
) -> CheckResults:
    """Ask whoever is to be asked; raises TokencliError where somebody can't be."""
    found = CheckResults()
    if wanted.verify:
        try:
            proven = verify_token(profile, ctx, token, wanted.audiences)
            found = replace(found, verified=proven)
        except VerificationError as why:
            found = replace(found, verification_failure=str(why))
    if wanted.introspect:
        found = replace(found, introspection=_introspect_with_prompt(profile, ctx, Secret(token)))
    if wanted.userinfo:
        kind = "DPoP" if profile.dpop else "Bearer"
        alone = TokenSet(Secret(token), kind, obtained_at=ctx.clock.now())
        found = replace(found, userinfo=fetch_userinfo(profile, ctx, stored or alone))
    return found


def _introspect_with_prompt(profile: Profile, ctx: Context, token: Secret) -> Mapping[str, Any]:
    resolver = SecretResolver(profile, ctx)
    try:
        return introspect_token(profile, ctx, resolver, token)
    except PromptRequiredError as due:
        resolver.prompt_for(due.secret_names)
        return introspect_token(profile, ctx, resolver, token)
