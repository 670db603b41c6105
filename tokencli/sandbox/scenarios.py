"""The scenarios of the sandbox: for each cause that `tokencli why` names, a world in which it is true.

A scenario has an API, a profile for it, and usually a token that the profile got before something
changed. Only what the scenario says is different; the issuer and the API decide by their rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from tokencli.errors import UsageError
from tokencli.problems import did_you_mean
from tokencli.sandbox import intermediaries
from tokencli.sandbox.api import API_PATH, ApiRules
from tokencli.sandbox.certificates import CertificateProblem
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.system import TomlValue
from tokencli.sandbox.world import (
    HOUR_S,
    Step,
    add_claims,
    bind_to_certificates,
    fail_keys,
    fill_key_cache,
    go_back,
    issue_opaque_tokens,
    put_before_api,
    replace_key,
    revoke_tokens,
    rotate_keys,
    run,
    shift_server_clock,
    start_in_an_hour,
    start_now,
)

PROFILE = "orders"
GET = run("get", PROFILE)
CALL = 'tokencli why "$SANDBOX_PROFILE" "$SANDBOX_API"'
CALL_WITH_FILE = (
    'tokencli why - "$SANDBOX_API" --profile "$SANDBOX_PROFILE" < "$SANDBOX_TOKEN_FILE"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A row of SCENARIOS."""

    summary: str
    """What is wrong, in one sentence."""
    rules: ApiRules = field(default_factory=ApiRules)
    profile: str = PROFILE
    """The profile to ask about."""
    profiles: Mapping[str, Mapping[str, TomlValue]] = field(default_factory=dict)
    """More profiles of the system `oauth2`, or changes of `orders`."""
    sign_in: str | None = None
    """The user who signs in."""
    api_url: str = "{url}/orders"
    """What is called."""
    steps: tuple[Step, ...] = (GET,)
    """What happens first, e.g. that the profile gets a token and then something changes."""
    token_file: Callable[[Mapping[str, object]], bytes] | None = None
    """Makes the content of $SANDBOX_TOKEN_FILE from the last token response."""
    certificate: CertificateProblem | None = None
    """What is wrong with the certificate of the server at `{other_url}`."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """More environment variables for COMMAND."""
    control: str = "nothing_wrong"
    """The scenario that differs only in that nothing is wrong."""

    @property
    def command(self) -> str:
        """Return the command that shows it."""
        return CALL if self.token_file is None else CALL_WITH_FILE

    def list_profiles(self) -> Mapping[str, Mapping[str, TomlValue]]:
        """Return the profiles of the system `oauth2` that the sandbox needs for it, by name."""
        orders = {**OAuth2.profile_values, "audience": "{url}" + API_PATH}
        known = {PROFILE: orders, **OAuth2.more_profiles}
        return {
            name: {**known.get(name, orders), **self.profiles.get(name, {})}
            for name in dict.fromkeys((PROFILE, *self.profiles))
        }


def find_scenario(name: str) -> Scenario:
    """Return the scenario of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in SCENARIOS:
        raise UsageError(
            f"--scenario {name[:64]}: there is no such scenario",
            cause=did_you_mean(name, SCENARIOS),
            fix="tokencli help sandbox",
        )
    return SCENARIOS[name]


def _mangle(change: Callable[[str], str], member: str = "access_token") -> Callable[..., bytes]:
    def make(members: Mapping[str, object]) -> bytes:
        return change(str(members[member])).encode("utf-8")

    return make


def _take(member: str) -> Callable[..., bytes]:
    return _mangle(lambda token: f"{token}\n", member)


_FOR_API: Mapping[str, TomlValue] = {"audience": "{url}" + API_PATH}
_STAGING: Mapping[str, TomlValue] = {"issuer": "{url}/staging", "token_url": "{url}/staging/token"}
_CORP = Scenario(
    summary="The API accepts the token of a user who has signed in.",
    profile="corp",
    profiles={"corp": _FOR_API},
    sign_in="alice",
    steps=(run("login", "corp"),),
)
_DPOP = Scenario(
    summary="The API accepts a token that is bound to a key, with a proof.",
    profile="dpop-demo",
    profiles={"dpop-demo": _FOR_API},
    steps=(run("get", "dpop-demo"),),
)
_MANY_GROUPS = add_claims(groups=[f"department-{number:04}-readers" for number in range(1000)])

