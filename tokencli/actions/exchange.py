"""One request with the client's authentication, and with a proof of possession where that is due."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tokencli import clientauth
from tokencli.actions.secrets import Wallet
from tokencli.errors import ConfigError
from tokencli.grants.steps import Sign, Value
from tokencli.model import Profile, Secret, WireReply, WireRequest
from tokencli.ports import Edges
from tokencli.providers.address import origin
from tokencli.providers.request import write


class Exchanged(NamedTuple):
    """A request as it was sent, its reply, and when it was begun."""

    request: WireRequest
    reply: WireReply
    started: float
    """Epoch seconds."""


def exchange(
    profile: Profile,
    params: Mapping[str, Value],
    edges: Edges,
    wallet: Wallet,
    *,
    url: str | None = None,
) -> Exchanged:
    """Send these parameters to the token endpoint, or as the same client to another `url`.

    A server that wants its nonce in the proof has refused and done nothing (RFC 9449 section 8): so
    the request is sent again, once, with a new proof and a new assertion.
    """
    proves = profile.dpop and url is None
    sent = _once(profile, params, edges, wallet, url, proves=proves)
    if not proves:
        return sent
    from tokencli import dpop

    if _learn(sent.reply, wallet) and dpop.wants_nonce(sent.reply):
        sent = _once(profile, params, edges, wallet, url, proves=proves)
        _learn(sent.reply, wallet)
    return sent


def given(profile: Profile, edges: Edges, wallet: Wallet) -> clientauth.Given:
    """Return what the profile's client authentication may draw on.

    Raises:
        CredentialsError: a secret is missing. ConfigError: the certificate can't be read.
    """
    needed = clientauth.needs(profile.client_auth)
    found: dict[str, Secret] = {}
    for name in clientauth.SECRETS[profile.client_auth]:
        if name in needed or name in profile.secrets:
            secret = wallet.find(name, optional=name not in needed)
            if secret is not None:
                found[name] = secret
    return clientauth.Given(found, edges.clock.now(), signing_certificate(profile))


def sign(step: Sign, profile: Profile, edges: Edges, wallet: Wallet) -> Secret:
    """Return an assertion that the profile's private key signs.

    Raises:
        CredentialsError: there is no key, or it can't be used.
    """
    key = wallet.find("private_key")
    assert key is not None, "what is not optional is there"
    secrets = {"private_key": key}
    passphrase = wallet.find("key_passphrase", optional=True)
    if passphrase is not None:
        secrets["key_passphrase"] = passphrase
    drawn = clientauth.Given(secrets, edges.clock.now(), signing_certificate(profile))
    told = clientauth.claims(profile, drawn.now, issuer=step.issuer, subject=step.subject)
    return Secret(clientauth.assertion(profile, drawn, {**told, **step.claims}))


def signing_certificate(profile: Profile) -> bytes:
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
            hint=f"tokencli profiles edit {profile.name}",
        ) from None


def beside_oauth(
    profile: Profile, edges: Edges, wallet: Wallet, url: str | None = None
) -> Mapping[str, str | Secret]:
    """Return the values that the provider's own headers may name.

    Secrets among them go to the token endpoint's server alone.
    """
    texts = profile.provider.request.headers.values()
    if not texts:
        return profile.values
    from tokencli.providers.call import expanded
    from tokencli.providers.values import complete

    found: dict[str, str | Secret] = dict(profile.values)
    if url is None or origin(url) == origin(profile.token_url):
        for name in (one for text in texts for one in expanded(profile.provider, text)):
            secret = wallet.find(name, optional=True) if name in profile.secrets else None
            if secret is not None:
                found[name] = secret
    return complete(profile, found, edges.clock.now())


def _once(
    profile: Profile,
    params: Mapping[str, Value],
    edges: Edges,
    wallet: Wallet,
    url: str | None,
    *,
    proves: bool,
) -> Exchanged:
    auth = clientauth.METHODS[profile.client_auth](profile, given(profile, edges, wallet))
    beside = beside_oauth(profile, edges, wallet, url)
    request = write(profile, params, auth, url=url, beside=beside)
    if request.certificate is None and profile.client_cert is not None:
        shown = clientauth.certificate(profile, wallet.find("key_passphrase", optional=True))
        request = replace(request, certificate=shown)
    started = edges.clock.now()
    if proves:
        from tokencli import dpop

        key = wallet.proof_key = wallet.proof_key or dpop.fresh()
        proof = dpop.proof(key, request.method, request.url, started, nonce=key.nonce)
        # Neither a proof nor an assertion is good for a second sending.
        request = replace(request, headers={**request.headers, dpop.HEADER: proof}, retry=False)
    return Exchanged(request, edges.transport.send(request, profile.connection), started)


def _learn(reply: WireReply, wallet: Wallet) -> bool:
    """Keep the nonce that a reply brings, for the proofs that follow; tell whether it is a new one."""
    from tokencli import dpop

    nonce = dpop.new_nonce(reply)
    if nonce is None or wallet.proof_key is None or nonce == wallet.proof_key.nonce:
        return False
    wallet.proof_key = replace(wallet.proof_key, nonce=nonce)
    return True
