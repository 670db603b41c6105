"""Which proxy a request goes through, and what the proxy sees."""

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from types import ModuleType
from urllib.parse import quote

import pytest

from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.child.fault_resolver import resolving
from tests.faults.proxy import tunnel, tunnel_for
from tests.faults.server import Behaviour, running
from tests.unit.platforms.fakes import FakeWindows
from tokencli import platforms
from tokencli.errors import ConfigError, TlsError, TokencliError, UnreachableError
from tokencli.models import Connection, HttpRequest
from tokencli.net.connection_probe import probe_connection
from tokencli.net.proxy import select_proxy
from tokencli.net.request_guard import parse_target
from tokencli.net.transport import HttpTransport
from tokencli.platforms.macos import MacOS
from tokencli.platforms.windows import Windows

GOOD = b.says(b.message("200 OK", b.TOKEN))
PASSWORD = "canary-proxy-7f3a"


def chosen(
    environ: Mapping[str, str], url: str = "https://idp.example/t", proxy: str | None = None
) -> tuple[str, str] | None:
    """Return the shown part of the chosen proxy, and its origin."""
    found = select_proxy(parse_target(url), Connection(proxy=proxy), environ)
    return (found.authority, found.configured_by) if found else None


@pytest.mark.requirement(33)
def test_the_order_of_proxies() -> None:
    """Profile before environment, HTTPS_PROXY before ALL_PROXY, lower case first, HTTP_PROXY never."""
    environ = {
        "ALL_PROXY": "http://a:1",
        "all_proxy": "http://b:2",
        "HTTPS_PROXY": "http://c:3",
        "https_proxy": "http://d:4",
        "HTTP_PROXY": "http://e:5",
        "http_proxy": "http://e:5",
    }
    assert chosen(environ, proxy="http://p:9") == ("p:9", "proxy of the profile")
    assert chosen(environ, proxy="none") is None
    assert chosen(environ) == ("d:4", "https_proxy")
    del environ["https_proxy"]
    assert chosen(environ) == ("c:3", "HTTPS_PROXY")
    del environ["HTTPS_PROXY"]
    assert chosen(environ) == ("b:2", "all_proxy")
    del environ["all_proxy"]
    assert chosen(environ) == ("a:1", "ALL_PROXY")
    del environ["ALL_PROXY"]
    assert chosen(environ) is None


@pytest.mark.requirement(33)
@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/t",
        "http://127.0.0.1:8080/t",
        "https://127.9.9.9/t",
        "https://[::1]:4443/t",
        "https://localhost/t",
        "https://a.localhost/t",
    ],
)
def test_loopback_is_never_proxied(url: str) -> None:
    """Requests to this machine never go through a proxy."""
    assert (
        chosen({"ALL_PROXY": "http://a:1", "HTTP_PROXY": "http://a:1"}, url, "http://p:9") is None
    )


@pytest.mark.requirement(33)
@pytest.mark.parametrize(
    ("listed", "url", "exempt"),
    [
        ("*", "https://idp.example/", True),
        ("idp.example", "https://idp.example/", True),
        ("IDP.example", "https://idp.EXAMPLE/", True),
        ("example", "https://idp.example/", True),
        (".example", "https://idp.example/", True),
        ("*.example", "https://idp.example/", True),
        ("a.example, idp.example", "https://idp.example/", True),
        ("ample", "https://idp.example/", False),
        ("p.example", "https://idp.example/", False),
        ("idp.example:443", "https://idp.example/", True),
        ("idp.example:444", "https://idp.example/", False),
        ("idp.example:4443", "https://idp.example:4443/", True),
        ("10.0.0.0/8", "https://10.1.2.3/", True),
        ("10.0.0.0/8", "https://11.1.2.3/", False),
        ("10.1.2.3", "https://10.1.2.3/", True),
        ("fd00::/8", "https://[fd00::1]/", True),
        ("[fd00::1]:443", "https://[fd00::1]/", True),
        (" , ,", "https://idp.example/", False),
        (".", "https://idp.example/", False),
        ("300.0.0.0/99", "https://idp.example/", False),
    ],
)
def test_no_proxy_entries(listed: str, url: str, exempt: bool) -> None:
    """Names match whole labels, addresses and networks by value, ports where they are given."""
    for name in ("no_proxy", "NO_PROXY"):
        assert exempt == (chosen({"HTTPS_PROXY": "http://a:1", name: listed}, url) is None)


