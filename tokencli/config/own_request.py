"""Check what a provider says of its own requests, and of the values that they are made of."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from tokencli import grants
from tokencli.config import own_reply, rules
from tokencli.config.duration import LONGEST
from tokencli.config.findings import Finding, Path, did_you_mean
from tokencli.config.own_address import own_server
from tokencli.config.own_template import asking, header, template, templates
from tokencli.config.schema import secret_keys
from tokencli.errors import ConfigError
from tokencli.jwt.sign import ALGORITHMS, SHARED
from tokencli.providers.spec import Call, Provider, Request, Signed
from tokencli.providers.template import names
from tokencli.providers.url_template import fill_url
from tokencli.providers.values import FROM_REPLY, GENERATED

STANDARD = ("client_id", "username", "token_url", "scope")
"""The values of every profile that a template may name, whether or not [fields] describes them."""


def own_request(provider: Provider, at: Path) -> Iterator[Finding]:
    """Yield everything that is wrong with a provider's templates and places."""
    yield from _names(provider, at)
    known = {*provider.fields, *STANDARD, *secret_keys(provider), *GENERATED}
    replied = {*FROM_REPLY, *provider.outputs}
    yield from _values(provider, known | replied, (*at, "values"))
    known |= {*provider.values}
    later = _later(provider, replied)
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
            yield from own_server(call.url or "", provider, (*at, key, "url"))
    yield from own_reply.reply(provider.reply, (*at, "reply"))
    yield from own_reply.errors(provider.errors, (*at, "errors"))
    yield from own_reply.issuing(provider.issuing, (*at, "issuing"))
    for line in provider.use:
        yield from own_reply.use(line, known | replied, (*at, "use"))


def _values(provider: Provider, known: set[str], path: Path) -> Iterator[Finding]:
    """Check the computed values: each may name what stands above it, and so none itself."""
    made_of = _made_of(provider)
    in_turn = _turned(made_of)
    above, told = set(known), set[str]()
    for name, text in provider.values.items():
        below = sorted({*made_of[name]} & ({*provider.values} - above))
        yield from template(text, above | {*below}, (*path, name))
        for other in below:
            if {name, other} <= told:
                continue
            circle = _reached([other], made_of) & _reached([name], in_turn)
            if not circle:
                what = f"names {other}, which is computed after it"
                yield Finding((*path, name), what, f"put {other} above it")
            elif not told & circle:
                what = "names itself" if other == name else f"names {other}, which is made of it"
                yield Finding((*path, name), what, "a value can't go round in a circle")
            told |= circle
        above.add(name)


_Graph = Mapping[str, Collection[str]]


def _made_of(provider: Provider) -> dict[str, tuple[str, ...]]:
    """Map each computed value to the names in its template; to none where that can't be read."""
    found: dict[str, tuple[str, ...]] = {}
    for name, text in provider.values.items():
        found[name] = ()
        with suppress(ConfigError):
            found[name] = names(text)
    return found


def _turned(made_of: _Graph) -> dict[str, list[str]]:
    """Map each name to the values that are made of it."""
    found: dict[str, list[str]] = {}
    for name, parts in made_of.items():
        for part in parts:
            found.setdefault(part, []).append(name)
    return found


def _reached(start: Iterable[str], graph: _Graph) -> set[str]:
    """Return some names and whatever can be reached from them."""
    found = set(start)
    rest = list(found)
    while rest:
        more = {*graph.get(rest.pop(), ())} - found
        found |= more
        rest += more
    return found


def _later(provider: Provider, replied: set[str]) -> set[str]:
    """Name the computed values that need a reply."""
    return _reached(replied, _turned(_made_of(provider))) & {*provider.values}


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
    if not 0 < signed.life <= LONGEST:
        yield Finding((*path, "life"), "is not a number of seconds above 0, and below ten years")
    if "alg" in signed.header:
        right = 'the key alg says it, beside header: alg = "ES256"'
        yield Finding((*path, "header", "alg"), "must not stand here", right)
    for key, tree in (("header", signed.header), ("claims", signed.claims)):
        if not _plain(tree):
            yield Finding((*path, key), "holds a date or a nameless member")
        yield from templates(tree, known, (*path, key))


def _call(call: Call, known: set[str], path: Path) -> Iterator[Finding]:
    if call.url is not None:
        yield from template(call.url, known, (*path, "url"))
        yield from asking(_address(known), call.url, (*path, "url"))
    for key in ("names", "scope_separator"):
        if getattr(call, key) != getattr(Request(), key):
            yield Finding((*path, key), "is only for OAuth's own request", "write send = { … }")
    yield from _request(call, known, path)
    if call.reply is not None:
        yield from own_reply.reply(call.reply, (*path, "reply"))


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
        yield from header(text, known, (*path, "headers", name))
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
        yield from asking(rules.header_name, name, path)


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
    yield from templates(send, known, path)


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
