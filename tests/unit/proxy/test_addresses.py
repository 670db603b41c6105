"""Which requests the proxy accepts, and where they go."""

import pytest

from tokencli.models import Secret
from tokencli.proxy.addresses import (
    Api,
    Gate,
    RefusedRequestError,
    Route,
    rewrite_cookie,
    rewrite_location,
    rewrite_reference,
)

SECRET = "made-up-secret"
HOST = "127.0.0.1:8080"
BASE = f"http://{HOST}/{SECRET}"
API = Api.of_url("https://api.example.com:8443/v1/")
GATE = Gate(API, Secret(SECRET), frozenset((HOST, "localhost:8080", "[::1]:8080")))


def refusal(target: str, method: str = "GET", gate: Gate = GATE, **headers: str) -> int:
    """Return the status with which a request is refused."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(RefusedRequestError) as caught:
        gate.admit(method, target, {"Host": HOST, **names})
    assert SECRET not in caught.value.detail
    return caught.value.status


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/orders?x=1&y=%2F", "/v1/orders?x=1&y=%2F"),
        ("", "/v1"),
        ("/", "/v1/"),
        ("?x", "/v1?x"),
        ("//evil.example.com/x", "/v1//evil.example.com/x"),
        ("/https://evil.example.com/x", "/v1/https://evil.example.com/x"),
        ("/@evil.example.com", "/v1/@evil.example.com"),
        ("/projects/group%2Fproject", "/v1/projects/group%2Fproject"),
        ("/a%5Cb/%C3%A4/%00", "/v1/a%5Cb/%C3%A4/%00"),
        ("/café", "/v1/caf%C3%A9"),
        ("/x?next=../../y", "/v1/x?next=../../y"),
        ("/x?a=1#b?c", "/v1/x?a=1"),
        ("/%u00e9/%u2026/..a", "/v1/%u00e9/%u2026/..a"),
        ("/...", "/v1/..."),
        ("/a..b", "/v1/a..b"),
    ],
)
def test_path_and_query_are_kept(target: str, url: str) -> None:
    """Whatever is behind the secret comes behind the API's URL, as it was spelled."""
    route = GATE.admit("GET", f"/{SECRET}{target}", {"Host": HOST})
    assert route.url == f"https://api.example.com:8443{url}"
    assert route.base == BASE
    assert SECRET not in route.log_path and "?" not in route.log_path


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../x",
        "/a/../../x",
        "/%2e%2e/x",
        "/.%2E/x",
        "/%2e%2e%2fx",
        "/a%2f..%2f..%2fx",
        "/%252e%252e/x",
        "/%25252e%25252e%25252fx",
        "/..;/x",
        "/..;a=b/x",
        "/..%3b/x",
        "/..%5cx",
        "/a%5c..%5cx",
        "/..%20/x",
        "/..%3Fx",
        "/..%23/x",
        "/..%00/x",
        "/%u002e%u002E/x",
        "/%25u002e./x",
        "/a%u002f..%u005cx",
        "/a\\..\\x",
        "/a\\b",
        "/a\x00b",
        "/x#y",
        "/%2525252525252525252e./x",
    ],
)
def test_no_path_leads_outside_the_prefix(path: str) -> None:
    """Dot segments are refused in every spelling that some server understands."""
    assert refusal(f"/{SECRET}{path}") == 400


@pytest.mark.parametrize(
    "target",
    ["http://evil.example.com/x", f"https://{HOST}/{SECRET}/x", "*", "evil.example.com:443", "x"],
)
def test_other_forms_of_a_target_are_refused(target: str) -> None:
    """A forward proxy's request target names a server, which this proxy never lets a client choose."""
    assert refusal(target) == 400


def test_absolute_form_of_its_own_url() -> None:
    """A server must accept the absolute form (RFC 9112 section 3.2.2)."""
    route = GATE.admit("GET", f"{BASE}/x", {"Host": HOST})
    assert route.url == "https://api.example.com:8443/v1/x"


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_methods_that_would_show_the_token_or_leave_the_api(method: str) -> None:
    """CONNECT chooses a server, and the reply to TRACE contains the token."""
    assert refusal(f"/{SECRET}/x", method) == 405


@pytest.mark.parametrize("target", ["/", "/x", "/wrong/x", f"/{SECRET}x/y", f"/x/{SECRET}/y", "//"])
def test_secret_is_required(target: str) -> None:
    """The first path segment is the secret, exactly."""
    assert refusal(target) == 403
    assert refusal(target, X_Tokencli_Secret="wrong") == 403


def test_secret_in_a_header() -> None:
    """With the header, the whole path is the API's."""
    route = GATE.admit("GET", "/orders", {"Host": HOST, "X-Tokencli-Secret": SECRET})
    assert (route.url, route.base) == ("https://api.example.com:8443/v1/orders", f"http://{HOST}")