@pytest.mark.requirement(33)
@pytest.mark.parametrize(
    "value",
    [
        f"ftp://user:{PASSWORD}@proxy.example",
        f"http://user:{PASSWORD}@",
        f"http://user:{PASSWORD}@proxy.example:99999",
        f"http://user:{PASSWORD}@[::1",
        f"http://user:{PASSWORD}@proxy.example/\r\nHost: evil",
        f"http://user:{PASSWORD}@pröxy.example",
        f"socks5://user:{PASSWORD}@proxy.example",
    ],
)
def test_an_invalid_proxy_is_reported_by_its_origin(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable or key and doesn't quote its value; SOCKS needs a package."""
    monkeypatch.setitem(sys.modules, "socks", None)  # as if PySocks weren't installed
    for environ, proxy, origin in (
        ({"HTTPS_PROXY": value}, None, "HTTPS_PROXY"),
        ({}, value, "proxy of the profile"),
    ):
        with pytest.raises(ConfigError) as caught:
            chosen(environ, proxy=proxy)
        assert origin in caught.value.message
        assert PASSWORD not in f"{caught.value.message} {caught.value.fix}"
        assert ("PySocks" in (caught.value.fix or "")) == value.startswith("socks")


@pytest.mark.requirement(33)
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("proxy.example:3128", "proxy.example:3128"),
        ("proxy.example", "proxy.example:80"),
        ("https://proxy.example", "proxy.example:443"),
        (f"http://user:{PASSWORD}@proxy.example:3128/", "proxy.example:3128"),
        ("http://[fd00::1]:3128", "[fd00::1]:3128"),
    ],
)
def test_only_host_and_port_of_a_proxy_are_shown(value: str, shown: str) -> None:
    """User name and password are in no message and no repr."""
    assert chosen({"HTTPS_PROXY": value}) == (shown, "HTTPS_PROXY")
    proxy = select_proxy(parse_target("https://idp.example/"), Connection(proxy=value), {})
    assert PASSWORD not in repr(proxy)


def through(
    proxy: Behaviour,
    userinfo: str = "",
    *,
    proxy_tls: str | None = None,
    server_tls: str = "good",
    origin: str = "HTTPS_PROXY",
) -> tuple[object, list[str], list[str], list[str]]:
    """Post to idp.example through a proxy; return the outcome, what each end saw, and the messages."""
    said: list[str] = []
    with running(GOOD, server_tls) as server, running(proxy, proxy_tls) as middle:
        scheme = "https" if proxy_tls else "http"
        value = f"{scheme}://{userinfo}127.0.0.1:{middle.port}"
        environ, key = ({}, value) if origin == "proxy" else ({origin: value}, None)
        request = HttpRequest(
            "POST",
            f"https://idp.example:{server.port}/t?canary-query",
            {"Authorization": "Bearer canary-token-7f3a"},
            b"password=canary-password-7f3a",
        )
        outcome: object
        with resolving("unknown"):
            try:
                outcome = HttpTransport(environ, said.append, said.append).send(
                    request, Connection(5, ca_file=str(ca_file()), proxy=key)
                )
            except TokencliError as error:
                outcome = error
                said += [error.message, error.fix or ""]
        seen = [[r.head for r in end.counters.requests] for end in (middle, server)]
    assert PASSWORD not in "\n".join(said)
    return outcome, seen[0], seen[1], said


@pytest.mark.requirement(33)
@pytest.mark.parametrize("origin", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "proxy"])
def test_a_proxy_sees_only_the_connect(origin: str) -> None:
    """The proxy gets host and port, resolves the name itself, and can't read the TLS inside."""
    outcome, proxied, served, said = through(tunnel, origin=origin)
    assert not isinstance(outcome, TokencliError), said
    (head,) = proxied
    assert head.startswith("CONNECT idp.example:")
    assert "canary" not in head
    assert len(served) == 1
    assert any("through the proxy 127.0.0.1:" in text for text in said)


