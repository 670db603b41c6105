"""Check what a provider says of its own requests, its replies and the use of its tokens."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tokencli import grants
from tokencli.config import rules
from tokencli.config.findings import Finding, Path, did_you_mean
from tokencli.config.schema import secret_keys
from tokencli.errors import ConfigError
from tokencli.jwt.sign import ALGORITHMS, SHARED
from tokencli.providers import places
from tokencli.providers.call import expanded
from tokencli.providers.spec import Call, Provider, Reply, Request, Signed
from tokencli.providers.template import fill_url, leaves, names
from tokencli.providers.use import LINE
from tokencli.providers.values import FROM_REPLY, GENERATED

STANDARD = ("client_id", "username", "token_url", "scope")
"""The values of every profile that a template may name, whether or not [fields] describes them."""


def own_request(provider: Provider, at: Path) -> Iterator[Finding]:
    """Yield everything that is wrong with a provider's templates and places."""
    yield from _names(provider, at)
    known = {*provider.fields, *STANDARD, *secret_keys(provider), *GENERATED}
    replied = {*FROM_REPLY, *provider.outputs}
    for name, text in provider.values.items():
        yield from template(text, known | replied, (*at, "values", name))
        known.add(name)
    later = {name for name in provider.values if replied & {*expanded(provider, f"{{{name}}}")}}
    for name, signed in provider.signed.items():
        yield from _signed(signed, known, secret_keys(provider), (*at, "signed", name))
    known |= {*provider.signed}
    if provider.request.whole:
        yield from _request(provider.request, known - later, (*at, "request"))
        for name in provider.grants:
            if name in grants.GRANTS:
                what = "is OAuth's own, and [request] is not"
                yield Finding((*at, "grants", name), what, "call it token")
    for key in ("then", "refresh", "logout"):
        call = getattr(provider, key)
        if call is not None:
            yield from _call(call, known | replied, (*at, key))
    yield from _reply(provider.reply, (*at, "reply"))
    for key in ("code", "description"):
        for place in getattr(provider.errors, key):
            yield from _place(place, (*at, "errors", key))
    for line in provider.use:
        yield from _use(line, known | replied, (*at, "use"))


def _names(provider: Provider, at: Path) -> Iterator[Finding]:
    for name in provider.fields:
        if name in GENERATED or name == "token":
            yield Finding((*at, "fields", name), "is a value that the program makes", "rename it")
    made: dict[Path, Iterable[str]] = {("values",): provider.values, ("signed",): provider.signed,
                                       ("reply", "outputs"): provider.outputs}  # fmt: skip
    for table, written in made.items():
        path = (*at, *table)
        for name in written:
            if not re.fullmatch(rules.FIELD_NAME, name):
                yield Finding((*path, name), "is no name for a value", "use a-z, 0-9 and _")
            elif name in {*provider.fields, *STANDARD, *GENERATED, *FROM_REPLY} or (
                table != ("values",) and name in provider.values
            ):
                yield Finding((*path, name), "is the name of another value", "rename it")


def _signed(
    signed: Signed, known: set[str], secrets: Collection[str], path: Path
) -> Iterator[Finding]:
    if signed.key not in secrets:
        right = did_you_mean(signed.key, sorted(secrets))
        yield Finding((*path, "key"), f"{signed.key!r} is no secret of a profile", right)
    if signed.alg is not None and signed.alg not in (*ALGORITHMS, *SHARED):
        right = did_you_mean(signed.alg, (*ALGORITHMS, *SHARED))
        yield Finding((*path, "alg"), f"{signed.alg!r} is no algorithm that signs here", right)
    if signed.life <= 0:
        yield Finding((*path, "life"), "is not a number of seconds above 0")
    for key, tree in (("header", signed.header), ("claims", signed.claims)):
        if not _plain(tree):
            yield Finding((*path, key), "holds a date or a nameless member")
        for text in leaves(tree):
            yield from template(text, known, (*path, key))


def _call(call: Call, known: set[str], path: Path) -> Iterator[Finding]:
    if call.url is not None:
        yield from template(call.url, known, (*path, "url"))
        yield from _asking(_address(known), call.url, (*path, "url"))
    if call.names:
        yield Finding((*path, "names"), "is only for OAuth's own request", "write send = { … }")
    yield from _request(call, known, path)
    if call.reply is not None:
        yield from _reply(call.reply, (*path, "reply"))


def _address(known: set[str]) -> Callable[[str], object]:
    """Return a check of a URL template; a placeholder that begins it stands for a whole URL."""

    def check(text: str) -> object:
        first = re.match(r"\{(\w+)", text)
        sample = dict.fromkeys(known, "x")
        if first:
            sample[first[1]] = "https://h.example"
        return fill_url(re.sub(r"^https://\{\w+\}", "https://h.example", text), sample)

    return check


