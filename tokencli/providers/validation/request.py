"""Validate the requests that a provider describes, and the values in them."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tokencli.duration import MAX_DURATION
from tokencli.errors import ConfigError
from tokencli.jwt.sign import ASYMMETRIC_ALGORITHMS, HMAC_ALGORITHMS
from tokencli.problems import Finding, KeyPath, did_you_mean
from tokencli.provider_schema import Call, Provider, Request, Signed
from tokencli.providers.template import fill_url, list_value_names
from tokencli.providers.template_values import GENERATED_VALUES, REPLY_VALUES
from tokencli.providers.validation import reply, values
from tokencli.providers.validation.template import (
    check_header_template,
    check_server_placeholders,
    check_template,
    check_templates,
    run_check,
)

STANDARD_VALUE_NAMES = ("client_id", "username", "token_url", "scope")
"""Values of every profile that templates can name, even if [fields] does not describe them."""


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that exist whichever provider a profile uses, handed in by the caller."""

    profile_keys: frozenset[str]
    """Every key that any profile may have."""
    redefinable_keys: frozenset[str]
    """Those of them that a provider may describe under [fields]."""
    secret_keys: frozenset[str]
    """Those of them that hold secrets."""
    grants: Collection[str]
    """The OAuth grants that tokencli implements."""
    client_auth_methods: Collection[str]

    @property
    def reserved_field_names(self) -> frozenset[str]:
        """The names that no field of a provider may have."""
        return self.profile_keys - self.redefinable_keys

    def secret_names(self, provider: Provider) -> frozenset[str]:
        """Return the keys of the provider's profiles that hold secrets."""
        return self.secret_keys | {
            name for name, field in provider.fields.items() if field.kind == "secret"
        }

    def input_names(self, provider: Provider) -> set[str]:
        """Return the values that a profile of the provider can give, secret or not."""
        return {*provider.fields, *STANDARD_VALUE_NAMES, *self.secret_names(provider)}

    def public_names(self, provider: Provider) -> set[str]:
        """Return the values that are not secret, which URLs and claims may use."""
        return {*provider.fields, *STANDARD_VALUE_NAMES} - self.secret_names(provider)

    def template_names(self, provider: Provider) -> set[str]:
        """Return every value that the standard OAuth request can name."""
        made = {*GENERATED_VALUES, *provider.values, *provider.signed}
        return self.input_names(provider) | made


def check_requests(provider: Provider, at: KeyPath, names: KnownNames) -> Iterator[Finding]:
    """Yield the problems in a provider's templates and locators."""
    yield from _check_value_names(provider, at)
    known = {*names.input_names(provider), *GENERATED_VALUES}
    replied = {*REPLY_VALUES, *provider.output_names}
    yield from _check_values(provider, known | replied, (*at, "values"))
    known |= {*provider.values}
    later = _reply_dependent_values(provider, replied)
    for name, signed in provider.signed.items():
        yield from _check_signed(signed, known, names.secret_names(provider), (*at, "signed", name))
    known |= {*provider.signed}
    if provider.request.is_custom:
        yield from _check_request(provider.request, known - later, (*at, "request"))
        for name in provider.grants:
            if name in names.grants:
                what = "is an OAuth grant, but [request] describes a custom request"
                right = (
                    "describe the renewal as [refresh]"
                    if name == "refresh_token"
                    else "rename it to token"
                )
                yield Finding((*at, "grants", name), what, right)
    for key in ("then", "refresh", "logout"):
        call = getattr(provider, key)
        if call is not None:
            yield from _check_call(call, known | replied, (*at, key))
            yield from check_server_placeholders(call.url or "", provider, (*at, key, "url"))
    yield from reply.check_reply(provider.reply, (*at, "reply"))
    yield from reply.check_errors(provider.errors, (*at, "errors"))
    yield from reply.check_issuing(provider.issuing, (*at, "issuing"))
    for line in provider.use:
        yield from reply.check_usage_line(line, known | replied, (*at, "use"))


