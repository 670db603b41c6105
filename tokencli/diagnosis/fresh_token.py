"""A fresh token beside the one that fails: what getting it costs, and how it is got."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from tokencli.core.get_token import get_token
from tokencli.core.grant_runner import run_grant
from tokencli.core.revocation import send_custom_logout
from tokencli.core.secret_resolver import SecretResolver, source_interaction
from tokencli.errors import LoginRequiredError, ReplyError, TokencliError
from tokencli.models import Profile, TokenSet
from tokencli.oauth import client_authentication, grants
from tokencli.oauth.refusals import get_endpoint_host
from tokencli.protocols import Context

Way = Literal["grant", "refresh_token", "replacement", "sign_in"]


@dataclass(frozen=True, slots=True)
class FreshTokenPlan:
    """How a profile gets a fresh token for a test."""

    way: Way
    """`grant`: beside the stored one, which stays as it is. `refresh_token` and `replacement`: the new
    token is stored in its place. `sign_in`: only a person can get one."""
    cost: str
    """What it costs, as a clause."""
    prompted: tuple[str, ...] = ()
    """The secrets that a prompt or a program supplies."""

    def describe_prompts(self, profile: Profile) -> str:
        """Return where the secrets come from that aren't just read; empty if all are."""
        sources = [profile.secrets[name].describe_source() for name in self.prompted]
        return f", with secrets from {' and '.join(dict.fromkeys(sources))}" if sources else ""


def plan_fresh_token(profile: Profile, stored: TokenSet | None, ctx: Context) -> FreshTokenPlan:
    """Return how a fresh token is got with the least cost."""
    issuing = profile.provider.issuing
    has_refresh_token = stored is not None and stored.refresh_token is not None
    if grants.is_interactive(profile.grant) and not has_refresh_token:
        return FreshTokenPlan("sign_in", "getting one takes a sign-in")
    names = grants.required_secrets(profile)
    if has_refresh_token and (grants.is_interactive(profile.grant) or issuing.exclusive):
        names = (
            *client_authentication.METHOD_SECRETS[profile.client_auth],
            *grants.renewal_secrets(profile),
        )
    prompted = tuple(
        name
        for name in names
        if name in profile.secrets and source_interaction(profile.secrets[name], ctx) != "none"
    )
    if grants.is_interactive(profile.grant):
        cost = "it spends the refresh token, and the new tokens replace the stored ones"
        return FreshTokenPlan("refresh_token", cost, prompted)
    if issuing.exclusive:
        cost = "the server ends the stored token, which the new one replaces"
        return FreshTokenPlan("replacement", cost, prompted)
    if profile.grant == "refresh_token":
        cost = "it spends the refresh token, and the new tokens replace the stored ones"
        return FreshTokenPlan("replacement", cost, prompted)
    if issuing.max_sessions is not None:
        cost = f"it is one of {issuing.max_sessions} sessions, and is ended after the test"
        return FreshTokenPlan("grant", cost, prompted)
    cost = "the stored token stays as it is"
    if profile.grant == "password":
        cost = f"the password is sent once, and {cost}"
    return FreshTokenPlan("grant", cost, prompted)


def prepare_secrets(profile: Profile, plan: FreshTokenPlan, ctx: Context) -> SecretResolver:
    """Return the secrets for the plan, after prompting for those that need it; raises TokencliError."""
    resolver = SecretResolver(profile, ctx)
    resolver.prompt_for(plan.prompted)
    return resolver


def get_fresh_token(
    profile: Profile, plan: FreshTokenPlan, ctx: Context, resolver: SecretResolver
) -> TokenSet:
    """Return a fresh token.

    Raises:
        TokencliError: the server gives none, or the grant needs a person.
    """
    if plan.way == "sign_in":
        raise LoginRequiredError(plan.cost, fix=f"tokencli login {profile.command_line_name}")
    if plan.way != "grant":
        return get_token(profile, ctx, force=True, resolver=resolver).token
    response = run_grant(grants.load_grant(profile.grant).run(profile), profile, ctx, resolver)
    if response.unusable_reason is not None:
        raise ReplyError(
            f"{get_endpoint_host(profile)} sent a token response, but {response.unusable_reason}"
        )
    return response.token


def end_fresh_token(
    profile: Profile, plan: FreshTokenPlan, ctx: Context, resolver: SecretResolver, token: TokenSet
) -> None:
    """End the session of a fresh token that counts against a limit; a failure is of no consequence."""
    if plan.way == "grant" and profile.provider.issuing.max_sessions is not None:
        with suppress(TokencliError):
            send_custom_logout(profile, ctx, resolver, token)
