"""A configuration file of curl, for `curl -K-`: nothing of it is on a command line.

In double quotes curl treats a backslash as the escape character (curl(1), option --config).
"""

from collections.abc import Iterable, Mapping

from tokencli.formats import header
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.token_usage import build_headers_and_query


def render(profile: str, token: TokenSet, now: float) -> str:
    """Return `header = "Authorization: Bearer …"` and a newline."""
    return render_option("header", header.render(profile, token, now).rstrip("\n"))


def render_as_used(
    profile: Profile, token: TokenSet, now: float, secrets: Mapping[str, Secret]
) -> str:
    """Return one line for each header and query parameter in which the provider sends its token."""
    return render_headers_and_query(*build_headers_and_query(profile, token, secrets, now))


def render_headers_and_query(
    headers: Iterable[tuple[str, str]], query: Iterable[tuple[str, str]]
) -> str:
    """Return one line for each header and query parameter.

    `url-query` needs curl 7.87. Its `+` says that the parameter is percent-encoded already.
    """
    return "".join(
        [render_option("header", f"{name}: {value}") for name, value in headers]
        + [render_option("url-query", f"+{name}={value}") for name, value in query]
    )


def render_option(name: str, value: str) -> str:
    """Return a line of a configuration that sets an option; the value has no line break."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name} = "{quoted}"\n'