def _check_values(provider: Provider, known: set[str], path: KeyPath) -> Iterator[Finding]:
    """Check the computed values: each can name only values above it."""
    made_of = _value_dependencies(provider)
    in_turn = _invert_graph(made_of)
    above, reported = set(known), set[str]()
    for name, text in provider.values.items():
        below = sorted({*made_of[name]} & ({*provider.values} - above))
        yield from check_template(text, above | {*below}, (*path, name))
        for other in below:
            if {name, other} <= reported:
                continue
            circle = _reachable_names([other], made_of) & _reachable_names([name], in_turn)
            if not circle:
                what = f"names {other}, which is computed after it"
                yield Finding((*path, name), what, f"move {other} above it")
            elif not reported & circle:
                what = "names itself" if other == name else f"names {other}, which depends on it"
                yield Finding((*path, name), what, "remove the circular reference")
            reported |= circle
        above.add(name)


_NameGraph = Mapping[str, Collection[str]]


def _value_dependencies(provider: Provider) -> dict[str, tuple[str, ...]]:
    """Map each computed value to the names in its template, or to none if it can't be parsed."""
    found: dict[str, tuple[str, ...]] = {}
    for name, text in provider.values.items():
        found[name] = ()
        with suppress(ConfigError):
            found[name] = list_value_names(text)
    return found


def _invert_graph(made_of: _NameGraph) -> dict[str, list[str]]:
    """Map each name to the values that depend on it."""
    found: dict[str, list[str]] = {}
    for name, parts in made_of.items():
        for part in parts:
            found.setdefault(part, []).append(name)
    return found


def _reachable_names(start: Iterable[str], graph: _NameGraph) -> set[str]:
    """Return the names together with all names reachable from them."""
    found = set(start)
    pending = list(found)
    while pending:
        more = {*graph.get(pending.pop(), ())} - found
        found |= more
        pending += more
    return found


def _reply_dependent_values(provider: Provider, replied: set[str]) -> set[str]:
    """Return the computed values that depend on a reply."""
    return _reachable_names(replied, _invert_graph(_value_dependencies(provider))) & {
        *provider.values
    }


def _check_value_names(provider: Provider, at: KeyPath) -> Iterator[Finding]:
    for name in provider.fields:
        if name in GENERATED_VALUES or name == "token":
            yield Finding((*at, "fields", name), "is a value that tokencli generates", "rename it")
    made: dict[KeyPath, Iterable[str]] = {("values",): provider.values, ("signed",): provider.signed,
                                       ("reply", "outputs"): provider.output_names}  # fmt: skip
    for table, written in made.items():
        path = (*at, *table)
        for name in written:
            if not re.fullmatch(values.FIELD_NAME_PATTERN, name):
                yield Finding(
                    (*path, name), "is not a valid name for a value", "use a-z, 0-9 and _"
                )
            elif name in {
                *provider.fields,
                *STANDARD_VALUE_NAMES,
                *GENERATED_VALUES,
                *REPLY_VALUES,
            } or (table != ("values",) and name in provider.values):
                yield Finding((*path, name), "is the name of another value", "rename it")


def _check_signed(
    signed: Signed, known: set[str], secrets: Collection[str], path: KeyPath
) -> Iterator[Finding]:
    if signed.key not in secrets:
        right = did_you_mean(signed.key, sorted(secrets))
        yield Finding((*path, "key"), f"{signed.key!r} is not a secret of a profile", right)
    if signed.alg is not None and signed.alg not in (*ASYMMETRIC_ALGORITHMS, *HMAC_ALGORITHMS):
        right = did_you_mean(signed.alg, (*ASYMMETRIC_ALGORITHMS, *HMAC_ALGORITHMS))
        yield Finding((*path, "alg"), f"{signed.alg!r} is not a supported signing algorithm", right)
    if not 0 < signed.life <= MAX_DURATION:
        yield Finding((*path, "life"), "is not between 0 and ten years, in seconds")
    if "alg" in signed.header:
        right = 'set alg = "ES256" next to header'
        yield Finding((*path, "header", "alg"), "can't be set here", right)
    for key, tree in (("header", signed.header), ("claims", signed.claims)):
        if not _is_json_tree(tree):
            yield Finding((*path, key), "contains a date or a member without a name")
        yield from check_templates(tree, known, (*path, key))


