"""Read curl command lines as curl does (tool_getparam.c, curl(1)). Nothing is run, and no file is read."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote, urlencode

from tokencli.errors import ConfigError
from tokencli.importers.command_line import split_commands
from tokencli.importers.model import ImportedRequest, get_body_format, has_basic_auth

OPTIONS = """
abstract-unix-socket= alpn alt-svc= anyauth append/a aws-sigv4= basic buffer/N ca-native cacert= capath=
cert/E= cert-status cert-type= ciphers= clobber compressed compressed-ssh config/K= connect-timeout=
connect-to= continue-at/C= cookie/b= cookie-jar/c= create-dirs create-file-mode= crlf crlfile= curves=
data/d= data-ascii= data-binary= data-raw= data-urlencode= delegation= digest disable/q disable-eprt
disable-epsv disallow-username-in-url dns-interface= dns-ipv4-addr= dns-ipv6-addr= dns-servers=
doh-cert-status doh-insecure doh-url= dump-ca-embed dump-header/D= ech= egd-file= engine= eprt epsv
etag-compare= etag-save= expect100-timeout= fail/f fail-early fail-with-body false-start follow form/F=
form-escape form-string= ftp-account= ftp-alternative-to-user= ftp-create-dirs ftp-method= ftp-pasv
ftp-port/P= ftp-pret ftp-skip-pasv-ip ftp-ssl ftp-ssl-ccc ftp-ssl-ccc-mode= ftp-ssl-control ftp-ssl-reqd
get/G globoff/g happy-eyeballs-timeout-ms= haproxy-clientip= haproxy-protocol head/I header/H= help/h=
hostpubmd5= hostpubsha256= hsts= http0.9 http1.0/0 http1.1 http2 http2-prior-knowledge http3 http3-only
ignore-content-length include/i insecure/k interface= ip-tos= ipfs-gateway= ipv4/4 ipv6/6 json=
junk-session-cookies/j keepalive keepalive-cnt= keepalive-time= key= key-type= knownhosts= krb= krb4=
libcurl= limit-rate= list-only/l local-port= location/L location-trusted login-options= mail-auth=
mail-from= mail-rcpt= mail-rcpt-allowfails manual/M max-filesize= max-redirs= max-time/m= metalink mptcp
negotiate netrc/n netrc-file= netrc-optional next/: noproxy= npn ntlm ntlm-wb oauth2-bearer= out-null
output/o= output-dir= parallel/Z parallel-immediate parallel-max= parallel-max-host= pass= path-as-is
pinnedpubkey= post301 post302 post303 preproxy= progress-bar/# progress-meter proto= proto-default=
proto-redir= proxy/x= proxy-anyauth proxy-basic proxy-ca-native proxy-cacert= proxy-capath= proxy-cert=
proxy-cert-type= proxy-ciphers= proxy-crlfile= proxy-digest proxy-header= proxy-http2 proxy-insecure
proxy-key= proxy-key-type= proxy-negotiate proxy-ntlm proxy-pass= proxy-pinnedpubkey= proxy-service-name=
proxy-ssl-allow-beast proxy-ssl-auto-client-cert proxy-tls13-ciphers= proxy-tlsauthtype=
proxy-tlspassword= proxy-tlsuser= proxy-tlsv1 proxy-user/U= proxy1.0= proxytunnel/p pubkey= quote/Q=
random-file= range/r= rate= raw referer/e= remote-header-name/J remote-name/O remote-name-all remote-time/R
remove-on-error request/X= request-target= resolve= retry= retry-all-errors retry-connrefused retry-delay=
retry-max-time= sasl-authzid= sasl-ir service-name= sessionid show-error/S show-headers sigalgs= silent/s
skip-existing socks4= socks4a= socks5= socks5-basic socks5-gssapi socks5-gssapi-nec socks5-gssapi-service=
socks5-hostname= speed-limit/Y= speed-time/y= ssl ssl-allow-beast ssl-auto-client-cert ssl-no-revoke
ssl-reqd ssl-revoke-best-effort ssl-sessions= sslv2/2 sslv3/3 stderr= styled-output
suppress-connect-headers tcp-fastopen tcp-nodelay telnet-option/t= tftp-blksize= tftp-no-options
time-cond/z= tls-earlydata tls-max= tls13-ciphers= tlsauthtype= tlspassword= tlsuser= tlsv1/1 tlsv1.0
tlsv1.1 tlsv1.2 tlsv1.3 tr-encoding trace= trace-ascii= trace-config= trace-ids trace-time unix-socket=
upload-file/T= upload-flags= url= url-query= use-ascii/B user/u= user-agent/A= variable= verbose/v
version/V vlan-priority= write-out/w= xattr
"""
"""The options of curl 7.88 to 8.17: name, `/` and its letter if it has one, `=` if a value follows."""
_TAKES_VALUE: dict[str, bool] = {
    name: bool(value) for name, value in re.findall(r"([\w.-]+)(?:/\S)?(=?)\s", OPTIONS)
}
_NAME_BY_LETTER: dict[str, str] = {
    letter: name for name, letter in re.findall(r"([\w.-]+)/(\S)", OPTIONS)
}
REFUSED_OPTIONS = {
    "config": "its other options are in a file, which is not read",
    "variable": "its values are in variables",
    "help": "it sends no request",
    "manual": "it sends no request",
    "version": "it sends no request",
}
"""Option -> why a command line with it can't be imported."""
_DATA_OPTIONS = ("data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "json")
_READ_OPTIONS = (*_DATA_OPTIONS, "basic", "cookie", "form", "form-string", "get", "head", "header",
                 "oauth2-bearer", "proto-default", "referer", "request", "upload-file", "url",
                 "url-query", "user", "user-agent")  # fmt: skip
"""The options that are part of the draft. All others are listed as left out."""
_OTHER_AUTHENTICATION = {"aws-sigv4": "AWS Signature", "digest": "HTTP Digest", "negotiate": "Kerberos",
                         "ntlm": "NTLM", "ntlm-wb": "NTLM"}  # fmt: skip
_PROFILE_KEYS = {"cacert": "ca_file", "cert": "client_cert", "insecure": "insecure", "key": "client_key",
                 "max-time": "timeout", "proxy": "proxy"}  # fmt: skip
"""Option that was left out -> the profile's key for it."""
_POWERSHELL_PARAMETERS = (
    "-uri",
    "-method",
    "-headers",
    "-body",
    "-contenttype",
    "-usebasicparsing",
)
_BEFORE_CURL = re.compile(
    r"[\w{}]*=.*|\{\{\w+\}\}|!|call|command|do|env|exec|export|if|local|nohup|set|sudo|then|time|winpty",
    re.DOTALL,
)
"""Matches words that may precede the name of a program."""
_CURL_PROGRAM = re.compile(r"(?:.*[/\\]|[!@])?curl(?:\.exe)?", re.IGNORECASE | re.DOTALL)
_FORM_CONTENT = re.compile(r'\s*+(?:"((?:\\[\\"]|[^"])*+)"[^;]*|([^;]*))(?:;.*)?', re.DOTALL)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f"
_URL_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_URL_VARIABLE = re.compile(r"\{\{|[{<$]")
_BODY_IN_FILE = "the body is in a file, which is not read: set request.body and request.send"
Pairs = list[tuple[str, str]]


class CurlOption(NamedTuple):
    """An option of curl, or a URL."""

    name: str
    """The long name; after `no-` if it is switched off."""
    value: str
    spelling: str


def parse_curl(text: str, *, with_credentials: bool = False) -> list[ImportedRequest]:
    """Return the requests of the curl commands in a command line, in the order in which they are sent.

    The credentials of `--user` and `--oauth2-bearer` become a header only `with_credentials`; a draft
    doesn't need them.

    Raises:
        ConfigError: there is no curl command with a URL, curl would refuse it, or it reads its options
            from elsewhere. The message does not quote it.
    """
    commands = split_commands(text)
    found = [arguments for words in commands if (arguments := _find_arguments(words)) is not None]
    if not found:
        raise _no_curl_error(commands)
    requests = [
        request
        for arguments in found
        for options in _split_at_next(_iter_options(arguments))
        for request in _read_requests(options, with_credentials=with_credentials)
    ]
    if not requests:
        raise ConfigError("the curl command has no URL")
    if len(commands) > len(found):
        note = "the commands other than curl, which were left out"
        requests = [replace(request, notes=(*request.notes, note)) for request in requests]
    return requests


def _find_arguments(words: list[str]) -> list[str] | None:
    """Return the words after `curl`, or None if the command runs another program."""
    for number, word in enumerate(words, 1):
        if _CURL_PROGRAM.fullmatch(word):
            return words[number:]
        if not _BEFORE_CURL.fullmatch(word):
            return None
    return None


def _no_curl_error(commands: list[list[str]]) -> ConfigError:
    for words in commands:
        names_curl = [bool(_CURL_PROGRAM.fullmatch(word)) for word in words]
        if True in names_curl and any("://" in word for word in words[names_curl.index(True) :]):
            return ConfigError(
                "a prompt or another program precedes curl",
                cause="copy the command from the word curl on",
            )
    return ConfigError("this is not a curl command line")


def _split_at_next(options: Iterable[CurlOption]) -> Iterator[list[CurlOption]]:
    section: list[CurlOption] = []
    for option in options:
        if option.name == "next":
            yield section
            section = []
        else:
            section.append(option)
    yield section


def list_options(words: Sequence[str]) -> list[CurlOption]:
    """Return the options and URLs of a command line that is for curl itself, as curl reads it.

    Raises:
        ConfigError: an option is unknown or has no value.
    """
    return list(_iter_options(words, is_pasted=False))


def _iter_options(words: Sequence[str], *, is_pasted: bool = True) -> Iterator[CurlOption]:
    """Yield the options. A word that is neither an option nor its value is a URL."""
    rest = iter(words)
    for word in rest:
        if is_pasted:
            _check_word(word)
        if word == "--":
            yield from (CurlOption("url", url, "") for url in rest)
        elif word.startswith("--"):
            name = _find_long_option(word)
            yield CurlOption(name, _take_value(name, "", rest, is_pasted=is_pasted), f"--{name}")
        elif word.startswith("-"):
            letters = word[1:] or " "
            while letters:
                name = _NAME_BY_LETTER.get(letters[0], "")
                if not name:
                    raise _unknown_option_error(f"-{letters[0]}")
                value = _take_value(name, letters[1:], rest, is_pasted=is_pasted)
                yield CurlOption(name, value, f"-{letters[0]}")
                letters = "" if _TAKES_VALUE[name] else letters[1:]
        else:
            yield CurlOption("url", word, "")


def _check_word(word: str) -> None:
    """Refuse what is not meant for curl itself."""
    if word.lower() in _POWERSHELL_PARAMETERS:
        raise ConfigError(
            f"{word.lower()} is not an option of curl",
            cause="in Windows PowerShell, curl is an alias for Invoke-WebRequest; only command lines of "
            "curl itself can be imported",
        )
    _check_typography(word, _QUOTES + _DASHES)


def _check_typography(word: str, signs: str) -> None:
    if word[:1] and word[0] in signs:
        raise ConfigError(
            "the command line has typographic dashes or quotation marks",
            cause="a web page or an editor put them in place of -, ' or \"",
        )


def _find_long_option(word: str) -> str:
    """Return the name of an option, which may be abbreviated. A flag may follow `no-`."""
    given = word[2:].lower()
    if given.startswith("expand-"):
        given = "variable"
    prefix = "no-" if given.startswith("no-") else ""
    start = given.removeprefix(prefix)
    names = [name for name in _TAKES_VALUE if start and name.startswith(start)]
    names = [start] if start in names else names
    if len(names) != 1 or (prefix and _TAKES_VALUE[names[0]]):
        raise _unknown_option_error(word)
    return prefix + names[0]


def _unknown_option_error(option: str) -> ConfigError:
    is_name = re.fullmatch(r"-[!-~]|--[a-z-]{1,30}", option)  # and not a password, for example
    return ConfigError(f"the curl command has an unknown option{f': {option}' if is_name else ''}")


def _take_value(name: str, attached: str, rest: Iterator[str], *, is_pasted: bool) -> str:
    """Return the value of an option: what is attached to its letter, or the next word."""
    if name in REFUSED_OPTIONS and is_pasted:
        raise ConfigError(
            f"a curl command with --{name} can't be imported", cause=REFUSED_OPTIONS[name]
        )
    if not _TAKES_VALUE[name.removeprefix("no-")]:
        return ""
    value = attached or next(rest, "" if name == "help" else None)
    if value is not None and not attached and is_pasted:
        _check_typography(value, _QUOTES)
    if value is None:
        raise ConfigError(f"the curl command has no value after --{name}")
    return value


def _read_requests(
    options: list[CurlOption], *, with_credentials: bool
) -> Iterator[ImportedRequest]:
    """Yield the request for each URL of a command, or of the part of it before `--next`."""
    values: dict[str, list[str]] = {}
    for name, value, _ in options:
        if name.startswith("no-"):
            values.pop(name[3:], None)
        else:
            values.setdefault(name, []).append(value)
    notes: list[str] = []
    data = _join_data(options, notes)
    form = list(_iter_form(options, notes))
    has_form = "form" in values or "form-string" in values
    method = _choose_method(values, data is not None, has_form)
    headers = _list_headers(values, notes, with_credentials=with_credentials)
    body, query = ("", data or "") if "get" in values else (data or "", "")
    query = query or "&".join(_encode_query(each, notes) for each in values.get("url-query", ()))
    content_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    if body.strip()[:1] in ("{", "[") and get_body_format(content_type) in ("", "form"):
        notes.append("whether the body is JSON, because curl declares it to be a form")
    notes += _iter_notes(options, values)
    user, colon, password = values.get("user", [""])[-1].partition(":")
    basic = (
        "user" in values
        and not _has_header(headers, "authorization")
        and not any(name in values for name in _OTHER_AUTHENTICATION)
    )
    if basic and with_credentials:
        pair = b64encode(f"{user}:{password}".encode()).decode()
        headers.append(("Authorization", f"Basic {pair}"))
    if basic and not colon:
        notes.append("the password for HTTP Basic, which curl prompts for")
    for url in values.get("url", ()):
        target = complete_url(url, values.get("proto-default", ["http"])[-1]).partition("#")[0]
        yield ImportedRequest(
            method,
            f"{target}{'&' if '?' in target else '?'}{query}" if query else target,
            tuple(headers),
            urlencode(form) if has_form else body,
            basic or has_basic_auth(headers),
            body_format="multipart" if has_form else "",
            has_basic_user=bool(user) or not basic,
            has_basic_password=bool(password) or not (basic and colon),
            notes=tuple(dict.fromkeys(notes)),
            follows_redirects="location" in values or "location-trusted" in values,
            ca_file=values.get("cacert", [""])[-1],
        )


def _iter_notes(options: list[CurlOption], values: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield what the draft does not have of the request."""
    for name, scheme in _OTHER_AUTHENTICATION.items():
        if name in values:
            yield f"how to sign in, because {scheme} (--{name}) is not supported"
    if "upload-file" in values:
        yield _BODY_IN_FILE
    if any(name.startswith("netrc") for name in values):
        yield "the user name and password, which are in a file that is not read"
    left_out = [
        f"{spelling} (set {_PROFILE_KEYS[name]} in the profile)"
        if name in _PROFILE_KEYS
        else spelling
        for name, _, spelling in options
        if name.removeprefix("no-") not in _READ_OPTIONS
    ]
    if left_out:
        yield f"left out {', '.join(dict.fromkeys(left_out))}"


def _choose_method(values: Mapping[str, list[str]], has_data: bool, has_form: bool) -> str:
    kinds = {
        "HEAD": "head" in values,
        "PUT": "upload-file" in values,
        "POST": has_form or (has_data and "get" not in values),
    }
    if sum(kinds.values()) > 1 or (has_form and has_data):
        raise ConfigError(
            "curl refuses this command: --data, --form, --head and --upload-file can't be combined"
        )
    used = next((method for method, is_used in kinds.items() if is_used), "GET")
    return values.get("request", [used])[-1].upper()


def _join_data(options: list[CurlOption], notes: list[str]) -> str | None:
    """Return the body that the options for data make, or None if there are none."""
    body: str | None = None
    for name, value, _ in options:
        if name not in _DATA_OPTIONS:
            continue
        if name == "data-urlencode":
            piece = _encode_data(value, notes)
        elif name != "data-raw" and value.startswith("@"):
            notes.append(_BODY_IN_FILE)
            piece = ""
        else:
            piece = value
        joint = "&" if body and piece and name != "json" else ""
        body = f"{body or ''}{joint}{piece}"
    return body


def _encode_data(value: str, notes: list[str]) -> str:
    """Return data of `--data-urlencode`: `content`, `=content`, `name=content`, `@file` or `name@file`."""
    name, equals, content = value.partition("=")
    if not equals and "@" in value:
        name, _, content = value.partition("@")
        if not name:
            notes.append(_BODY_IN_FILE)
            return ""
        content = _note_file_value(name, notes)
    elif not equals:
        name, content = "", value
    return f"{name}={quote(content, safe='')}" if name else quote(content, safe="")


def _note_file_value(name: str, notes: list[str]) -> str:
    """Return a variable instead of the value of a parameter, which is in a file."""
    notes.append(f"the value of {name[:60]} is in a file, which is not read")
    return f"{{{{{name}}}}}"


def _encode_query(value: str, notes: list[str]) -> str:
    return value[1:] if value.startswith("+") else _encode_data(value, notes)


def _iter_form(options: list[CurlOption], notes: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the parts of a multipart form (formparse.c)."""
    for option, value, _ in options:
        name, equals, content = value.partition("=")
        if option not in ("form", "form-string"):
            continue
        if not equals:
            raise ConfigError(f"curl refuses this command: a value of --{option} has no =")
        if option == "form" and content[:1] in ("@", "<"):
            content = _note_file_value(name, notes)
        elif option == "form" and content[:1] in ("(", ")"):
            notes.append("the nested parts of the form")
            continue
        elif option == "form":
            content = _FORM_CONTENT.sub(_unquote_form_content, content, count=1)
        yield name, content


def _unquote_form_content(found: re.Match[str]) -> str:
    """Return the content without quotation marks, and without what follows a semicolon."""
    return found[2].rstrip() if found[1] is None else re.sub(r'\\([\\"])', r"\1", found[1])


def _list_headers(
    values: Mapping[str, list[str]], notes: list[str], *, with_credentials: bool
) -> Pairs:
    """Return the headers that the options set. `-H` takes precedence, and `-H NAME:` removes a header."""
    headers: Pairs = []
    removed: Pairs = []
    for line in values.get("header", ()):
        name, colon, value = line.partition(":")
        if line.startswith("@"):
            notes.append("headers are in a file, which is not read: set request.headers")
        elif colon:
            (headers if value.strip() else removed).append((name.strip(), value.strip()))
        elif line.endswith(";"):
            headers.append((line[:-1].strip(), ""))
    generated: Pairs = []
    if "json" in values:
        generated += [("Content-Type", "application/json"), ("Accept", "application/json")]
    if "oauth2-bearer" in values:
        token = values["oauth2-bearer"][-1] if with_credentials else "x"
        generated.append(("Authorization", f"Bearer {token}"))
    for option, name in (("user-agent", "User-Agent"), ("referer", "Referer")):
        generated += [(name, value) for value in values.get(option, ())[-1:] if value]
    for value in values.get("cookie", ()):
        if "=" in value:
            generated.append(("Cookie", value))
        else:
            notes.append("the cookies are in a file, which is not read: set request.headers")
    given = [*headers, *removed]
    return headers + [pair for pair in generated if not _has_header(given, pair[0])]


def _has_header(headers: Pairs, name: str) -> bool:
    return any(given.lower() == name.lower() for given, _ in headers)


def complete_url(url: str, default_scheme: str) -> str:
    """Return a URL with its scheme, which curl guesses. A URL may begin with a variable."""
    scheme = _URL_SCHEME.match(url)
    if scheme is None:
        return url if _URL_VARIABLE.match(url) else f"{default_scheme}://{url}"
    if scheme[1].lower() not in ("http", "https"):
        raise ConfigError(f"the curl command uses {scheme[1].lower()[:20]}, not https")
    return url