@pytest.mark.parametrize(
    "host", ["evil.example.com", "evil.example.com:8080", "127.0.0.1", "", f"{HOST}."]
)
def test_foreign_hosts_are_refused(host: str) -> None:
    """A name that an attacker points at this computer (DNS rebinding) is not the proxy's."""
    assert refusal(f"/{SECRET}/x", Host=host) == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": f"https://{HOST}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_pages_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    """Even without a secret, no web page can use the proxy."""
    assert refusal("/x", gate=Gate(API, None, GATE.authorities), **headers) == 403


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080"]
)
def test_own_page_is_accepted(host: str) -> None:
    """A page that came through the proxy may send requests there."""
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert GATE.admit("POST", f"/{SECRET}/x", headers).url.endswith("/v1/x")


@pytest.mark.parametrize(
    ("location", "rewritten"),
    [
        ("https://api.example.com:8443/v1/y?z#f", f"{BASE}/y?z#f"),
        ("https://API.example.com:8443/v1", BASE),
        ("/v1/y", f"{BASE}/y"),
        ("y", f"{BASE}/a/y"),
        ("../y", f"{BASE}/y"),
        ("?page=2", f"{BASE}/a/b?page=2"),
        ("//api.example.com:8443/v1/y", f"{BASE}/y"),
        ("/other", "https://api.example.com:8443/other"),
        ("/v11/y", "https://api.example.com:8443/v11/y"),
        ("https://api.example.com/v1/y", "https://api.example.com/v1/y"),
        ("http://api.example.com:8443/v1/y", "http://api.example.com:8443/v1/y"),
        ("https://login.example.com/", "https://login.example.com/"),
        ("https://[broken/", "https://[broken/"),
    ],
)
def test_locations_stay_in_the_proxy(location: str, rewritten: str) -> None:
    """A Location in the API leads through the proxy, any other one past it."""
    route = Route("https://api.example.com:8443/v1/a/b", "/a/b", BASE)
    assert rewrite_location(location, route.url, route, API) == rewritten


@pytest.mark.parametrize(
    ("cookie", "rewritten"),
    [
        ("a=1", "a=1"),
        ("a=1; Path=/v1/admin; HttpOnly", f"a=1; Path=/{SECRET}/admin; HttpOnly"),
        ("a=1;path=/v1", f"a=1; Path=/{SECRET}"),
        ("a=1; Path=/v1/", f"a=1; Path=/{SECRET}"),
        ("a=1; Path=/", f"a=1; Path=/{SECRET}"),
        ("a=1; Path=/v11; Max-Age=5", "a=1; Path=/v11; Max-Age=5"),
        ("a=1; Domain=api.example.com", "a=1"),
        ("a=1; Domain=.Example.COM; Secure", "a=1"),
        ("a=1; Domain=other.example.com", "a=1; Domain=other.example.com"),
        ("a=1; Domain=i.example.com", "a=1; Domain=i.example.com"),
        ("a=1; Secure; SameSite=None", "a=1"),
        ("a=1; SameSite=Lax", "a=1; SameSite=Lax"),
        ("a=x=y==; Secure", "a=x=y=="),
        ("__Host-a=1; Secure; Path=/", "__Host-a=1; Secure; Path=/"),
    ],
)
def test_cookies_are_the_proxys(cookie: str, rewritten: str) -> None:
    """A client keeps a cookie and sends it back, in the part of the API that it is for."""
    assert rewrite_cookie(cookie, Route("", "", BASE), API) == rewritten


def test_cookies_without_a_secret_or_prefix() -> None:
    """The paths are then the same on both sides."""
    route, api = Route("", "", f"http://{HOST}"), Api.of_url("https://api.example.com")
    assert rewrite_cookie("a=1; Path=/", route, api) == "a=1; Path=/"
    assert rewrite_cookie("a=1; Path=/x", route, api) == "a=1; Path=/x"
    assert rewrite_cookie("a=1; Path=/v1/x", route, API) == "a=1; Path=/x"
    assert rewrite_cookie("a=1; Path=/v1", route, API) == "a=1; Path=/"


def test_locations_with_the_default_port() -> None:
    """443 may be written or not."""
    api = Api.of_url("https://api.example.com")
    route = Route("https://api.example.com/a", "/a", BASE)
    assert rewrite_location("https://api.example.com:443/y", route.url, route, api) == f"{BASE}/y"
    assert rewrite_location("https://api.example.com", route.url, route, api) == f"{BASE}/"


@pytest.mark.parametrize(
    ("value", "rewritten"),
    [
        (BASE, "https://api.example.com:8443/v1"),
        (f"{BASE}/page?x", "https://api.example.com:8443/v1/page?x"),
        (f"http://{HOST}", "https://api.example.com:8443"),
        ("https://other.example.com/", "https://other.example.com/"),
    ],
)
def test_the_api_sees_its_own_urls(value: str, rewritten: str) -> None:
    """Referer and its like never contain the secret."""
    assert rewrite_reference(value, Route("", "", BASE), API) == rewritten