def _check_call(call: Call, known: set[str], path: KeyPath) -> Iterator[Finding]:
    if call.url is not None:
        yield from check_template(call.url, known, (*path, "url"))
        yield from run_check(_make_url_check(known), call.url, (*path, "url"))
    for key in ("names", "scope_separator"):
        if getattr(call, key) != getattr(Request(), key):
            yield Finding(
                (*path, key), "applies only to the standard OAuth request", "write send = { … }"
            )
    yield from _check_request(call, known, path)
    if call.reply is not None:
        yield from reply.check_reply(call.reply, (*path, "reply"))


def _make_url_check(known: set[str]) -> Callable[[str], object]:
    """Return a check of a URL template, in which a placeholder at the start is a whole URL."""

    def check(text: str) -> object:
        first = re.match(r"\{(\w+)", text)
        sample = dict.fromkeys(known, "x")
        if first:
            sample[first[1]] = "https://h.example"
        return fill_url(re.sub(r"^https://\{\w+\}", "https://h.example", text), sample)

    return check


def _check_request(request: Request, known: set[str], path: KeyPath) -> Iterator[Finding]:
    if request.method == "GET" and request.body not in (None, "query", "none"):
        yield Finding(
            (*path, "body"), "can't be used with GET", 'remove it, or set method = "POST"'
        )
    for name, text in request.headers.items():
        yield from _check_header_name(name, request, (*path, "headers", name))
        yield from check_header_template(text, known, (*path, "headers", name))
    for name, text in request.query.items():
        yield from check_template(text, known, (*path, "query", name))
    if request.basic is not None:
        yield from check_template(request.basic, known, (*path, "basic"))
        if ":" not in request.basic:
            yield Finding((*path, "basic"), "has no colon", 'e.g. "{username}:{password}"')
    yield from _check_send(request, known, (*path, "send"))


def _check_header_name(name: str, request: Request, path: KeyPath) -> Iterator[Finding]:
    own = {"cookie", "accept-encoding", *(() if request.basic else ("authorization",))}
    if name.lower() not in own:
        yield from run_check(values.validate_header_name, name, path)


def _check_send(request: Request, known: set[str], path: KeyPath) -> Iterator[Finding]:
    send = request.send
    if send is None:
        if request.body in ("text", "xml"):
            yield Finding(path, "is missing", f'write the {request.body} body as send = "…"')
        return
    if request.body == "none":
        yield Finding(path, 'is a body, but body is "none"', "remove one of them")
    elif request.body in ("text", "xml"):
        if not isinstance(send, str):
            yield Finding(path, "must be text in quotes", f'because body is "{request.body}"')
    elif request.body != "json" and not (
        isinstance(send, Mapping) and all(map(_is_flat_value, send.values()))
    ):
        right = 'write it as { name = "{value}" }, or set body = "json"'
        yield Finding(path, "is not a flat table of parameters", right)
    if not _is_json_tree(send):
        yield Finding(
            path, "contains a date or a member without a name", "write dates as text in quotes"
        )
    yield from check_templates(send, known, path)


def _is_flat_value(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(one, str | int | float) for one in value)
    return isinstance(value, str | int | float)


def _is_json_tree(tree: Any) -> bool:
    if isinstance(tree, Mapping):
        return all(name and _is_json_tree(branch) for name, branch in tree.items())
    if isinstance(tree, tuple | list):
        return all(map(_is_json_tree, tree))
    return isinstance(tree, str | int | float)
