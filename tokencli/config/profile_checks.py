"""Everything that can be wrong with a profile though each of its values is right."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

from tokencli.config import validators
from tokencli.config.profile_draft import ProfileDraft
from tokencli.config.profile_schema import KEY_BY_ENDPOINT, TOKEN_SECRET_KEYS, secret_key_names
from tokencli.oauth import grants
from tokencli.problems import Finding
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES
from tokencli.providers.endpoint_urls import get_url_origin, is_other_origin, is_plain_http
from tokencli.providers.template import fill_template, list_value_names


def check_profile(
    case: ProfileDraft, values: Mapping[str, str], urls: Mapping[str, str]
) -> list[Finding]:
    """List what keeps the profile from being used; `urls` are its endpoints as far as they are known.

    Where the grant or the client authentication is written wrongly, only what is so whichever it is.
    """
    unknown = case.invalid & {"grant", "client_auth"}
    first, *others = [_check_draft(one, values, urls) for one in _candidate_drafts(case, unknown)]
    sure = [found for found in first if all(found in other for other in others)]
    return [found for found in sure if not unknown & set(found.key_path[2:3])]


def _candidate_drafts(case: ProfileDraft, unknown: Container[str]) -> list[ProfileDraft]:
    """Return the case with each grant and client authentication that may be meant."""
    grants_meant = case.provider.grants if "grant" in unknown else [case.grant]
    methods_meant = case.provider.client_auth if "client_auth" in unknown else [case.client_auth]
    if not unknown:
        return [case]
    return [
        replace(case, given={**case.given, "grant": grant, "client_auth": method})
        for grant in grants_meant
        for method in methods_meant
    ]


def _check_draft(
    case: ProfileDraft, values: Mapping[str, str], urls: Mapping[str, str]
) -> list[Finding]:
    return [
        *_check_required_keys(case, values),
        *_check_one_of_groups(case, values),
        *_check_permissions(case),
        *_check_secret_refs(case, urls),
        *_check_headers_and_params(case, values),
        *_check_plain_http(case, values, urls),
    ]


def _check_required_keys(case: ProfileDraft, values: Mapping[str, str]) -> Iterator[Finding]:
    have = {*case.given, *case.invalid, *values, *secret_key_names(case.provider)}
    for name in case.required_keys():
        if name not in have:
            yield Finding(
                ("profiles", case.name, name),
                "is missing",
                describe_missing_key(case.provider, name),
            )


def describe_missing_key(provider: Provider, name: str) -> str:
    """Tell a person what a value is, with an example where there is one."""
    field = provider.fields.get(name)
    if field is None:
        return f'add {name} = "…"'
    about = f"{field.ask}: {field.help}" if field.help else field.ask
    return f'add {name} = "{field.example or "…"}" ({about})'


def _check_one_of_groups(case: ProfileDraft, values: Mapping[str, str]) -> Iterator[Finding]:
    for group in case.provider.grants[case.grant].one_of:
        told = [name for name in group if name in case.given or name in case.invalid]
        listed = " and ".join(group)
        if len(told) > 1:
            both = " and ".join(told)
            yield Finding(("profiles", case.name), f"gives {both}", f"give exactly one of {listed}")
        elif not told and not any(name in values for name in group):
            either = "; or ".join(describe_missing_key(case.provider, name) for name in group)
            what = f"gives none of {listed}, of which exactly one is needed"
            yield Finding(("profiles", case.name), what, either)


def _check_permissions(case: ProfileDraft) -> Iterator[Finding]:
    """Ask for a person's explicit word where a profile gives up protection."""
    own_way = case.provider.name in BUILTIN_NAMES and next(iter(case.provider.grants)) == "password"
    sends_password = "password" in grants.load_grant(case.grant).required_inputs
    if sends_password and not own_way and not case.given.get("allow_password_grant"):
        yield Finding(
            ("profiles", case.name, "grant"),
            "is the password grant, which hands the user's password to this program (RFC 9700"
            " section 2.4 forbids it)",
            "choose another grant, or add allow_password_grant = true if the server offers no other",
        )
    exposed = _exposed_credential(case)
    if exposed and case.given.get("insecure") and not case.given.get("allow_insecure_password"):
        yield Finding(
            ("profiles", case.name, "insecure"),
            f"would let anybody on the way read the {exposed}",
            "trust the server's own certificate with ca_file instead, or add"
            " allow_insecure_password = true",
        )


