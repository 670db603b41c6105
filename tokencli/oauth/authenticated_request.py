"""Send one request as the client: client authentication, extra headers, DPoP proof if required."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tokencli.errors import ConfigError, TokencliError
from tokencli.models import HttpReply, HttpRequest, ParamValue, Profile, Secret
from tokencli.oauth import client_authentication
from tokencli.oauth.grants.steps import SignAssertion
from tokencli.protocols import Context, Credentials
from tokencli.providers.endpoint_urls import get_url_origin
from tokencli.providers.request_writer import write_oauth_request
from tokencli.providers.template_values import complete_values, expand_value_names
from tokencli.shell_words import user_shell


class HttpExchange(NamedTuple):
    """A request as it was sent, its reply, and when it was started."""

    request: HttpRequest
    reply: HttpReply
    started_at: float
    """Epoch seconds."""


def send_authenticated_request(
    profile: Profile,
    params: Mapping[str, ParamValue],
    ctx: Context,
    credentials: Credentials,
    *,
    url: str | None = None,
) -> HttpExchange:
    """Send these parameters to the token endpoint, or as the same client to another `url`.

    A server that requires a DPoP nonce has refused the request without processing it (RFC 9449
    section 8), so the request is sent once more, with a new proof and a new assertion.
    """
    if url is not None or not profile.dpop:
        return _send(_build_request(profile, params, ctx, credentials, url), profile, ctx)
    from tokencli.oauth import dpop  # start-up cost: it imports the signing libraries

    def send_with_proof() -> HttpExchange:
        request = _build_request(profile, params, ctx, credentials, url)
        return _send(dpop.add_proof(request, credentials, ctx.clock.now()), profile, ctx)

    exchange = send_with_proof()
    if dpop.save_nonce(exchange.reply, credentials) and dpop.requires_nonce(exchange.reply):
        exchange = send_with_proof()
        dpop.save_nonce(exchange.reply, credentials)
    return exchange


def collect_auth_inputs(
    profile: Profile, ctx: Context, credentials: Credentials
) -> client_authentication.AuthInputs:
    """Return the secrets and the certificate for the profile's client authentication.

    Raises:
        CredentialsError: a secret is missing.
        ConfigError: the certificate can't be read.
    """
    required = client_authentication.required_inputs(profile.client_auth)
    secrets: dict[str, Secret] = {}
    for name in client_authentication.METHOD_SECRETS[profile.client_auth]:
        if name in required or name in profile.secrets:
            secret = credentials.resolve(name, optional=name not in required)
            if secret is not None:
                secrets[name] = secret
    return client_authentication.AuthInputs(
        secrets, ctx.clock.now(), read_signing_certificate(profile)
    )


def sign_assertion(
    step: SignAssertion, profile: Profile, ctx: Context, credentials: Credentials
) -> Secret:
    """Return an assertion signed with the profile's private key.

    Raises:
        CredentialsError: the key is missing or can't be used.
    """
    key = credentials.resolve("private_key")
    assert key is not None, "only an optional secret can be None"
    secrets = {"private_key": key}
    passphrase = credentials.resolve("key_passphrase", optional=True)
    if passphrase is not None:
        secrets["key_passphrase"] = passphrase
    inputs = client_authentication.AuthInputs(
        secrets, ctx.clock.now(), read_signing_certificate(profile)
    )
    claims = client_authentication.assertion_claims(
        profile, inputs.now, issuer=step.issuer, subject=step.subject
    )
    return Secret(client_authentication.sign_assertion(profile, inputs, {**claims, **step.claims}))


def read_signing_certificate(profile: Profile) -> bytes:
    """Return the PEM file of the signing key's certificate; empty if the profile has none."""
    path = profile.signing.certificate
    if path is None:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"can't read the certificate '{path[:200]}' of profile {profile.name!r}:"
            f" {error.strerror}",
            fix=user_shell().list_path(path),
        ) from None


def resolve_header_values(
    profile: Profile, ctx: Context, credentials: Credentials, url: str | None = None
) -> Mapping[str, str | Secret]:
    """Return the values for the provider's own headers.

    Secrets among them are sent to the origin of the token endpoint only.
    """
    templates = profile.provider.request.headers.values()
    if not templates:
        return profile.values
    values: dict[str, str | Secret] = dict(profile.values)
    if url is None or get_url_origin(url) == get_url_origin(profile.token_url):
        for name in (n for text in templates for n in expand_value_names(profile.provider, text)):
            if name in profile.secrets:
                secret = credentials.resolve(name, optional=True)
                if secret is not None:
                    values[name] = secret
    return complete_values(profile, values, ctx.clock.now())


def _build_request(
    profile: Profile,
    params: Mapping[str, ParamValue],
    ctx: Context,
    credentials: Credentials,
    url: str | None,
) -> HttpRequest:
    auth = client_authentication.AUTH_METHODS[profile.client_auth](
        profile, collect_auth_inputs(profile, ctx, credentials)
    )
    header_values = resolve_header_values(profile, ctx, credentials, url)
    request = write_oauth_request(profile, params, auth, url=url, header_values=header_values)
    if request.client_certificate is None and profile.client_cert is not None:
        certificate = client_authentication.tls_client_certificate(
            profile, credentials.resolve("key_passphrase", optional=True)
        )
        request = replace(request, client_certificate=certificate)
    if url is None and request.is_retry_safe:
        request = replace(request, is_answered_by=partial(_has_usable_token, profile, request))
    return request


def _has_usable_token(profile: Profile, request: HttpRequest, reply: HttpReply) -> bool:
    from tokencli.oauth.token_response import read_token_response  # only if a reply broke off

    try:
        return read_token_response(profile, request, reply, 0.0).unusable_reason is None
    except TokencliError:
        return False


def _send(request: HttpRequest, profile: Profile, ctx: Context) -> HttpExchange:
    transport = ctx.transport  # loading it takes a part of a short lifetime
    started_at = ctx.clock.now()
    return HttpExchange(request, transport.send(request, profile.connection), started_at)