_ROWS: Mapping[str, Scenario] = {
    "nothing_wrong": Scenario(summary="The API accepts the token."),
    "nothing_wrong:file": Scenario(
        summary="The API accepts the token in the file.", token_file=_take("access_token")
    ),
    "nothing_wrong:signed_in": _CORP,
    "nothing_wrong:dpop": _DPOP,
    "nothing_wrong:opaque": Scenario(
        summary="The API accepts an opaque token.",
        rules=ApiRules(accepts_only_jwts=False),
        steps=(issue_opaque_tokens, GET),
    ),
    "expired": Scenario(
        summary="The token expired an hour ago.", steps=(go_back(2 * HOUR_S), GET, go_back(0))
    ),
    "expired:slow_clock": Scenario(
        summary="The token has expired, and this computer's clock is 3 hours behind.",
        steps=(shift_server_clock(3 * HOUR_S), go_back(2 * HOUR_S), GET, go_back(0)),
    ),
    "local_clock": Scenario(
        summary="This computer's clock is 3 hours ahead, so that the token seems to have expired.",
        steps=(shift_server_clock(-3 * HOUR_S), GET),
    ),
    "local_clock:behind": Scenario(
        summary="This computer's clock is 3 hours behind, so that the token seems to start later.",
        steps=(shift_server_clock(3 * HOUR_S), GET),
    ),
    "not_yet_valid": Scenario(
        summary="The token is valid only in an hour (`nbf`).", steps=(start_in_an_hour, GET)
    ),
    "not_yet_valid:api_clock": Scenario(
        summary="The API's clock is 10 minutes behind the issuer's.",
        rules=ApiRules(clock_ahead=-600),
        steps=(start_now, GET),
    ),
    "wrong_audience": Scenario(
        summary="The token was issued for another API.",
        profiles={PROFILE: {"audience": "https://invoices.example.com"}},
    ),
    "wrong_issuer": Scenario(
        summary="The token is of the staging issuer, the API of production.",
        profiles={PROFILE: _STAGING},
    ),
    "missing_scope": Scenario(
        summary="The token lacks the scope that the API requires.",
        profiles={PROFILE: {"scope": "read"}},
        rules=ApiRules(scopes=("write",)),
    ),
    "not_permitted": Scenario(
        summary="The account is not in the group that the API requires.",
        rules=ApiRules(claims={"groups": "order-managers"}),
        steps=(add_claims(groups=["staff"]), GET),
    ),
    "revoked": Scenario(
        summary="The token was revoked.",
        rules=ApiRules(asks_issuer=True),
        steps=(GET, revoke_tokens),
    ),
    "revoked:session": replace(
        _CORP,
        summary="An administrator ended the user's session.",
        rules=ApiRules(asks_issuer=True),
        steps=(*_CORP.steps, revoke_tokens),
        control="nothing_wrong:signed_in",
    ),
    "key_rotated": Scenario(
        summary="The issuer no longer publishes the key that signed the token.",
        steps=(GET, rotate_keys),
    ),
    "key_rotated:same_id": Scenario(
        summary="The issuer replaced its key by another one with the same key ID.",
        steps=(GET, replace_key),
    ),
    "key_rotated:stale_api": Scenario(
        summary="The API still uses the issuer's old keys, and the token is signed with a new one.",
        rules=ApiRules(caches_keys=True),
        steps=(fill_key_cache, rotate_keys, GET),
    ),
    "jwks_unreachable": Scenario(
        summary="The issuer's JWK Set answers 503, so that the API can't check tokens.",
        steps=(GET, fail_keys("status")),
    ),
    "jwks_unreachable:drop": Scenario(
        summary="The issuer closes connections for its JWK Set, and the API answers 500.",
        rules=ApiRules(status_without_keys=500),
        steps=(GET, fail_keys("drop")),
    ),
    "jwks_unreachable:401": Scenario(
        summary="The issuer's JWK Set answers 503, and the API answers 401.",
        rules=ApiRules(status_without_keys=401),
        steps=(GET, fail_keys("status")),
    ),
    "wrong_token_kind": replace(
        _CORP,
        summary="The file has the ID token instead of the access token.",
        token_file=_take("id_token"),
        control="nothing_wrong:file",
    ),
    "wrong_token_kind:refresh": replace(
        _CORP,
        summary="The file has the refresh token instead of the access token.",
        token_file=_take("refresh_token"),
        control="nothing_wrong:file",
    ),
    "opaque_at_jwt_api": Scenario(
        summary="The issuer gave an opaque token, and the API accepts only JWTs.",
        steps=(issue_opaque_tokens, GET),
        control="nothing_wrong:opaque",
    ),
    "other_account": Scenario(
        summary="The token in the file is of the profile private-key, which the API doesn't let in.",
        profiles={"private-key": _FOR_API},
        rules=ApiRules(claims={"client_id": "batch"}),
        steps=(GET, run("get", "private-key")),
        token_file=_take("access_token"),
        control="nothing_wrong:file",
    ),
    "other_account:tenant": Scenario(
        summary="The token is of the tenant globex, the API of acme; the profile orders-acme has a token.",
        profiles={"orders-acme": {}},
        rules=ApiRules(claims={"tenant": "acme"}),
        steps=(
            add_claims(tenant="acme"),
            run("get", "orders-acme"),
            add_claims(tenant="globex"),
            GET,
        ),
    ),
    "bound_token_sent_bare": replace(
        _DPOP,
        summary="The token is bound to a DPoP key, but sent without a proof.",
        profile=PROFILE,
        token_file=_take("access_token"),
        control="nothing_wrong:dpop",
    ),
    "bound_token_sent_bare:certificate": Scenario(
        summary="The token is bound to a client certificate, but sent without it.",
        profiles={"mtls": _FOR_API},
        steps=(bind_to_certificates, run("get", "mtls")),
        token_file=_take("access_token"),
        control="nothing_wrong:file",
    ),
    "step_up_needed": replace(
        _CORP,
        summary="The API requires that the user signed in with a second factor.",
        rules=ApiRules(acr="mfa", max_age=300),
        control="nothing_wrong:signed_in",
    ),
    "wrong_scheme": Scenario(
        summary="The API expects the token in the header X-Api-Token.",
        rules=ApiRules(header="X-Api-Token", scheme=None),
    ),
    "wrong_scheme:token": Scenario(
        summary="The API expects the scheme Token instead of Bearer.",
        rules=ApiRules(scheme="Token"),
    ),
    "wrong_scheme:dpop": Scenario(
        summary="The API accepts only tokens that are bound to a key (DPoP).",
        rules=ApiRules(scheme="DPoP"),
    ),
    "too_large": Scenario(
        summary="The token has a thousand groups, and the API's server accepts 8 KiB of headers.",
        rules=ApiRules(max_header_bytes=8192),
        steps=(_MANY_GROUPS, GET),
    ),
    "too_large:nginx": Scenario(
        summary="The same, with the page of nginx and status 400.",
        steps=(_MANY_GROUPS, GET, put_before_api(intermediaries.limit_headers_like_nginx)),
    ),
    "intermediary": Scenario(
        summary="A single sign-on gateway redirects to its login page.",
        steps=(GET, put_before_api(intermediaries.redirect_to_login)),
    ),
    "intermediary:login_page": Scenario(
        summary="A gateway shows its login page with status 200.",
        steps=(GET, put_before_api(intermediaries.show_login)),
    ),
    "intermediary:firewall": Scenario(
        summary="A web application firewall answers 403 with a page.",
        steps=(GET, put_before_api(intermediaries.block_like_firewall)),
    ),
    "intermediary:proxy": Scenario(
        summary="The proxy in HTTPS_PROXY requires credentials (407).",
        api_url="https://orders.sandbox.invalid/orders",
        steps=(GET, put_before_api(intermediaries.require_proxy_credentials)),
        variables={"HTTPS_PROXY": "{plain_url}", "NO_PROXY": ""},
    ),
    "redirect_dropped_token": Scenario(
        summary="The URL is http, and the redirect to https loses the token.",
        api_url="{plain_url}" + API_PATH,
        steps=(GET, put_before_api(intermediaries.redirect_to_https)),
    ),
    "redirect_dropped_token:host": Scenario(
        summary="The API has moved to another host, and clients don't send the token there.",
        steps=(GET, put_before_api(intermediaries.redirect_to_other_host)),
    ),
    "rate_limited": Scenario(
        summary="There were too many requests (429 with Retry-After).",
        steps=(GET, put_before_api(intermediaries.limit_rate)),
    ),
    "rate_limited:403": Scenario(
        summary="There were too many requests (403 with X-RateLimit-Remaining: 0).",
        steps=(GET, put_before_api(intermediaries.limit_rate_with_403)),
    ),
    "api_down": Scenario(
        summary="The API answers 503.",
        steps=(GET, put_before_api(intermediaries.be_unavailable)),
    ),
    "api_down:gateway": Scenario(
        summary="A gateway answers 502 because it can't reach the API.",
        steps=(GET, put_before_api(intermediaries.fail_like_gateway)),
    ),
    "api_down:refused": Scenario(
        summary="Nothing listens on the API's port.", api_url="{closed_url}" + API_PATH
    ),
    "api_down:hangs": Scenario(
        summary="The API accepts connections and doesn't answer.",
        steps=(GET, put_before_api(intermediaries.hang)),
    ),
    "api_down:dropped": Scenario(
        summary="The API closes the connection without an answer.",
        steps=(GET, put_before_api(intermediaries.drop_connection)),
    ),
    "dns": Scenario(
        summary="The API's name doesn't exist.", api_url="https://orders.sandbox.invalid/orders"
    ),
    "no_token": Scenario(summary="The profile has no token yet.", steps=()),
}


