"""What a profile expects, and which other profiles' tokens fit a call better."""

from collections.abc import Callable, Mapping

from tokencli.diagnosis.api_call import list_carriers
from tokencli.diagnosis.evidence import CallFacts, ProfileFacts, ResourceFacts, TokenFacts
from tokencli.jwt.decode import decode_token, strings_of_claim
from tokencli.jwt.explain import collect_scopes
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth import grants
from tokencli.oauth.refusals import get_endpoint_host


def describe_profile(profile: Profile, stored: TokenSet | None) -> ProfileFacts:
    """Return what the profile expects; `stored` is its token set."""
    key: str | None = None
    audiences: tuple[str, ...] = ()
    for name in ("audience", "resource"):
        value = profile.params.get(name)
        if value:
            key = key or name
            audiences += (value,) if isinstance(value, str) else value
    return ProfileFacts(
        name=profile.name,
        provider=profile.provider.name,
        grant=profile.grant,
        token_host=get_endpoint_host(profile),
        command_line_name=profile.command_line_name,
        issuer=profile.issuer,
        client_id=profile.values.get("client_id"),
        username=profile.values.get("username"),
        audiences=audiences,
        audience_key=key,
        scopes=tuple((profile.scope or "").split()),
        carriers=list_carriers(profile, stored),
        dpop=profile.dpop,
        is_interactive=grants.is_interactive(profile.grant),
        has_refresh_token=stored is not None and stored.refresh_token is not None,
    )


def compare_tokens(
    token: TokenFacts | None,
    stored: Mapping[str, TokenSet],
    call: CallFacts | None,
    resource: ResourceFacts | None,
    fingerprint: Callable[[Secret], str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the profiles that have stored the same token, and those whose token fits the call better.

    A token fits better if it has the scope, issuer or audience that the API asks for, and the one in
    question hasn't.
    """
    if token is None:
        return (), ()
    required = {
        scope
        for challenge in (() if call is None else call.challenges)
        for scope in challenge.params.get("scope", "").split()
    }
    issuers = set(() if resource is None else resource.authorization_servers)
    audiences = {resource.resource} if resource is not None and resource.resource else set()
    told = (call.error_text if call is not None else None) or ""
    same, rivals = [], []
    for name, other in stored.items():
        claims = decode_token(other.access_token.reveal()).claims
        scopes = collect_scopes(claims) or (other.scope or "").split()
        audience, issuer = strings_of_claim(claims.get("aud")), claims.get("iss")
        if fingerprint(other.access_token) == token.fingerprint:
            same.append(name)
        elif (
            (required and required.issubset(scopes) and not required.issubset(token.scopes or ()))
            or (issuer in issuers and token.issuer not in issuers)
            or (audiences.intersection(audience) and not audiences.intersection(token.audience))
            or (isinstance(issuer, str) and issuer != token.issuer and issuer in told)
            or any(each in told and each not in token.audience for each in audience)
        ):
            rivals.append(name)
    return tuple(same), tuple(rivals)
