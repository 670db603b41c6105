"""A request that is the provider's own from method to body: what it is made of, and how it is written."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from tokencli.errors import ConfigError
from tokencli.models import HttpRequest, Profile, Secret
from tokencli.provider_schema import Call, Provider, Request
from tokencli.providers import template
from tokencli.providers.request_writer import RequestWriter
from tokencli.providers.template_values import GENERATED_VALUES, REPLY_VALUES, complete_values


def list_request_values(provider: Provider, request: Request) -> tuple[str, ...]:
    """Name the values that a request is made of; in place of a computed one, what that is made of."""
    found = [
        name for text in _iter_templates(request) for name in expand_value_names(provider, text)
    ]
    return tuple(dict.fromkeys(found))


def expand_value_names(provider: Provider, text: str) -> Iterator[str]:
    """Yield the names in a template, each once; in place of a computed value, what that is made of."""
    rest, seen = list(template.list_value_names(text))[::-1], set[str]()
    while rest:
        name = rest.pop()
        if name in seen:
            continue
        seen.add(name)
        made_of: list[str] = []
        if name in provider.values:
            made_of += template.list_value_names(provider.values[name])
        elif name in provider.signed:
            signed = provider.signed[name]
            made_of += (signed.key, *(["key_passphrase"] if signed.key == "private_key" else []))
            for leaf in template.iter_tree_texts((signed.header, signed.claims)):
                made_of += template.list_value_names(leaf)
        else:
            yield name
        rest += made_of[::-1]


def list_profile_inputs(provider: Provider) -> tuple[str, ...]:
    """Name what a profile must give for the requests that are the provider's own."""
    calls = (provider.request, provider.then, provider.refresh, provider.logout)
    replied = {*REPLY_VALUES, *provider.output_names} - set(provider.fields)
    found = [
        name for call in calls if call is not None for name in list_request_values(provider, call)
    ]
    optional = {name for name, field in provider.fields.items() if field.optional}
    left_out = {*GENERATED_VALUES, *replied, *optional, "scope", "key_passphrase"}
    return tuple(dict.fromkeys(name for name in found if name not in left_out))


def list_extra_values(provider: Provider, grant: str) -> tuple[str, ...]:
    """Name the values that OAuth's own request carries beside what OAuth makes it of."""
    texts = (*provider.grants[grant].params.values(), *provider.request.headers.values())
    found = [name for text in texts for name in expand_value_names(provider, text)]
    return tuple(dict.fromkeys(name for name in found if name not in GENERATED_VALUES))


def list_required_extra_values(provider: Provider, grant: str) -> tuple[str, ...]:
    """Name those among them that a profile must give: fields that are not optional, and keys."""
    spec = provider.grants[grant]
    free = {*spec.optional, *(name for group in spec.one_of for name in group)}
    keys = {signed.key for signed in provider.signed.values()}
    return tuple(
        name
        for name in list_extra_values(provider, grant)
        if name not in free
        and (name in keys or (name in provider.fields and not provider.fields[name].optional))
    )


def _iter_templates(request: Request) -> Iterator[str]:
    """Yield every template of a request."""
    if isinstance(request, Call) and request.url:
        yield request.url
    yield from template.iter_tree_texts(request.send)
    yield from request.query.values()
    yield from request.headers.values()
    if request.basic is not None:
        yield request.basic


def find_renewal_request(provider: Provider) -> Request | None:
    """Return the request that renews a token; an empty one is OAuth's own, None says there is none."""
    if provider.refresh is not None:
        return provider.refresh
    if not provider.request.is_custom:
        return Request()
    return (
        provider.request
        if "refresh_token" in list_request_values(provider, provider.request)
        else None
    )


def write_custom_request(
    profile: Profile, request: Request, given: Mapping[str, str | Secret], now: float,
    *, masked: bool = False,
) -> HttpRequest:  # fmt: skip
    """Return the request with these values in it; `masked` writes `***` for what is secret.

    Raises:
        ConfigError: a value is missing, does not fit its place, or would go to another server.
    """
    values = complete_values(profile, given, now, masked=masked)
    if masked:
        return _render_request(profile, request, values, masked=True)
    sent = _render_request(profile, request, values, masked=False)
    with suppress(ConfigError):  # a mask need not fit where the secret does, such as a host's name
        sent = replace(sent, masked_copy=_render_request(profile, request, values, masked=True))
    return sent


def _render_request(
    profile: Profile, request: Request, values: Mapping[str, str | Secret], *, masked: bool
) -> HttpRequest:
    hidden = template.MASK if masked else None
    shown = {
        name: (hidden or value.reveal()) if isinstance(value, Secret) else value
        for name, value in values.items()
    }
    pen = RequestWriter(profile, request, shown, masked)
    body, parameters = pen.build_body()
    parts = (
        []
        if masked
        else [
            p for text in _iter_templates(request) for p in template.list_secret_parts(text, values)
        ]
    )
    reply = (request.reply if isinstance(request, Call) else None) or profile.provider.reply
    return HttpRequest(
        request.method,
        pen.build_url(parameters),
        pen.build_headers(),
        body,
        (*pen.collect_secrets(values), *map(Secret, dict.fromkeys(parts))),
        redirect_is_reply=any(300 <= status < 400 for status in reply.status),
    )
