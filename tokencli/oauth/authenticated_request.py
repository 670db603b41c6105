"""One request with the client's authentication, and with a proof of possession where that is due."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tokencli.errors import ConfigError
from tokencli.models import HttpReply, HttpRequest, ParamValue, Profile, Secret
from tokencli.oauth import client_authentication
from tokencli.oauth.grants.steps import SignAssertion
from tokencli.protocols import Context, Credentials
from tokencli.providers.endpoint_urls import get_url_origin
from tokencli.providers.request_writer import write_oauth_request
from tokencli.providers.template_values import complete_values, expand_value_names


class HttpExchange(NamedTuple):
    """A request as it was sent, its reply, and when it was begun."""

    request: HttpRequest
    reply: HttpReply
    started_at: float
    """Epoch seconds."""


def send_authenticated_request(
    profile: Profile,
    params: Mapping[str, ParamValue],
    ctx: Context,
    resolver: Credentials,
    *,
    url: str | None = None,
) -> HttpExchange:
    """Send these parameters to the token endpoint, or as the same client to another `url`.

    A server that wants its nonce in the proof has refused and done nothing (RFC 9449 section 8): so
    the request is sent again, once, with a new proof and a new assertion.
    """
    proves = profile.dpop and url is None
    sent = _send_once(profile, params, ctx, resolver, url, proves=proves)
    if not proves:
        return sent
    from tokencli.oauth import dpop

    if _remember_nonce(sent.reply, resolver) and dpop.requires_nonce(sent.reply):
        sent = _send_once(profile, params, ctx, resolver, url, proves=proves)
        _remember_nonce(sent.reply, resolver)
    return sent


def collect_auth_inputs(
    profile: Profile, ctx: Context, resolver: Credentials
) -> client_authentication.AuthInputs:
    """Return what the profile's client authentication may draw on.

    Raises:
        CredentialsError: a secret is missing. ConfigError: the certificate can't be read.
    """
    needed = client_authentication.required_inputs(profile.client_auth)
    found: dict[str, Secret] = {}
    for name in client_authentication.METHOD_SECRETS[profile.client_auth]:
        if name in needed or name in profile.secrets:
            secret = resolver.resolve(name, optional=name not in needed)
            if secret is not None:
                found[name] = secret
    return client_authentication.AuthInputs(
        found, ctx.clock.now(), read_signing_certificate(profile)
    )


def sign_assertion(
    step: SignAssertion, profile: Profile, ctx: Context, resolver: Credentials
) -> Secret:
    """Return an assertion that the profile's private key signs.

    Raises:
        CredentialsError: there is no key, or it can't be used.
    """
    key = resolver.resolve("private_key")
    assert key is not None, "what is not optional is there"
    secrets = {"private_key": key}
    passphrase = resolver.resolve("key_passphrase", optional=True)
    if passphrase is not None:
        secrets["key_passphrase"] = passphrase
    drawn = client_authentication.AuthInputs(
        secrets, ctx.clock.now(), read_signing_certificate(profile)
    )
    told = client_authentication.assertion_claims(
        profile, drawn.now, issuer=step.issuer, subject=step.subject
    )
    return Secret(client_authentication.sign_assertion(profile, drawn, {**told, **step.claims}))


def read_signing_certificate(profile: Profile) -> bytes:
    """Return the PEM file of the signing key's certificate; empty where the profile names none."""
    place = profile.signing.certificate
    if place is None:
        return b""
    try:
        return Path(place).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the certificate {place[:200]!r} of profile {profile.name!r} can't be read:"
            f" {error.strerror}",
            fix=f"tokencli profiles edit {profile.name}",
        ) from None


def resolve_header_values(
    profile: Profile, ctx: Context, resolver: Credentials, url: str | None = None
) -> Mapping[str, str | Secret]:
    """Return the values that the provider's own headers may name.

    Secrets among them go to the token endpoint's server alone.
    """
    texts = profile.provider.request.headers.values()
    if not texts:
        return profile.values
    found: dict[str, str | Secret] = dict(profile.values)
    if url is None or get_url_origin(url) == get_url_origin(profile.token_url):
        for name in (one for text in texts for one in expand_value_names(profile.provider, text)):
            secret = resolver.resolve(name, optional=True) if name in profile.secrets else None
            if secret is not None:
                found[name] = secret
    return complete_values(profile, found, ctx.clock.now())


def _send_once(
    profile: Profile,
    params: Mapping[str, ParamValue],
    ctx: Context,
    resolver: Credentials,
    url: str | None,
    *,
    proves: bool,
) -> HttpExchange:
    auth = client_authentication.AUTH_METHODS[profile.client_auth](
        profile, collect_auth_inputs(profile, ctx, resolver)
    )
    header_values = resolve_header_values(profile, ctx, resolver, url)
    request = write_oauth_request(profile, params, auth, url=url, header_values=header_values)
    if request.client_certificate is None and profile.client_cert is not None:
        shown = client_authentication.tls_client_certificate(
            profile, resolver.resolve("key_passphrase", optional=True)
        )
        request = replace(request, client_certificate=shown)
    started = ctx.clock.now()
    if proves:
        from tokencli.oauth import dpop

        key = resolver.proof_key = resolver.proof_key or dpop.generate_dpop_key()
        proof = dpop.create_proof(key, request.method, request.url, started, nonce=key.nonce)
        # Neither a proof nor an assertion is good for a second sending.
        request = replace(
            request, headers={**request.headers, dpop.PROOF_HEADER: proof}, is_retry_safe=False
        )
    return HttpExchange(request, ctx.transport.send(request, profile.connection), started)


def _remember_nonce(reply: HttpReply, resolver: Credentials) -> bool:
    """Keep the nonce that a reply brings, for the proofs that follow; tell whether it is a new one."""
    from tokencli.oauth import dpop

    nonce = dpop.read_nonce(reply)
    if nonce is None or resolver.proof_key is None or nonce == resolver.proof_key.nonce:
        return False
    resolver.proof_key = replace(resolver.proof_key, nonce=nonce)
    return True
