"""Read a curl command line."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlencode

from tokencli.errors import ConfigError
from tokencli.importers import shell_words
from tokencli.importers.model import ImportedRequest

_OPTIONS_WITH_VALUE = ("-X", "--request", "-H", "--header", "-d", "--data", "--data-raw", "--data-binary",
           "--data-ascii", "--data-urlencode", "--json", "-u", "--user", "--url", "-F", "--form",
           "-o", "--output", "-A", "--user-agent", "-b", "--cookie", "--cacert", "-E", "--cert",
           "--key", "-e", "--referer", "-m", "--max-time", "--connect-timeout", "-x", "--proxy",
           "-w", "--write-out", "--retry", "-c", "--cookie-jar", "--resolve", "--oauth2-bearer")  # fmt: skip
_DATA_OPTIONS = (
    "-d",
    "--data",
    "--data-raw",
    "--data-binary",
    "--data-ascii",
    "--data-urlencode",
    "--json",
)


def parse_curl(text: str) -> ImportedRequest:
    """Return the request of a curl command line; nothing is run, no file it names is read.

    Raises:
        ConfigError: it is no curl command with a URL. The message quotes nothing of it.
    """
    try:
        words = shell_words.split_command(text)
    except ValueError:
        raise ConfigError(
            "the curl command can't be read: a quotation mark is not closed",
            fix="paste it whole, as the browser or the documentation has it",
        ) from None
    if not words or not words[0].lower().removesuffix(".exe").endswith("curl"):
        raise ConfigError("this is no curl command line", fix="it begins with the word curl")
    told = list(_parse_options(words[1:]))
    urls = [value for name, value in told if name in ("", "--url")]
    if not urls:
        raise ConfigError("the curl command names no URL")
    data = [(name, value) for name, value in told if name in _DATA_OPTIONS]
    headers = [
        (name.strip(), value.strip())
        for option, line in told
        if option in ("-H", "--header")
        for name, colon, value in [line.partition(":")]
        if colon
    ]
    if any(option == "--oauth2-bearer" for option, _ in told):
        headers.append(("Authorization", "Bearer x"))
    method = next((value for name, value in told if name in ("-X", "--request")), None)
    as_query = any(name in ("-G", "--get") for name, _ in told)
    notes = list(_iter_file_notes(told))
    body = "&".join(
        _encode_data(name, value) for name, value in data if not _is_file_reference(name, value)
    )
    url = urls[0]
    if as_query and body:
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", ""
    parts = [value.partition("=") for name, value in told if name in ("-F", "--form")]
    kind = "multipart" if parts and not data else ""
    if kind:
        body = urlencode([(name, "x") for name, equals, _ in parts if equals])
    basic = any(name in ("-u", "--user") for name, _ in told) or has_basic_auth(headers)
    verb = method or ("POST" if (data or parts) and not as_query else "GET")
    return ImportedRequest(
        verb.upper(), url, tuple(headers), body, basic, body_format=kind, notes=tuple(notes)
    )


def _is_file_reference(option: str, value: str) -> bool:
    """Tell whether data are a file's whole content: that is its owner's, and is not read."""
    return option in _DATA_OPTIONS and option != "--data-raw" and value.startswith("@")


def _iter_file_notes(told: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield what a file held that is not read."""
    for option, value in told:
        name, at, _ = value.partition("@")
        if _is_file_reference(option, value):
            yield "the body that came from a file, which is not read: request.body and request.send"
        elif option == "--data-urlencode" and at and "=" not in value:
            yield f"{name[:60]}, whose value came from a file"
        elif option in ("-H", "--header") and value.startswith("@"):
            yield "the headers that came from a file, which is not read: request.headers"


def _parse_options(words: list[str]) -> Iterator[tuple[str, str]]:
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word in _OPTIONS_WITH_VALUE:
            yield word, next(rest, "")
        elif equals and name in _OPTIONS_WITH_VALUE and name.startswith("--"):
            yield name, value
        elif word.startswith("-") and not word.startswith("--") and word[:2] in _OPTIONS_WITH_VALUE:
            yield word[:2], word[2:]
        elif word.startswith("-"):
            yield word, ""
        else:
            yield "", word


def _encode_data(option: str, value: str) -> str:
    if option != "--data-urlencode":
        return value
    name, equals, text = value.partition("=")
    if not equals:
        name, equals, text = value.partition("@")  # what follows it is a file's name
    return urlencode([(name, text)]) if equals else value


def has_basic_auth(headers: Iterable[tuple[str, str]]) -> bool:
    """Tell whether one of the headers is HTTP Basic's."""
    return any(n.lower() == "authorization" and v.lower().startswith("basic") for n, v in headers)
