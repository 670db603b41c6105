"""The headers of one request with a DPoP-bound token (RFC 9449 section 7)."""

from tokencli.errors import UsageError
from tokencli.formats import header
from tokencli.models import Profile, TokenSet
from tokencli.oauth import dpop
from tokencli.shell_words import user_shell


def render(
    profile: str,
    token: TokenSet,
    now: float,
    *,
    method: str = "GET",
    url: str,
    nonce: str | None = None,
) -> str:
    """Return the two headers of one request, for `curl -H @-`; a proof can be sent only once.

    Raises:
        UsageError: the token is not bound to a key.
    """
    if token.dpop_key is None:
        raise UsageError(
            f"the token of profile {profile!r} is not DPoP-bound, so it needs no proof",
            fix=f"tokencli get {profile} --format header",
        )
    proof = dpop.create_proof(
        token.dpop_key, method.upper(), url, now, nonce=nonce, token=token.access_token
    )
    return f"{header.render(profile, token, now)}{dpop.PROOF_HEADER}: {proof}\n"


def check_options(profile: Profile, *, url: str | None = None, **options: str) -> dict[str, str]:
    """Return the options for `render`; raises UsageError unless there is a URL that a proof can be for."""
    if url is None:
        raise UsageError(
            "a DPoP proof is for one request: --url is required", fix=usage_command(profile.name)
        )
    dpop.htu_of_url(url)
    return {"url": url, **options}


def usage_command(profile: str) -> str:
    """Return a command line that sends a DPoP-bound token."""
    url = "https://api.example.com/…"
    shell = user_shell()
    get = f"tokencli get {profile} --format dpop --method GET --url {url}"
    return f"{get} | {shell.curl} -H {shell.quote('@-')} {url}"


def bound_token_error(profile: str, consumer: str) -> UsageError:
    """Return the error for a program that can't make the proofs that a bound token needs."""
    return UsageError(
        f"{consumer} can't use the token of profile {profile!r}: it is DPoP-bound",
        cause="each request with it needs a proof made with tokencli's key (RFC 9449), and"
        f" {consumer} can't make one",
    )


def bound_token_warning(profile: str) -> str:
    """Return a warning that the token is useless without a proof."""
    return (
        "this token is DPoP-bound: each request needs a proof. Use it like this:"
        f" {usage_command(profile)}"
    )
