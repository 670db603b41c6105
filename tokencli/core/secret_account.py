"""The account that a stored secret belongs to, so that it isn't sent for another one.

A login records it beside the secret (`protocols.WritableSecretSource`), and it is compared whenever
the secret is read. A secret that release 0.1 stored has no record until a server accepts it. Without a
record, a secret is used for any account, and so are secrets that another program stored.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from urllib.parse import urlsplit

from tokencli.errors import KeyringError, StorageError
from tokencli.models import Profile, Secret, SecretRef
from tokencli.oauth.grants import EXCHANGED_SECRETS
from tokencli.protocols import Context
from tokencli.providers.template import list_value_names

_UNSENT_SECRETS = ("private_key", "key_passphrase")


def describe_account(profile: Profile, name: str) -> dict[str, str]:
    """Return the settings of the profile that say whose secret it is, e.g. `username`.

    They are the user or the client, and what selects a tenant of the server: the provider's fields,
    and as `path` the path of `token_url`, or of the `issuer` whose metadata names the token endpoint.
    An issuer that only verifies tokens isn't sent any secret and doesn't count. Hosts are left out,
    because a secret is bound to its server anyway. What the provider supplies is left out as well,
    since it may change with a release.
    """
    if name in _UNSENT_SECRETS:
        return {}
    own, described = profile.own_keys, profile.provider.fields
    account = {}
    for key in _iter_account_keys(profile, name):
        kind = described[key].kind if key in described else "text"
        value = profile.values.get(key, "")
        value = urlsplit(value).path.rstrip("/") if kind == "url" else value
        if key in own and value and kind in ("text", "url"):
            account[key] = value
    is_endpoint_set = "token_url" in profile.value_sources  # by the profile or its provider
    key, url = ("token_url", profile.token_url) if is_endpoint_set else ("issuer", profile.issuer)
    path = urlsplit(url or "").path.rstrip("/")
    if path and key in own and path != urlsplit(profile.provider.endpoints.token or "").path:
        account["path"] = path
    return account


def read_secret(profile: Profile, ref: SecretRef, ctx: Context) -> Secret | None:
    """Return the secret from its source, or None if there is none.

    Raises:
        KeyringError: it was stored for another account. CredentialsError: it can't be read.
    """
    secret = ctx.secret_source(ref.kind).read(ref)
    if not secret or ref.kind != "keyring":
        return secret or None
    if (change := describe_account_change(profile, ref, ctx)) is None:
        return secret
    error = KeyringError(
        f"the {ref.name} of profile {profile.name!r} {change}",
        cause="a stored secret is sent only for the account that it was stored for",
        fix=f"tokencli login {profile.command_line_name} --again",
    )
    error.affects_whole_keyring = False
    raise error


def describe_account_change(profile: Profile, ref: SecretRef, ctx: Context) -> str | None:
    """Say for which account a secret in the keyring was stored, if the profile now has another one.

    The keyring itself isn't read.
    """
    stored, current = ctx.keyring.read_account(ref), describe_account(profile, ref.name)
    if stored is None or not (changed := _list_changes(stored, current)):
        return None
    before, after = _name_account(stored, changed), _name_account(current, changed)
    if not before:
        return f"was stored before the profile had {after}"
    now = f"now has {after}" if after else "names none"
    return f"was stored for {before}, but the profile {now}"


def record_accounts(
    profile: Profile, names: Iterable[str], secrets: Mapping[str, Secret | None], ctx: Context
) -> None:
    """Record for which account a server has accepted these secrets, if that isn't known yet."""
    for name in names:
        ref, secret = profile.secrets.get(name), secrets.get(name)
        if ref is None or ref.kind != "keyring" or not secret:
            continue
        account = describe_account(profile, name)
        if account and ctx.keyring.read_account(ref) is None:
            with suppress(KeyringError, StorageError):  # it is tried again with the next token
                ctx.keyring.record_account(ref, secret, account)


def _iter_account_keys(profile: Profile, name: str) -> Iterator[str]:
    described = profile.provider.fields
    if name == "client_secret" or name in described:
        yield "client_id"
    if name not in ("client_secret", *EXCHANGED_SECRETS):
        yield "username"
        yield from (key for key in described if key not in ("client_id", "username"))
        return
    endpoints = profile.provider.endpoints
    templates = (getattr(endpoints, field.name) or "" for field in fields(endpoints))
    in_urls = {key for template in templates for key in list_value_names(template)}
    yield from (key for key in described if key in in_urls)


def _list_changes(stored: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    return [
        key
        for key in dict.fromkeys((*stored, *current))
        if stored.get(key) != current.get(key)
        and not (key == "path" and _is_below(stored.get(key, ""), current.get(key, "")))
    ]


def _is_below(one: str, other: str) -> bool:
    """Tell whether one path is below the other, as a token endpoint's is below its issuer's."""
    return bool(one and other) and (one.startswith(f"{other}/") or other.startswith(f"{one}/"))


def _name_account(account: Mapping[str, str], keys: list[str]) -> str:
    """Return e.g. `username alice and the path /t1`, as far as the account has these keys."""
    names = {key: "the path" if key == "path" else key for key in keys if key in account}
    return " and ".join(f"{name} {account[key]}" for key, name in names.items())
