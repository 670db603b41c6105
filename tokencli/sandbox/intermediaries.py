"""What stands between a client and the API of a scenario, and answers instead of it."""

from tokencli.sandbox.http_messages import Request, Response

NGINX_HEADER_LIMIT = 8192
"""Bytes of one header line: `large_client_header_buffers 4 8k` is nginx's default."""
_NGINX_TOO_LARGE = b"""<html>\r
<head><title>400 Request Header Or Cookie Too Large</title></head>\r
<body>\r
<center><h1>400 Bad Request</h1></center>\r
<center>Request Header Or Cookie Too Large</center>\r
<hr><center>nginx</center>\r
</body>\r
</html>\r
"""


def limit_headers_like_nginx(request: Request) -> Response | None:
    """Refuse a header that is too large for nginx's buffers."""
    if (
        max(len(name) + len(value) + 2 for name, value in request.headers.items())
        > NGINX_HEADER_LIMIT
    ):
        return Response(400, _NGINX_TOO_LARGE, "text/html")
    return None
