"""Everything that can be wrong with a profile though each of its values is right."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

from tokencli import grants
from tokencli.config import rules
from tokencli.config.case import Case
from tokencli.config.client_keys import TOKENS
from tokencli.config.findings import Finding
from tokencli.config.schema import secret_keys
from tokencli.config.server_keys import KEYS
from tokencli.providers.address import is_clear, is_foreign, origin
from tokencli.providers.catalog import BUILTIN
from tokencli.providers.spec import Provider
from tokencli.providers.template import fill, names


def judge(case: Case, values: Mapping[str, str], urls: Mapping[str, str]) -> list[Finding]:
    """List what keeps the profile from being used; `urls` are its endpoints as far as they are known.

    Where the grant or the client authentication is written wrongly, only what is so whichever it is.
    """
    unknown = case.spoiled & {"grant", "client_auth"}
    first, *others = [_judged(one, values, urls) for one in _readings(case, unknown)]
    sure = [found for found in first if all(found in other for other in others)]
    return [found for found in sure if not unknown & set(found.path[2:3])]


def _readings(case: Case, unknown: Container[str]) -> list[Case]:
    """Return the case with each grant and client authentication that may be meant."""
    grants_meant = case.provider.grants if "grant" in unknown else [case.grant]
    methods_meant = case.provider.client_auth if "client_auth" in unknown else [case.client_auth]
    if not unknown:
        return [case]
    return [
        replace(case, told={**case.told, "grant": grant, "client_auth": method})
        for grant in grants_meant
        for method in methods_meant
    ]


def _judged(case: Case, values: Mapping[str, str], urls: Mapping[str, str]) -> list[Finding]:
    return [
        *_missing(case, values),
        *_groups(case, values),
        *_permissions(case),
        *_bindings(case, urls),
        *_hygiene(case, values),
        *_clear(case, values, urls),
    ]


def _missing(case: Case, values: Mapping[str, str]) -> Iterator[Finding]:
    have = {*case.told, *case.spoiled, *values, *secret_keys(case.provider)}
    for name in case.needed():
        if name not in have:
            yield Finding(
                ("profiles", case.name, name), "is missing", explained(case.provider, name)
            )


def explained(provider: Provider, name: str) -> str:
    """Tell a person what a value is, with an example where there is one."""
    field = provider.fields.get(name)
    if field is None:
        return f'add {name} = "…"'
    about = f"{field.ask}: {field.help}" if field.help else field.ask
    return f'add {name} = "{field.example or "…"}" ({about})'


def _groups(case: Case, values: Mapping[str, str]) -> Iterator[Finding]:
    for group in case.provider.grants[case.grant].one_of:
        told = [name for name in group if name in case.told or name in case.spoiled]
        listed = " and ".join(group)
        if len(told) > 1:
            both = " and ".join(told)
            yield Finding(("profiles", case.name), f"gives {both}", f"give exactly one of {listed}")
        elif not told and not any(name in values for name in group):
            either = "; or ".join(explained(case.provider, name) for name in group)
            what = f"gives none of {listed}, of which exactly one is needed"
            yield Finding(("profiles", case.name), what, either)


def _permissions(case: Case) -> Iterator[Finding]:
    """Ask for a person's explicit word where a profile gives up protection."""
    own_way = case.provider.name in BUILTIN and next(iter(case.provider.grants)) == "password"
    sends_password = "password" in grants.needs(case.grant)
    if sends_password and not own_way and not case.told.get("allow_password_grant"):
        yield Finding(
            ("profiles", case.name, "grant"),
            "is the password grant, which hands the user's password to this program (RFC 9700"
            " section 2.4 forbids it)",
            "choose another grant, or add allow_password_grant = true if the server offers no other",
        )
    exposed = _exposed(case)
    if exposed and case.told.get("insecure") and not case.told.get("allow_insecure_password"):
        yield Finding(
            ("profiles", case.name, "insecure"),
            f"would let anybody on the way read the {exposed}",
            "trust the server's own certificate with ca_file instead, or add"
            " allow_insecure_password = true",
        )


def _exposed(case: Case) -> str | None:
    """Name what the profile sends that is more than a client's own secret, if it does."""
    if "password" in (*grants.needs(case.grant), *case.needed()):
        return "password"
    if grants.trades(case.grant):
        return "token that is traded"
    refreshes = grants.by_person(case.grant) or case.provider.refresh is not None
    return "refresh token" if refreshes else None


def _bindings(case: Case, urls: Mapping[str, str]) -> Iterator[Finding]:
    """Refuse a reference to another profile's keyring entries, or to this one's for another server."""
    there = urls.get("token") or urls.get("issuer")
    for name in sorted(secret_keys(case.provider) & set(case.told)):
        ref = case.secrets()[name]
        own = f"tokencli:{case.name}:"
        service = ref.target[0] if ref.kind == "keyring" else ""
        if service.startswith("tokencli:") and not service.startswith(own):
            path: tuple[str, ...] = ("profiles", case.name, name, "keyring", "service")
            yield Finding(path, "names another profile's entry", f"it may begin with {own}")
        elif service.startswith(own) and there and is_foreign(ref.target[1], origin(there)):
            path = ("profiles", case.name, name, "keyring", "username")
            yield Finding(path, "names what was stored for another server", "take it out")
        if ref.kind == "profile" and name not in TOKENS:
            path = ("profiles", case.name, name, "profile")
            yield Finding(path, "is a profile, and what a profile has is a token", "take it out")
    if "client_key" in case.told and "client_cert" not in case.told:
        path = ("profiles", case.name, "client_key")
        yield Finding(path, "stands without its certificate", 'add client_cert = "…"')


def _hygiene(case: Case, values: Mapping[str, str]) -> Iterator[Finding]:
    """Keep what is sent to what a header can carry, and OAuth's own parameters out of reach."""
    request, params = case.provider.request, case.provider.grants[case.grant].params
    for header, template in request.headers.items():
        filled = fill(template, values)
        if filled is not None and not rules.is_header_value(filled):
            key = next(iter(names(template)), "provider")
            what = f"can't stand in the header {header[:60]}: only ASCII without line breaks can"
            yield Finding(("profiles", case.name, key), what)
    set_by_provider = {name.casefold() for name in (*request.names.values(), *params)}
    for name in case.told.get("params", {}):
        if name.casefold() in set_by_provider:
            path = ("profiles", case.name, "params", name)
            yield Finding(path, "is a parameter that the provider sets itself", "take it out")


def _clear(case: Case, values: Mapping[str, str], urls: Mapping[str, str]) -> list[Finding]:
    """Refuse http, even to a loopback address, unless the profile allows it."""
    if case.told.get("allow_http"):
        return []
    written = {**values, **{KEYS[name]: url for name, url in urls.items()}}
    asked = {key for key, field in case.provider.fields.items() if field.kind == "url"}
    keys = [key for key in sorted({*asked, *KEYS.values()}) if is_clear(written.get(key, ""))]
    told = [key for key in keys if key in case.told] or keys[:1]
    return [
        Finding(
            ("profiles", case.name, key),
            "is http, which sends credentials in the clear",
            "write https://, or add allow_http = true for this loopback or metadata address",
        )
        for key in told
    ]