@pytest.mark.requirement(33)
def test_an_https_proxy_is_verified() -> None:
    """TLS to the proxy is verified with the same CAs, and the server's TLS runs inside it."""
    outcome, proxied, served, said = through(tunnel, proxy_tls="good")
    assert not isinstance(outcome, TokencliError), said
    assert (len(proxied), len(served)) == (1, 1)
    outcome, proxied, served, said = through(tunnel, proxy_tls="unknown CA")
    assert isinstance(outcome, UnreachableError)
    assert "the proxy 127.0.0.1:" in outcome.message
    assert [] == proxied == served


@pytest.mark.requirement(33)
@pytest.mark.parametrize("name", ["user", "us%C3%A9r%E2%82%AC"])
def test_proxy_credentials_go_only_to_the_proxy(name: str) -> None:
    """A proxy that requires a password gets it, percent-decoded, in UTF-8; the server doesn't."""
    from urllib.parse import unquote

    pair = f"{unquote(name)}:{PASSWORD}@"
    expected = f"Basic {b64encode(pair.encode()).decode()}"
    outcome, proxied, served, said = through(tunnel_for(expected), f"{name}:{PASSWORD}%40@")
    assert not isinstance(outcome, TokencliError), said
    assert expected in proxied[0]
    assert "proxy-authorization" not in served[0].lower()


@pytest.mark.requirement(33)
def test_a_407_says_where_to_set_the_password() -> None:
    """The message names the proxy, the fix the variable; nothing is retried or sent to the server."""
    outcome, proxied, served, said = through(tunnel_for("Basic x"), f"user:{PASSWORD}@")
    assert isinstance(outcome, UnreachableError)
    assert "the proxy 127.0.0.1:" in outcome.message
    assert "rejected the user name and password (HTTP 407)" in outcome.message
    assert "HTTPS_PROXY" in (outcome.fix or "")
    assert not outcome.request_sent
    assert (len(proxied), len(served)) == (1, 0)
    assert not any("\x1b" in text for text in said)


@pytest.mark.requirement(33)
@pytest.mark.parametrize(
    "schemes", [["NTLM"], ["Negotiate", "NTLM"], ['Digest realm="x", nonce="y"']]
)
def test_a_proxy_that_wants_another_scheme_than_basic(schemes: list[str]) -> None:
    """The scheme is named, and no password is suggested, which couldn't help."""
    headers = "\r\n".join(f"proxy-authenticate: {scheme}" for scheme in schemes)
    for user in ("", f"user:{PASSWORD}@"):
        outcome, _, served, said = through(b.says(b.message("407 No", b"body", headers)), user)
        assert isinstance(outcome, UnreachableError), said
        named = " or ".join(scheme.split()[0].casefold() for scheme in schemes)
        assert f"requires authentication by {named}, which" in outcome.message
        assert "local proxy" in (outcome.cause or "") and outcome.fix is None
        assert served == []


@pytest.mark.requirement(33)
@pytest.mark.parametrize("character", ["#", "?", "/", "[", "]", " ", "\\"])
def test_special_characters_in_a_proxy_password_are_explained(character: str) -> None:
    """They must be percent-encoded. Nothing of the URL is shown, since its parts can't be told apart."""
    encoded = quote(character, safe="")
    for value in (
        f"http://canary:ca{character}nary@proxy.example:3128",
        f"canary:1{character}@proxy:1",
    ):
        with pytest.raises(ConfigError, match="special characters") as error:
            chosen({"HTTPS_PROXY": value})
        assert encoded in (error.value.cause or "") and "HTTPS_PROXY" in error.value.message
        assert "canary" not in f"{error.value} {error.value.cause} {error.value.fix}"
        fix = error.value.fix
        if character in "/\\":
            assert fix is None, "no command can tell the password from the rest"
        else:
            shown = subprocess.run(
                ["bash", "-c", f"{fix}; printf %s \"$HTTPS_PROXY\""], capture_output=True, text=True,
                env={"HTTPS_PROXY": value, "PATH": os.environ["PATH"]}, check=True,
            ).stdout  # fmt: skip
            assert shown == value.replace(character, encoded)
            assert chosen({"HTTPS_PROXY": shown}) is not None


def test_at_signs_in_a_proxy_password_are_understood() -> None:
    """The last one is before the host."""
    assert chosen({"HTTPS_PROXY": "http://me:c@n@ry@proxy:3128"}) == ("proxy:3128", "HTTPS_PROXY")


