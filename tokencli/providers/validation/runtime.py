"""Find what a valid provider can't do: requests and replies that would fail when they are due.

Such a provider still gets tokens, so only `providers check` reports these problems.
"""

from collections.abc import Collection, Iterator

from tokencli.problems import Finding, KeyPath
from tokencli.provider_schema import Provider, Reply
from tokencli.providers.origins import CALL_NAMES, list_request_origins

_TIME_FORMATS_WITH_ZONE = (None, "http", "h:m:s")
_ZONE_MARKS = ("%z", "%Z", "UTC", "GMT")


def check_runtime(
    provider: Provider, at: KeyPath, oauth_grants: Collection[str]
) -> Iterator[Finding]:
    """Yield what would fail, although the provider's table is valid.

    `oauth_grants` are the names of the grants whose requests tokencli defines itself.
    """
    yield from _check_servers(provider, at)
    yield from _check_times(provider.reply, (*at, "reply"))
    for name in CALL_NAMES:
        call = getattr(provider, name)
        if call is not None and call.reply is not None:
            yield from _check_times(call.reply, (*at, name, "reply"))
    standard = [name for name in provider.grants if name in oauth_grants]
    if provider.then is not None and standard and not provider.request.is_custom:
        yield Finding(
            (*at, "then"),
            f"is not sent for grants.{standard[0]}, because the requests of an OAuth grant are fixed",
            f"give the grant a name of its own, e.g. grants.my_{standard[0]}",
        )
    field = provider.fields.get("refresh_token")
    if "refresh_token" in provider.grants and (field is None or field.kind != "secret"):
        yield Finding(
            (*at, "grants", "refresh_token"),
            "needs a refresh token, for which profiles have no key",
            "remove it, because stored refresh tokens are used without it; or, for refresh tokens obtained"
            ' elsewhere, add fields.refresh_token.kind = "secret"',
        )


def _check_servers(provider: Provider, at: KeyPath) -> Iterator[Finding]:
    """Yield further requests to a server that no profile can name, so that they are never sent."""
    for row in list_request_origins(provider):
        for name in row.requests:
            if not row.is_named and not row.keys_to_set and name in CALL_NAMES:
                yield Finding(
                    (*at, name, "url"),
                    f"goes to {row.origin}, which is neither the token endpoint's server nor one that profiles name",
                    f'describe it as fields.{name}_host.kind = "host" and write'
                    f' "https://{{{name}_host}}/…"',
                )


def _check_times(reply: Reply, path: KeyPath) -> Iterator[Finding]:
    """Yield a format of times without a zone: such times are ignored."""
    if (
        reply.time_format not in _TIME_FORMATS_WITH_ZONE
        and reply.time_zone is None
        and (reply.expires_at or reply.issued_at)
        and not any(mark in reply.time_format for mark in _ZONE_MARKS)
    ):
        yield Finding(
            (*path, "time_format"), "describes times without a zone", 'add time_zone = "UTC"'
        )
