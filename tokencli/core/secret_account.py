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
    and the path of `issuer` or `token_url`, as `path`. Hosts are left out, because a secret is bound
    to its server anyway. What the provider supplies is left out as well, since it may change with a
    release.
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
    url = profile.issuer if "issuer" in own else profile.token_url if "token_url" in own else None
    if url and (path := urlsplit(url).path.rstrip("/")):
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
    stored, current = ctx.keyring.read_account(ref), describe_account(profile, ref.name)
    if stored is None or not (changed := _list_changes(stored, current)):
        return secret
    error = KeyringError(
        f"the {ref.name} of profile {profile.name!r} was stored for {_name_account(stored, changed)},"
        f" but the profile now has {_name_account(current, changed)}",
        cause="a stored secret is sent only for the account that it was stored for",
        fix=f"tokencli login {profile.name} --again",
    )
    error.affects_whole_keyring = False
    raise error


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
    return " and ".join(f"{key} {account[key]}" if key in account else f"no {key}" for key in keys)
