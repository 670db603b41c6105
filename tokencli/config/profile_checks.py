"""Checks of a profile as a whole, once each of its values is valid."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

from tokencli.config import validators
from tokencli.config.profile_draft import ProfileDraft
from tokencli.config.profile_schema import secret_key_names
from tokencli.oauth import grants
from tokencli.problems import Finding
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES
from tokencli.providers.endpoint_urls import (
    KEY_BY_ENDPOINT,
    get_url_origin,
    is_other_origin,
    is_plain_http,
)
from tokencli.providers.template import fill_template, list_value_names


def check_profile(
    draft: ProfileDraft, values: Mapping[str, str], urls: Mapping[str, str], api_url: str | None
) -> list[Finding]:
    """List the problems of the profile; `urls` are its endpoints as far as they are known.

    If the grant or the client authentication is invalid, list only the problems that every choice
    would have.
    """
    unknown = draft.invalid & {"grant", "client_auth"}
    first, *others = [
        _check_draft(candidate, values, urls, api_url)
        for candidate in _candidate_drafts(draft, unknown)
    ]
    certain = [finding for finding in first if all(finding in other for other in others)]
    return [finding for finding in certain if not unknown & set(finding.key_path[2:3])]


def _candidate_drafts(draft: ProfileDraft, unknown: Container[str]) -> list[ProfileDraft]:
    """Return the draft with each grant and client authentication that may be meant."""
    possible_grants = draft.provider.grants if "grant" in unknown else [draft.grant]
    possible_methods = (
        draft.provider.client_auth if "client_auth" in unknown else [draft.client_auth]
    )
    if not unknown:
        return [draft]
    return [
        replace(draft, given={**draft.given, "grant": grant, "client_auth": method})
        for grant in possible_grants
        for method in possible_methods
    ]


def _check_draft(
    draft: ProfileDraft, values: Mapping[str, str], urls: Mapping[str, str], api_url: str | None
) -> list[Finding]:
    return [
        *_check_required_keys(draft, values),
        *_check_one_of_groups(draft, values),
        *_check_permissions(draft),
        *_check_secret_refs(draft, urls),
        *_check_headers_and_params(draft, values),
        *_check_plain_http(draft, values, urls, api_url),
    ]


def _check_required_keys(draft: ProfileDraft, values: Mapping[str, str]) -> Iterator[Finding]:
    have = {*draft.given, *draft.invalid, *values, *secret_key_names(draft.provider)}
    for name in draft.required_keys:
        if name not in have:
            yield Finding(
                ("profiles", draft.name, name),
                "is missing",
                describe_missing_key(draft.provider, name),
            )


def describe_missing_key(provider: Provider, name: str) -> str:
    """Return the line to add for a missing key, with an example and a description."""
    field = provider.fields.get(name)
    if field is None:
        return f'add {name} = "…"'
    description = f"{field.ask}: {field.help}" if field.help else field.ask
    return f'add {name} = "{field.example or "…"}" ({description})'


def _check_one_of_groups(draft: ProfileDraft, values: Mapping[str, str]) -> Iterator[Finding]:
    for group in draft.provider.grants[draft.grant].one_of:
        present = [name for name in group if name in draft.given or name in draft.invalid]
        if len(present) > 1:
            message = f"sets {' and '.join(present)}"
            yield Finding(("profiles", draft.name), message, f"keep one of {', '.join(group)}")
        elif not present and not any(name in values for name in group):
            message = f"sets none of {', '.join(group)}; exactly one is required"
            suggestion = "; or ".join(describe_missing_key(draft.provider, name) for name in group)
            yield Finding(("profiles", draft.name), message, suggestion)


def _check_permissions(draft: ProfileDraft) -> Iterator[Finding]:
    """Require explicit permission if a profile gives up protection."""
    is_native = (
        draft.provider.name in BUILTIN_NAMES and next(iter(draft.provider.grants)) == "password"
    )
    sends_password = "password" in grants.load_grant(draft.grant).required_inputs
    if sends_password and not is_native and not draft.given.get("allow_password_grant"):
        yield Finding(
            ("profiles", draft.name, "grant"),
            "is the password grant, which RFC 9700 section 2.4 forbids: it hands the user's password"
            " to this program",
            "choose another grant, or add allow_password_grant = true if the server offers no other",
        )
    exposed = _exposed_credential(draft)
    if exposed and draft.given.get("insecure") and not draft.given.get("allow_insecure_password"):
        yield Finding(
            ("profiles", draft.name, "insecure"),
            f"would let anyone on the network path read the {exposed}",
            "trust the server's own certificate with ca_file instead, or add"
            " allow_insecure_password = true",
        )


def _exposed_credential(draft: ProfileDraft) -> str | None:
    """Name the credential sent that is worth more than a client secret, or None."""
    if "password" in (*grants.load_grant(draft.grant).required_inputs, *draft.required_keys):
        return "password"
    if grants.load_grant(draft.grant).exchanged_secrets:
        return "token to exchange"
    refreshes = grants.is_interactive(draft.grant) or draft.provider.refresh is not None
    return "refresh token" if refreshes else None


def _check_secret_refs(draft: ProfileDraft, urls: Mapping[str, str]) -> Iterator[Finding]:
    """Reject references to another profile's keyring entries, or to those for another server."""
    server = urls.get("token") or urls.get("issuer")
    named = sorted(secret_key_names(draft.provider) & set(draft.given))
    refs = draft.secret_refs() if named else {}
    for name in named:
        ref = refs[name]
        prefix = f"tokencli:{draft.name}:"
        service = ref.target[0] if ref.kind == "keyring" else ""
        if service.startswith("tokencli:") and not service.startswith(prefix):
            path: tuple[str, ...] = ("profiles", draft.name, name, "keyring", "service")
            yield Finding(path, "names another profile's entry", f"it may begin with {prefix}")
        elif (
            service.startswith(prefix)
            and server
            and is_other_origin(ref.target[1], get_url_origin(server))
        ):
            path = ("profiles", draft.name, name, "keyring", "username")
            yield Finding(path, "names a secret that was stored for another server", "remove it")
        if ref.kind == "profile" and name not in grants.EXCHANGED_SECRETS:
            path = ("profiles", draft.name, name, "profile")
            yield Finding(
                path,
                "refers to a profile, which can supply only a token",
                "use another source",
            )
    if "client_key" in draft.given and "client_cert" not in draft.given:
        path = ("profiles", draft.name, "client_key")
        yield Finding(path, "has no certificate", 'add client_cert = "…"')