def _request(request: Request, known: set[str], path: Path) -> Iterator[Finding]:
    if request.method == "GET" and request.body not in (None, "query", "none"):
        yield Finding((*path, "body"), "can't go with GET", 'take it out, or say method = "POST"')
    for name, text in request.headers.items():
        yield from _header(name, request, (*path, "headers", name))
        yield from template(text, known, (*path, "headers", name))
    for name, text in request.query.items():
        yield from template(text, known, (*path, "query", name))
    if request.basic is not None:
        yield from template(request.basic, known, (*path, "basic"))
        if ":" not in request.basic:
            yield Finding((*path, "basic"), "has no colon", 'such as "{username}:{password}"')
    yield from _send(request, known, (*path, "send"))


def _header(name: str, request: Request, path: Path) -> Iterator[Finding]:
    own = {"cookie", "accept-encoding", *(() if request.basic else ("authorization",))}
    if name.lower() not in own:
        yield from _asking(rules.header_name, name, path)


def _send(request: Request, known: set[str], path: Path) -> Iterator[Finding]:
    send = request.send
    if send is None:
        if request.body in ("text", "xml"):
            yield Finding(path, "is missing", f'a body of {request.body} is written send = "…"')
        return
    if request.body == "none":
        yield Finding(path, 'is a body, and body is "none"', "take one of them out")
    elif request.body in ("text", "xml"):
        if not isinstance(send, str):
            yield Finding(path, "must be text in quotes", "because body is text or xml")
    elif request.body != "json" and not (
        isinstance(send, Mapping) and all(map(_flat, send.values()))
    ):
        right = 'write it as { name = "{value}" }, or say body = "json"'
        yield Finding(path, "is not a flat table of parameters", right)
    if not _plain(send):
        yield Finding(path, "holds a date or a nameless member", "write dates as text in quotes")
    for text in leaves(send):
        yield from template(text, known, path)


def _flat(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(one, str | int | float) for one in value)
    return isinstance(value, str | int | float)


def _plain(tree: Any) -> bool:
    if isinstance(tree, Mapping):
        return all(name and _plain(branch) for name, branch in tree.items())
    if isinstance(tree, tuple | list):
        return all(map(_plain, tree))
    return isinstance(tree, str | int | float)


def _reply(reply: Reply, path: Path) -> Iterator[Finding]:
    for key in ("access_token", "token_type", "expires_in", "expires_at", "issued_at", "id_token",
                "refresh_token", "scope", "success"):  # fmt: skip
        for place in getattr(reply, key):
            yield from _place(place, (*path, key))
    for name, found in reply.outputs.items():
        for place in found:
            yield from _place(place, (*path, "outputs", name))
    if reply.compose is not None:
        yield from template(reply.compose, {"token", *reply.outputs}, (*path, "compose"))
    if reply.time_zone is not None:
        try:
            ZoneInfo(reply.time_zone)
        except (ValueError, OSError):
            yield Finding((*path, "time_zone"), "is no time zone", 'such as "UTC"')
    if reply.time_format not in (None, "http", "h:m:s"):
        try:
            written = datetime(2031, 1, 2, 3, 4, 5).strftime(reply.time_format)
            datetime.strptime(written, reply.time_format)
        except ValueError:
            yield Finding((*path, "time_format"), "is no format of strptime", "such as %Y-%m-%d")
    if reply.sliding and reply.ttl == "never":
        yield Finding((*path, "sliding"), "says nothing of what never ends", "take one of them out")
    if isinstance(reply.ttl, int | float) and reply.ttl <= 0:
        yield Finding((*path, "ttl"), "is not a number of seconds above 0")


def _place(place: str, path: Path) -> Iterator[Finding]:
    yield from _asking(places.check, place, path)


def _use(line: str, known: set[str], path: Path) -> Iterator[Finding]:
    if not LINE.fullmatch(line):
        right = 'write "Header-Name: {token}" or "?name={token}"'
        yield Finding(path, f"{line[:60]!r} is neither a header nor a query parameter", right)
    else:
        yield from template(line, known, path)


def template(text: str, known: set[str], path: Path) -> Iterator[Finding]:
    """Yield what is wrong with a template that may name these values."""
    try:
        written = names(text)
    except ConfigError as error:
        yield Finding(path, error.message, error.hint)
        return
    for name in written:
        if name not in known:
            right = f"{did_you_mean(name, sorted(known))} Else describe it under [fields.{name}]"
            yield Finding(path, f"names {name}, which can't stand here or is no field", right)


def _asking(check: Callable[[str], object], value: str, path: Path) -> Iterator[Finding]:
    from tokencli.config.findings import Wrong

    try:
        check(value)
    except Wrong as wrong:
        yield Finding(path, wrong.what, wrong.right)
    except ConfigError as error:
        yield Finding(path, error.message, error.hint)
