"""What stands between a client and the API of a scenario, and answers instead of it.

Each function gets the request and the API's URL.
"""

from html import escape

from tokencli.sandbox.http_messages import Request, Response, json_response
from tokencli.sandbox.system import add_headers

NGINX_HEADER_LIMIT = 8192
"""Bytes of one header line: nginx's default is `large_client_header_buffers 4 8k`."""
RETRY_AFTER_S = 120
HANG_S = 3600.0
_NGINX_PAGE = """<html>\r
<head><title>{title}</title></head>\r
<body>\r
<center><h1>{heading}</h1></center>\r
{more}<hr><center>nginx</center>\r
</body>\r
</html>\r
"""
_PAGE = """<!doctype html>
<html><head><title>{title}</title></head>
<body><h1>{title}</h1>{content}</body></html>
"""
_LOGIN_FORM = """
<form method="post" action="/login"><input name="username"><input name="password" type="password">
<button>Sign in</button></form>
"""


def limit_headers_like_nginx(request: Request, _: str) -> Response | None:
    """Refuse a header that is too large for nginx's buffers."""
    longest = max(len(name) + len(value) + 2 for name, value in request.headers.items())
    if longest <= NGINX_HEADER_LIMIT:
        return None
    text = "Request Header Or Cookie Too Large"
    return _nginx_page(400, f"400 {text}", "400 Bad Request", f"<center>{text}</center>\r\n")


def fail_like_gateway(_: Request, __: str) -> Response:
    """Answer as nginx does if the server behind it is down."""
    return _nginx_page(502, "502 Bad Gateway", "502 Bad Gateway")


def redirect_to_login(request: Request, api_url: str) -> Response:
    """Redirect requests without a session cookie to a login page."""
    if request.path.endswith("/login"):
        return show_login(request, api_url)
    target = f"{api_url}/login?next=/orders"
    return Response(302, b"", "text/html", headers={"Location": target})


def show_login(_: Request, __: str) -> Response:
    """Show a login page with status 200."""
    return _page(200, "Sign in - Example Single Sign-On", _LOGIN_FORM)


def block_like_firewall(_: Request, __: str) -> Response:
    """Answer as a web application firewall does."""
    content = "<p>Your request was blocked by a security policy. Incident 7d1c0f52.</p>"
    return _page(403, "Access Denied - Example Web Application Firewall", content)


def require_proxy_credentials(request: Request, _: str) -> Response | None:
    """Answer CONNECT as a proxy does that requires credentials (RFC 9110 section 15.5.8)."""
    if request.method != "CONNECT":
        return None
    page = _page(407, "Proxy Authentication Required", "")
    return add_headers(page, {"Proxy-Authenticate": 'Basic realm="Example Proxy"'})


def redirect_to_https(request: Request, api_url: str) -> Response | None:
    """Redirect plain HTTP to the API's own URL."""
    if request.over_tls:
        return None
    return Response(301, b"", "text/html", headers={"Location": api_url})


def redirect_to_other_host(request: Request, api_url: str) -> Response | None:
    """Redirect to the same server under its other name."""
    if request.headers.get("host", "").startswith("localhost"):
        return None
    target = api_url.replace("127.0.0.1", "localhost")
    return Response(308, b"", "text/html", headers={"Location": target})


def limit_rate(_: Request, __: str) -> Response:
    """Answer that there were too many requests (RFC 6585 section 4)."""
    response = json_response(429, {"message": "Too many requests"})
    return add_headers(response, {"Retry-After": str(RETRY_AFTER_S)})


def limit_rate_with_403(_: Request, __: str) -> Response:
    """Answer that there were too many requests, as GitHub does."""
    response = json_response(403, {"message": "API rate limit exceeded for installation ID 1."})
    return add_headers(response, {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0"})


def be_unavailable(_: Request, __: str) -> Response:
    """Answer 503."""
    return json_response(503, {"message": "The service is down for maintenance"})


def hang(_: Request, __: str) -> Response:
    """Answer in an hour."""
    return Response(200, b"{}", delay_s=HANG_S)


def drop_connection(_: Request, __: str) -> Response:
    """Close the connection."""
    return Response(0, b"", drop_connection=True)


def _page(status: int, title: str, content: str) -> Response:
    body = _PAGE.format(title=escape(title), content=content)
    return Response(status, body.encode(), "text/html; charset=utf-8")


def _nginx_page(status: int, title: str, heading: str, more: str = "") -> Response:
    body = _NGINX_PAGE.format(title=title, heading=heading, more=more)
    return Response(status, body.encode(), "text/html")