@pytest.mark.requirement(33)
@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        (b.says(b.message("403 No")), "HTTP 403"),
        (b.says(b.message("502 Gone")), "HTTP 502"),
        (b.says(), "closed the connection"),
        (b.resets_at_once, "closed the connection"),
        (b.says(b"SSH-2.0-x\r\n"), "HTTP proxy"),
        (b.floods(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 999), "HTTP proxy"),
    ],
    ids=["403", "502", "FIN", "reset", "SSH", "flood"],
)
def test_a_failing_proxy_is_blamed(proxy: Behaviour, says: str) -> None:
    """Any failure before the tunnel is open is attributed to the proxy, with its origin."""
    outcome, _, served, _ = through(proxy)
    assert isinstance(outcome, UnreachableError)
    assert "the proxy 127.0.0.1:" in outcome.message
    assert says in outcome.message
    assert "HTTPS_PROXY" in f"{outcome.message} {outcome.fix}"
    assert "NO_PROXY" in (outcome.fix or "")
    assert not outcome.request_sent
    assert served == []


@pytest.mark.requirement(33)
def test_an_unreachable_proxy_is_named() -> None:
    """A refused connection to the proxy is not blamed on the server."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(UnreachableError) as caught:
            HttpTransport({"ALL_PROXY": f"127.0.0.1:{port}"}, print, lambda _: None).send(
                HttpRequest("POST", "https://idp.example/t", {}),
                Connection(5, ca_file=str(ca_file())),
            )
    assert f"the proxy 127.0.0.1:{port} (from ALL_PROXY)" in caught.value.message


@pytest.mark.requirement(33)
def test_a_proxy_that_inspects_tls_is_a_possible_cause() -> None:
    """If the certificate comes from an unknown CA, the cause says that it may be the proxy's."""
    outcome, _, served, _ = through(tunnel, server_tls="unknown CA")
    assert isinstance(outcome, TlsError)
    assert "inspects TLS" in (outcome.cause or "")
    assert served == []


WINDOWS_SETTINGS = {
    "ProxyEnable": 1,
    "ProxyServer": "http=old.example:80;https=proxy.example:8080;socks=socks.example:1080",
    "ProxyOverride": "*.corp.example;10.*;https://api.example;<local>",
}


def use_windows(monkeypatch: pytest.MonkeyPatch, **settings: object) -> None:
    """Let the system be Windows with these Internet settings."""
    monkeypatch.setattr(platforms, "PLATFORM", Windows(FakeWindows(internet_settings=settings)))


def use_macos(
    monkeypatch: pytest.MonkeyPatch,
    proxies: dict[str, str],
    exceptions: tuple[str, ...] = (),
    *,
    scutil: str = "",
) -> None:
    """Let the system be macOS with these settings."""
    settings = {"exclude_simple": True, "exceptions": exceptions}
    mac = MacOS(read_proxies=lambda: (proxies, settings), run_scutil=lambda: scutil)
    monkeypatch.setattr(platforms, "PLATFORM", mac)