def _check_headers_and_params(draft: ProfileDraft, values: Mapping[str, str]) -> Iterator[Finding]:
    """Check that headers can carry their values and that no parameter is set twice."""
    request, params = draft.provider.request, draft.provider.grants[draft.grant].params
    for header, template in request.headers.items():
        filled = fill_template(template, values)
        if filled is not None and not validators.is_header_value(filled):
            key = next(iter(list_value_names(template)), "provider")
            message = f"can't be sent in the header {header[:60]}: it needs printable ASCII"
            yield Finding(("profiles", draft.name, key), message)
    set_by_provider = {name.casefold() for name in (*request.names.values(), *params)}
    for name in draft.given.get("params", {}):
        if name.casefold() in set_by_provider:
            path = ("profiles", draft.name, "params", name)
            yield Finding(path, "is a parameter that the provider already sets", "remove it")


def _check_plain_http(
    draft: ProfileDraft, values: Mapping[str, str], urls: Mapping[str, str], api_url: str | None
) -> list[Finding]:
    """Reject http, even to a loopback address, unless the profile allows it."""
    if draft.given.get("allow_http"):
        return []
    url_values = {**values, **{KEY_BY_ENDPOINT[name]: url for name, url in urls.items()}}
    url_values["api_url"] = api_url or ""
    url_fields = {key for key, field in draft.provider.fields.items() if field.kind == "url"}
    keys = [
        key
        for key in sorted({*url_fields, *KEY_BY_ENDPOINT.values(), "api_url"})
        if is_plain_http(url_values.get(key, ""))
    ]
    own_keys = [key for key in keys if key in draft.given]
    message = "is http, which sends credentials unencrypted"
    allow = "add allow_http = true for this loopback or metadata address"
    if own_keys:
        allow = f"write https://, or {allow}"
    else:
        message = f"of provider {draft.provider.name} {message}"
    return [Finding(("profiles", draft.name, key), message, allow) for key in own_keys or keys[:1]]
