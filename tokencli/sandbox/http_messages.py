"""HTTP requests and responses, independent of sockets."""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from hashlib import sha256
from urllib.parse import parse_qsl, unquote_plus

FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"
MAX_PARAMETERS = 100


class OAuthError(Exception):
    """A refusal with an error code of RFC 6749 section 5.2; each system words it its own way."""

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.description = text
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One complete HTTP request."""

    method: str
    path: str
    """The path as received, without the query."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    query: str = ""
    """The query as received, without the question mark."""
    over_tls: bool = True
    certificate_names: tuple[str, ...] = ()
    """The DNS names in the client's certificate, which TLS has verified."""
    certificate_thumbprint: str | None = None
    """`x5t#S256` of the client's certificate (RFC 8705 section 3.1)."""

    def parse_query(self) -> dict[str, str]:
        """Return the query's parameters, without those that have no value (RFC 6749 section 3.1).

        Raises:
            OAuthError: the query is malformed, or has a parameter twice.
        """
        return _parse_parameters(self.query, "query")

    def parse_form(self) -> dict[str, str]:
        """Return the body's parameters, without those that have no value (RFC 6749 section 3.2).

        Raises:
            OAuthError: the body is no form, or has a parameter twice.
        """
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != FORM_CONTENT_TYPE:
            raise OAuthError("invalid_request", f"the body must be {FORM_CONTENT_TYPE}")
        try:
            text = self.body.decode("utf-8")
        except ValueError as error:
            raise OAuthError("invalid_request", "the body is not a valid form") from error
        return _parse_parameters(text, "body")

    def describe_body(self) -> dict[str, object]:
        """Return the body's type and size, with its value if it is JSON, a form or other text."""
        content_type = self.headers.get("content-type", "")
        found: dict[str, object] = {"content_type": content_type, "size": len(self.body)}
        kind = content_type.partition(";")[0].strip().lower()
        try:
            if kind == "application/json" or kind.endswith("+json"):
                found["json"] = json.loads(self.body)
            elif kind == FORM_CONTENT_TYPE:
                found["form"] = parse_qsl(self.body.decode(), keep_blank_values=True)
            elif kind == "multipart/form-data":
                header = f"Content-Type: {content_type}\r\n\r\n".encode()
                found["parts"] = [
                    {
                        "name": part.get_param("name", header="content-disposition"),
                        "file": part.get_filename(),
                        "content_type": part.get_content_type(),
                        "size": len(part.get_payload(decode=True) or b""),
                    }
                    for part in message_from_bytes(header + self.body).walk()
                    if not part.is_multipart()
                ]
            else:
                found["text"] = self.body.decode()
        except (ValueError, RecursionError) as error:
            found["problem"] = str(error)
        return found

    def basic_credentials(self, *, form_encoded: bool) -> tuple[str, str] | None:
        """Return user and password of the Basic header, or None if there is none.

        With `form_encoded` both are form-decoded after splitting (RFC 6749 section 2.3.1).

        Raises:
            OAuthError: the header is malformed.
        """
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = (
                b64decode(encoded.strip(), validate=True).decode().partition(":")
            )
        except ValueError as error:
            raise OAuthError("invalid_client", "the Basic header is malformed", 401) from error
        if not colon:
            raise OAuthError("invalid_client", "the Basic header has no colon", 401)
        return (unquote_plus(user), unquote_plus(password)) if form_encoded else (user, password)

    def access_token(self, scheme: str = "bearer") -> str | None:
        """Return the token of the Authorization header with this scheme (RFC 6750, RFC 9449), or None."""
        sent_scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if sent_scheme.lower() == scheme and token.strip() else None


def _parse_parameters(text: str, place: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=bool(text),
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except ValueError as error:
        raise OAuthError("invalid_request", f"the {place} is not a valid form") from error
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name in parameters:
            raise OAuthError("invalid_request", "a parameter is repeated")
        parameters[name] = value
    return {name: value for name, value in parameters.items() if value}


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    """Seconds to wait before sending it."""
    error_code: str | None = None
    """Its error code, for the log."""
    token_issued: bool = False
    """Whether it issues a token, for the log."""
    sent_at: float | None = None
    """Epoch seconds of the Date header; None for the server's time."""
    drop_connection: bool = False
    """Whether to close the connection instead of sending it."""


def hash_base64url(raw: bytes) -> str:
    """Return the SHA-256 hash in unpadded base64url, as PKCE, DPoP and thumbprints have it."""
    return urlsafe_b64encode(sha256(raw).digest()).rstrip(b"=").decode()


def json_response(
    status: int, members: Mapping[str, object], *, error: str | None = None
) -> Response:
    """Return a JSON response."""
    return Response(status, json.dumps(members, indent=2).encode(), error_code=error)