def _list_bad_certificates() -> Mapping[str, Scenario]:
    """Return what can be wrong with the API's certificate."""
    problems: Mapping[str, tuple[CertificateProblem, str]] = {
        "tls": ("unknown_ca", "is of an unknown CA"),
        "tls:wrong_name": ("wrong_name", "is for another name"),
        "tls:expired": ("expired", "has expired"),
    }
    return {
        name: Scenario(
            summary=f"The API's certificate {what}.",
            certificate=problem,
            api_url="{other_url}" + API_PATH,
        )
        for name, (problem, what) in problems.items()
    }


def _list_mangled() -> Mapping[str, Scenario]:
    """Return the ways in which tokens are damaged between programs."""
    ways: Mapping[str, tuple[str, Callable[[str], str]]] = {
        "mangled": ("was cut off", lambda token: token[:-20]),
        "mangled:half": ("was cut off in the middle", lambda token: token[: len(token) // 2]),
        "mangled:quoted": ("is in quotes", lambda token: f'"{token}"'),
        "mangled:wrapped": (
            "is wrapped into lines of 64 characters",
            lambda token: "\n".join(token[i : i + 64] for i in range(0, len(token), 64)),
        ),
        "mangled:bearer": ("has the scheme in front of it", lambda token: f"Bearer {token}"),
        "mangled:twice": ("has the scheme twice", lambda token: f"Bearer Bearer {token}"),
        "mangled:encoded": (
            "is URL-encoded",
            lambda token: f"Bearer%20{token.replace('.', '%2E')}",
        ),
        "mangled:newline": ("ends with the two characters \\n", lambda token: token + "\\n"),
        "mangled:bom": ("begins with a byte order mark", lambda token: f"\ufeff{token}"),
    }
    return {
        name: Scenario(
            summary=f"The token in the file {what}.",
            token_file=_mangle(change),
            control="nothing_wrong:file",
        )
        for name, (what, change) in ways.items()
    }


_EXPLAINED = (
    "expired",
    "not_yet_valid",
    "wrong_audience",
    "wrong_issuer",
    "missing_scope",
    "not_permitted",
    "revoked",
    "key_rotated",
    "opaque_at_jwt_api",
    "wrong_scheme",
)
"""Scenarios that also exist with an API that doesn't say why it refuses a token."""
_SILENT: Mapping[str, tuple[Literal["bare", "message"], str]] = {
    "bare": ("bare", "The API's answer is empty."),
    "message": ("message", "The API's answer is only a general message in JSON."),
}


def _list_silent() -> Mapping[str, Scenario]:
    """Return the variants with an API that doesn't say why it refuses a token."""
    return {
        f"{name}:{variant}": replace(
            _ROWS[name],
            summary=f"{_ROWS[name].summary} {text}",
            rules=replace(_ROWS[name].rules, refusals=refusals),
        )
        for name in _EXPLAINED
        for variant, (refusals, text) in _SILENT.items()
    }


SCENARIOS: Mapping[str, Scenario] = dict(
    sorted({**_ROWS, **_list_bad_certificates(), **_list_mangled(), **_list_silent()}.items())
)
"""Cause, or cause:variant, as `tokencli why --json` names causes -> scenario."""
