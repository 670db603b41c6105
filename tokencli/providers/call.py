"""A request that is the provider's own from method to body: what it is made of, and how it is written."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from tokencli.errors import ConfigError
from tokencli.model import Profile, Secret, WireRequest
from tokencli.providers import template
from tokencli.providers.pen import Pen
from tokencli.providers.spec import Call, Provider, Request
from tokencli.providers.values import FROM_REPLY, GENERATED, complete


def names(provider: Provider, request: Request) -> tuple[str, ...]:
    """Name the values that a request is made of; in place of a computed one, what that is made of."""
    found = [name for text in _texts(request) for name in expanded(provider, text)]
    return tuple(dict.fromkeys(found))


def expanded(provider: Provider, text: str) -> Iterator[str]:
    """Yield the names in a template, each once; in place of a computed value, what that is made of."""
    rest, seen = list(template.names(text))[::-1], set[str]()
    while rest:
        name = rest.pop()
        if name in seen:
            continue
        seen.add(name)
        made_of: list[str] = []
        if name in provider.values:
            made_of += template.names(provider.values[name])
        elif name in provider.signed:
            signed = provider.signed[name]
            made_of += (signed.key, *(["key_passphrase"] if signed.key == "private_key" else []))
            for leaf in template.leaves((signed.header, signed.claims)):
                made_of += template.names(leaf)
        else:
            yield name
        rest += made_of[::-1]


def inputs(provider: Provider) -> tuple[str, ...]:
    """Name what a profile must give for the requests that are the provider's own."""
    calls = (provider.request, provider.then, provider.refresh, provider.logout)
    replied = {*FROM_REPLY, *provider.outputs} - set(provider.fields)
    found = [name for call in calls if call is not None for name in names(provider, call)]
    optional = {name for name, field in provider.fields.items() if field.optional}
    left_out = {*GENERATED, *replied, *optional, "scope", "key_passphrase"}
    return tuple(dict.fromkeys(name for name in found if name not in left_out))


def beside(provider: Provider, grant: str) -> tuple[str, ...]:
    """Name the values that OAuth's own request carries beside what OAuth makes it of."""
    texts = (*provider.grants[grant].params.values(), *provider.request.headers.values())
    found = [name for text in texts for name in expanded(provider, text)]
    return tuple(dict.fromkeys(name for name in found if name not in GENERATED))


def needed_beside(provider: Provider, grant: str) -> tuple[str, ...]:
    """Name those among them that a profile must give: fields that are not optional, and keys."""
    spec = provider.grants[grant]
    free = {*spec.optional, *(name for group in spec.one_of for name in group)}
    keys = {signed.key for signed in provider.signed.values()}
    return tuple(
        name
        for name in beside(provider, grant)
        if name not in free
        and (name in keys or (name in provider.fields and not provider.fields[name].optional))
    )


def _texts(request: Request) -> Iterator[str]:
    """Yield every template of a request."""
    if isinstance(request, Call) and request.url:
        yield request.url
    yield from template.leaves(request.send)
    yield from request.query.values()
    yield from request.headers.values()
    if request.basic is not None:
        yield request.basic


def renewal(provider: Provider) -> Request | None:
    """Return the request that renews a token; an empty one is OAuth's own, None says there is none."""
    if provider.refresh is not None:
        return provider.refresh
    if not provider.request.whole:
        return Request()
    return provider.request if "refresh_token" in names(provider, provider.request) else None


def write(
    profile: Profile, request: Request, given: Mapping[str, str | Secret], now: float,
    *, masked: bool = False,
) -> WireRequest:  # fmt: skip
    """Return the request with these values in it; `masked` writes `***` for what is secret.

    Raises:
        ConfigError: a value is missing, does not fit its place, or would go to another server.
    """
    values = complete(profile, given, now, masked=masked)
    if masked:
        return _written(profile, request, values, masked=True)
    sent = _written(profile, request, values, masked=False)
    with suppress(ConfigError):  # a mask need not fit where the secret does, such as a host's name
        sent = replace(sent, masked=_written(profile, request, values, masked=True))
    return sent


def _written(
    profile: Profile, request: Request, values: Mapping[str, str | Secret], *, masked: bool
) -> WireRequest:
    hidden = template.MASK if masked else None
    shown = {
        name: (hidden or value.reveal()) if isinstance(value, Secret) else value
        for name, value in values.items()
    }
    pen = Pen(profile, request, shown, masked)
    body, parameters = pen.body()
    parts = (
        []
        if masked
        else [p for text in _texts(request) for p in template.secret_parts(text, values)]
    )
    reply = (request.reply if isinstance(request, Call) else None) or profile.provider.reply
    return WireRequest(
        request.method,
        pen.url(parameters),
        pen.headers(),
        body,
        (*pen.secrets(values), *map(Secret, dict.fromkeys(parts))),
        redirect_is_reply=any(300 <= status < 400 for status in reply.status),
    )
