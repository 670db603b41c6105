"""Check that the address a provider writes is on the server that the profile names, and no other."""

import re
from collections.abc import Iterator

from tokencli.problems import Finding, KeyPath
from tokencli.provider_schema import Provider

_PLACEHOLDER = re.compile(r"(?<!\{)\{(\w+)[^{}]*\}")
_ALLOWED_SUFFIXES = {"host": ("", ":", "/", "?"), "url": ("", "/", "?")}
"""Kind of field -> what may follow it in an address."""


def check_server_placeholders(
    template: str, provider: Provider, path: KeyPath
) -> Iterator[Finding]:
    """Yield what would turn a server that a profile names into a part of another one's address.

    A `host` is a whole authority, and a `url` the beginning of an address: with something beside
    it, `{host}.example.com`, or further on, `https://example.com/{host}`, secrets would go elsewhere
    than to what the profile says.
    """
    for found in _PLACEHOLDER.finditer(template):
        field = provider.fields.get(found[1])
        if field is None or field.kind not in _ALLOWED_SUFFIXES:
            continue
        before, after = template[: found.start()], template[found.end() :]
        begins = before in ("https://", "http://") if field.kind == "host" else not before
        if not begins or after[:1] not in _ALLOWED_SUFFIXES[field.kind]:
            right = (
                'write it as "https://{%s}/…"' if field.kind == "host" else 'write it as "{%s}/…"'
            )
            yield Finding(
                path,
                f"takes the server that the profile names in {found[1]} for a part of another's address",
                right % found[1] + ", or make it a field of kind text",
            )