def _exposed_credential(case: ProfileDraft) -> str | None:
    """Name what the profile sends that is more than a client's own secret, if it does."""
    if "password" in (*grants.load_grant(case.grant).required_inputs, *case.required_keys()):
        return "password"
    if grants.load_grant(case.grant).exchanged_secrets:
        return "token that is traded"
    refreshes = grants.is_interactive(case.grant) or case.provider.refresh is not None
    return "refresh token" if refreshes else None


def _check_secret_refs(case: ProfileDraft, urls: Mapping[str, str]) -> Iterator[Finding]:
    """Refuse a reference to another profile's keyring entries, or to this one's for another server."""
    there = urls.get("token") or urls.get("issuer")
    for name in sorted(secret_key_names(case.provider) & set(case.given)):
        ref = case.secret_refs()[name]
        own = f"tokencli:{case.name}:"
        service = ref.target[0] if ref.kind == "keyring" else ""
        if service.startswith("tokencli:") and not service.startswith(own):
            path: tuple[str, ...] = ("profiles", case.name, name, "keyring", "service")
            yield Finding(path, "names another profile's entry", f"it may begin with {own}")
        elif (
            service.startswith(own)
            and there
            and is_other_origin(ref.target[1], get_url_origin(there))
        ):
            path = ("profiles", case.name, name, "keyring", "username")
            yield Finding(path, "names what was stored for another server", "take it out")
        if ref.kind == "profile" and name not in TOKEN_SECRET_KEYS:
            path = ("profiles", case.name, name, "profile")
            yield Finding(path, "is a profile, and what a profile has is a token", "take it out")
    if "client_key" in case.given and "client_cert" not in case.given:
        path = ("profiles", case.name, "client_key")
        yield Finding(path, "stands without its certificate", 'add client_cert = "…"')


def _check_headers_and_params(case: ProfileDraft, values: Mapping[str, str]) -> Iterator[Finding]:
    """Keep what is sent to what a header can carry, and OAuth's own parameters out of reach."""
    request, params = case.provider.request, case.provider.grants[case.grant].params
    for header, template in request.headers.items():
        filled = fill_template(template, values)
        if filled is not None and not validators.is_header_value(filled):
            key = next(iter(list_value_names(template)), "provider")
            what = f"can't stand in the header {header[:60]}: only ASCII without line breaks can"
            yield Finding(("profiles", case.name, key), what)
    set_by_provider = {name.casefold() for name in (*request.names.values(), *params)}
    for name in case.given.get("params", {}):
        if name.casefold() in set_by_provider:
            path = ("profiles", case.name, "params", name)
            yield Finding(path, "is a parameter that the provider sets itself", "take it out")


def _check_plain_http(
    case: ProfileDraft, values: Mapping[str, str], urls: Mapping[str, str]
) -> list[Finding]:
    """Refuse http, even to a loopback address, unless the profile allows it."""
    if case.given.get("allow_http"):
        return []
    written = {**values, **{KEY_BY_ENDPOINT[name]: url for name, url in urls.items()}}
    asked = {key for key, field in case.provider.fields.items() if field.kind == "url"}
    keys = [
        key
        for key in sorted({*asked, *KEY_BY_ENDPOINT.values()})
        if is_plain_http(written.get(key, ""))
    ]
    told = [key for key in keys if key in case.given] or keys[:1]
    return [
        Finding(
            ("profiles", case.name, key),
            "is http, which sends credentials in the clear",
            "write https://, or add allow_http = true for this loopback or metadata address",
        )
        for key in told
    ]
