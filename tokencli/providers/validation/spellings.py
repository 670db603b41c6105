"""Validate the spellings of constants: what is sent, and after which refusals another one is tried."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tokencli.problems import Finding, KeyPath, did_you_mean
from tokencli.provider_schema import Provider, Spellings
from tokencli.providers.template import iter_constants
from tokencli.providers.validation import values
from tokencli.providers.validation.template import run_check

MAX_SPELLINGS = 3
"""Of one constant; each costs a request."""
MAX_CONSTANTS = 3

_COUNTED_CODE = re.compile(
    r"invalid(grant|client|token|user(name)?|login|assertion)|unauthori[sz]ed(client|user)?"
    r"|(access|permission)denied|forbidden|authenticationfailed|loginfailed|accountdisabled"
    r"|.*(credential|password|attempt|locked|toomany|ratelimit).*|authorizationpending|slowdown"
    r"|401|403|423|429"
)
"""Error codes, without case and punctuation, of refusals that may have checked a credential."""
_URN_PREFIX = "urn:ietf:params:oauth:grant-type:"


def check_spellings(provider: Provider, at: KeyPath) -> Iterator[Finding]:
    """Yield the problems in a provider's [spellings]."""
    at = (*at, "spellings")
    if len(provider.spellings) > MAX_CONSTANTS:
        what = f"has {len(provider.spellings)} constants"
        yield Finding(at, what, f"list at most {MAX_CONSTANTS}, as each costs requests")
    constants = set(iter_constants(_list_sent_trees(provider)))
    seen: dict[str, str] = {}
    for name, rule in provider.spellings.items():
        path = (*at, name)
        wrong = [*_check_values(rule, path)]
        if not wrong and constants.isdisjoint((name, json.dumps(v)) for v in rule.values):
            names = sorted({known for known, _ in constants})
            what = "has none of the values that token requests send under this name"
            right = "use the constant as it is in [request], [then], [refresh] or [grants]"
            if name not in names:
                what, right = "is sent by no token request", did_you_mean(name, names)
            wrong.append(Finding(path, what, right))
        yield from wrong or _check_codes(name, rule, provider, path)
        for code in rule.on:
            if seen.setdefault(code, name) != name:
                what = (
                    f"names {code}, as {seen[code]} does, so it is unclear which constant is wrong"
                )
                yield Finding(path, what, "name each code at one constant only")


def _list_sent_trees(provider: Provider) -> list[Any]:
    """Return everything in which token requests can have constants."""
    calls = [call for call in (provider.then, provider.refresh) if call is not None]
    trees: list[Any] = [(call.send, call.query) for call in (provider.request, *calls)]
    if not provider.request.is_custom:
        for name, grant in {"refresh_token": None, **provider.grants}.items():
            urns = (_URN_PREFIX + name, _URN_PREFIX + name.replace("_", "-"))
            types = [grant.grant_type] if grant and grant.grant_type else [name, *urns]
            trees += [{"grant_type": one} for one in types]
            trees += [grant.params] if grant else []
    return trees


def _check_values(rule: Spellings, path: KeyPath) -> Iterator[Finding]:
    if not all(isinstance(value, str | int | float) for value in rule.values):
        yield Finding(
            path, "contains a date, an array or a table", "list text, numbers or booleans"
        )
        return
    number = len({json.dumps(value) for value in rule.values})
    if number != len(rule.values) or not 1 < number <= MAX_SPELLINGS:
        what = f"has {number} different {'spelling' if number == 1 else 'spellings'}"
        if number != len(rule.values):
            what = "lists a spelling twice"
        yield Finding(path, what, "list two or three different ones, the usual one first")
    for value in rule.values:
        if isinstance(value, str):
            yield from run_check(values.validate_text, value, path)
            if "{" in value or "}" in value:
                what = "contains a placeholder, but only constants have spellings"
                yield Finding(path, what, "write the text that is sent")


def _check_codes(
    name: str, rule: Spellings, provider: Provider, path: KeyPath
) -> Iterator[Finding]:
    if not rule.on:
        listed = ", ".join(json.dumps(value, default=str) for value in rule.values)
        yield Finding(
            path,
            "names no error code after which the next spelling is tried",
            f'{name} = {{ values = [{listed}], on = ["CODE"] }}',
        )
    for code in rule.on:
        meaning = provider.errors.codes.get(code)
        is_counted = _COUNTED_CODE.fullmatch(re.sub(r"[^a-z0-9]", "", code.lower()))
        if is_counted or (meaning is not None and meaning.whose == "you"):
            yield Finding(
                path,
                f"names {code}, a refusal that can count as a failed sign-in, so repeating the request"
                " could lock the account",
                "name only codes of refusals that check no credential, e.g. unsupported_grant_type",
            )