def test_the_system_decides_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile's proxy, then the environment, then the setting of Windows, which is named."""
    use_windows(monkeypatch, **WINDOWS_SETTINGS)
    assert chosen({}) == ("proxy.example:8080", "the proxy setting of Windows")
    assert chosen({"HTTPS_PROXY": "http://a:1"}) == ("a:1", "HTTPS_PROXY")
    assert chosen({}, proxy="http://p:9") == ("p:9", "proxy of the profile")
    assert chosen({}, proxy="none") is None
    assert chosen({"NO_PROXY": "idp.example"}) is None
    assert chosen({}, "https://127.0.0.1/") is None


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ("proxy.example:8080", "proxy.example:8080"),
        ("http://proxy.example:8080", "proxy.example:8080"),
        ("HTTPS=proxy.example", "proxy.example:80"),
        ("http=proxy.example:8080", None),
        ("", None),
    ],
)
def test_the_proxy_of_windows_is_the_one_for_https(
    server: str, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for all protocols, or one for each; without ProxyEnable it is not used."""
    use_windows(monkeypatch, ProxyEnable=1, ProxyServer=server)
    assert chosen({}) == (found and (found, "the proxy setting of Windows"))
    use_windows(monkeypatch, ProxyEnable=0, ProxyServer=server)
    assert chosen({}) is None


@pytest.mark.parametrize(
    ("url", "direct"),
    [
        ("https://intranet/", True),
        ("https://a.corp.example/", True),
        ("https://A.CORP.example/", True),
        ("https://corp.example/", False),
        ("https://10.1.2.3/", True),
        ("https://110.1.2.3/", False),
        ("https://api.example/", True),
        ("https://[fd00::1]/", False),
        ("https://idp.example/", False),
    ],
)
def test_exceptions_of_windows(url: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """`*` stands for any characters, and `<local>` for names without a dot."""
    use_windows(monkeypatch, **WINDOWS_SETTINGS)
    assert (chosen({}, url) is None) is direct


@pytest.mark.parametrize(
    ("url", "direct"),
    [
        ("https://intranet/", True),
        ("https://printer.local/", True),
        ("https://169.254.7.7/", True),
        ("https://169.255.7.7/", False),
        ("https://idp.example:4443/", True),
        ("https://idp.example/", False),
        ("https://[fd00::1]/", True),
    ],
)
def test_exceptions_of_macos(url: str, direct: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names with `*`, networks written with as many bytes as matter, ports, and plain names."""
    exceptions = ("*.local", "169.254/16", "idp.example:4443", "fd00::/8")
    use_macos(monkeypatch, {"https": "http://proxy.example:3128"}, exceptions)
    expected = None if direct else ("proxy.example:3128", "the proxy setting of macOS")
    assert chosen({}, url) == expected


def test_a_socks_proxy_of_the_system_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is none for https. macOS speaks version 5, and Windows version 4."""
    monkeypatch.setitem(sys.modules, "socks", ModuleType("socks"))
    monkeypatch.setattr("tokencli.net.proxy.find_spec", lambda _: object())
    use_macos(monkeypatch, {"socks": "http://socks.example:1080"})
    proxy = select_proxy(parse_target("https://idp.example/"), Connection(), {})
    assert proxy is not None
    assert proxy.url.reveal() == "socks5h://socks.example:1080"
    use_windows(monkeypatch, ProxyEnable=1, ProxyServer="socks=socks.example:1080")
    proxy = select_proxy(parse_target("https://idp.example/"), Connection(), {})
    assert proxy is not None
    assert proxy.url.reveal() == "socks4://socks.example:1080"


SCUTIL = """<dictionary> {
  ProxyAutoConfigEnable : 1
  ProxyAutoConfigURLString : http://user:canary@wpad.example/proxy.pac?key=canary
}
"""


@pytest.mark.parametrize("system", ["Windows", "macOS"])
def test_a_proxy_script_is_named_but_not_run(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor` and the error of a failing connection say so, without what is secret in its URL."""
    if system == "Windows":
        url = "http://user:canary@wpad.example/proxy.pac?key=canary"
        use_windows(monkeypatch, ProxyEnable=0, AutoConfigURL=url)
    else:
        use_macos(monkeypatch, {}, scutil=SCUTIL)
    expected = (
        f"{system} chooses proxies by the script http://wpad.example/proxy.pac, which tokencli"
    )
    assert chosen({}) is None
    report = probe_connection("https://idp.invalid/", Connection(timeout=5), {})
    assert report.error is not None
    for text in (report.proxy_reason, report.error.cause or ""):
        assert expected in text
        assert "canary" not in text
    report = probe_connection("https://idp.invalid/", Connection(timeout=5, proxy="none"), {})
    assert report.error is not None
    assert expected not in f"{report.proxy_reason} {report.error.cause}"
    if system == "macOS":
        use_macos(monkeypatch, {}, scutil="<dictionary> {\n  HTTPSEnable : 0\n}\n")
        assert platforms.current().find_proxy_script() is None


def test_doctor_names_the_setting_that_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the system's setting names the proxy, or excepts the server from it."""
    use_windows(
        monkeypatch, ProxyEnable=1, ProxyServer="127.0.0.1:1", ProxyOverride="direct.invalid"
    )
    report = probe_connection("https://idp.invalid/", Connection(timeout=5), {})
    assert (report.proxy, report.proxy_reason) == (
        "127.0.0.1:1",
        "from the proxy setting of Windows",
    )
    assert report.error is not None
    assert "the proxy setting of Windows" in report.error.message
    assert (report.error.fix or "").endswith("--set proxy=none")
    report = probe_connection("https://direct.invalid/", Connection(timeout=5), {})
    assert report.proxy_reason == "the proxy setting of Windows excepts the server"
