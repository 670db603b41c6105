"""A scripted user with a browser: follows redirects, keeps cookies, presses buttons."""

import ssl
from html.parser import HTMLParser
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)


class Form(HTMLParser):
    """The first form of a page: its action and hidden values."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.values: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None:
            self.action = given.get("action", "")
        elif tag == "input" and "name" in given:
            self.values[given["name"]] = given.get("value", "")


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class Person:
    """Walk through a server's pages; with `denies`, refuse consent."""

    def __init__(self, ca_file: str, *, denies: bool = False) -> None:
        context = ssl.create_default_context(cafile=ca_file)
        self._opener = build_opener(
            ProxyHandler({}),
            HTTPSHandler(context=context),
            HTTPCookieProcessor(CookieJar()),
            _NoRedirects(),
        )
        self._denies = denies

    def authorize(self, url: str) -> str:
        """Sign in and consent, starting at an authorization URL; return the final redirect.

        The final redirect leads to another origin and is not opened.
        """
        return self._walk(url)[0]

    def follow(self, url: str) -> tuple[str, str]:
        """Do the same, open the final redirect as a browser would, and return it and its page."""
        last = self.authorize(url)
        return last, self._open(last, None)[2]

    def approve_device(self, verification_uri: str, user_code: str) -> str:
        """Enter a device flow's user code, confirm, sign in and consent; return the last page."""
        query = urlencode({"user_code": user_code})
        return self._walk(f"{verification_uri}?{query}")[1]

    def _walk(self, url: str) -> tuple[str, str]:
        """Follow redirects and submit forms on one origin; return the last URL and page."""
        home = urlsplit(url)[:2]
        data: dict[str, str] | None = None
        for _ in range(20):
            if urlsplit(url)[:2] != home:
                return url, ""
            _, target, page = self._open(url, data)
            if target is not None:
                url, data = urljoin(url, target), None
                continue
            form = Form(page)
            if form.action is None:
                return url, page
            url, data = urljoin(url, form.action), form.values
        raise AssertionError(f"no end of redirects at {url}")

    def _open(self, url: str, data: dict[str, str] | None) -> tuple[int, str | None, str]:
        body = None if data is None else urlencode(data).encode()
        request = Request(url, data=body, headers={"x-deny": "yes"} if self._denies else {})
        try:
            with self._opener.open(request, timeout=20) as reply:
                return reply.status, reply.headers.get("Location"), reply.read().decode()
        except HTTPError as error:
            with error:
                page = error.read().decode(errors="replace")
                if error.code < 400:
                    return error.code, error.headers.get("Location"), page
                return error.code, None, page
