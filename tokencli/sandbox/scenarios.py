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
from tokencli.sandbox.http_messages import Request, Response
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.system import SigningKeys, TomlValue
from tokencli.sandbox.world import World

HOUR_S = 3600.0
PROFILE = "orders"
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
    before: Callable[[World], None] | None = None
    """Changes the world before the token is issued."""
    setup: tuple[tuple[str, ...], ...] = (("get", PROFILE),)
    """The commands of tokencli that run first."""
    setup_ago_s: float = 0.0
    """How long ago they ran, by all clocks."""
    after: Callable[[World], None] | None = None
    """Changes the world after that."""
    token_file: Callable[[Mapping[str, object]], bytes] | None = None
    """Makes the content of $SANDBOX_TOKEN_FILE from the last token response."""
    certificate: Literal["unknown_ca", "wrong_name", "expired"] | None = None
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
            name: {**known[name], **self.profiles.get(name, {})}
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


def _shift_server_clock(seconds: float) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.context.clock_skew += seconds

    return change


def _add_claims(**claims: object) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.issuer.more_claims = claims

    return change


def _start_in_an_hour(world: World) -> None:
    world.issuer.more_claims = {"nbf": int(world.context.now() + HOUR_S)}


def _issue_opaque_tokens(world: World) -> None:
    world.issuer.issues_opaque_tokens = True


def _bind_to_certificates(world: World) -> None:
    world.issuer.binds_certificates = True


def _rotate_keys(world: World) -> None:
    world.issuer.signing_keys = SigningKeys()


def _fill_key_cache_and_rotate_keys(world: World) -> None:
    world.api.fetch_keys()
    _rotate_keys(world)


def _fail_keys(how: Literal["status", "drop"]) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.issuer.keys_failure = how

    return change


def _revoke_tokens(world: World) -> None:
    world.context.database.revoke_all(world.issuer.name)


def _stand_before_api(front: Callable[[Request], Response | None]) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.api.front = front

    return change


def _mangle(change: Callable[[str], str], member: str = "access_token") -> Callable[..., bytes]:
    def make(members: Mapping[str, object]) -> bytes:
        return change(str(members[member])).encode("utf-8")

    return make


def _take(member: str) -> Callable[..., bytes]:
    return _mangle(lambda token: f"{token}\n", member)


_SIGNED_IN: Mapping[str, TomlValue] = {"audience": "{url}" + API_PATH}
_STAGING: Mapping[str, TomlValue] = {"issuer": "{url}/staging", "token_url": "{url}/staging/token"}
_MANY_GROUPS = [f"department-{number:04}-readers" for number in range(1000)]

_ROWS: Mapping[str, Scenario] = {
    "nothing_wrong": Scenario(summary="The API accepts the token."),
    "nothing_wrong:file": Scenario(
        summary="The API accepts the token in the file.", token_file=_take("access_token")
    ),
    "nothing_wrong:signed_in": Scenario(
        summary="The API accepts the token of a user who has signed in.",
        profile="corp",
        profiles={"corp": _SIGNED_IN},
        sign_in="alice",
        setup=(("login", "corp"),),
    ),
    "nothing_wrong:dpop": Scenario(
        summary="The API accepts the token that is bound to a key, with a proof.",
        profile="dpop-demo",
        profiles={"dpop-demo": _SIGNED_IN},
        setup=(("get", "dpop-demo"),),
    ),
    "nothing_wrong:opaque": Scenario(
        summary="The API accepts an opaque token.",
        rules=ApiRules(accepts_only_jwts=False),
        before=_issue_opaque_tokens,
    ),
    "expired": Scenario(summary="The token expired an hour ago.", setup_ago_s=2 * HOUR_S),
    "expired:slow_clock": Scenario(
        summary="The token has expired, and this computer's clock is 3 hours behind.",
        before=_shift_server_clock(3 * HOUR_S),
        setup_ago_s=2 * HOUR_S,
    ),
    "local_clock": Scenario(
        summary="This computer's clock is 3 hours ahead, so that the token seems to have expired.",
        before=_shift_server_clock(-3 * HOUR_S),
    ),
    "local_clock:behind": Scenario(
        summary="This computer's clock is 3 hours behind, so that the token seems to start later.",
        before=_shift_server_clock(3 * HOUR_S),
    ),
    "not_yet_valid": Scenario(
        summary="The token is valid only in an hour (`nbf`).", before=_start_in_an_hour
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
        before=_add_claims(groups=["staff"]),
    ),
    "revoked": Scenario(
        summary="The token was revoked.", rules=ApiRules(asks_issuer=True), after=_revoke_tokens
    ),
    "revoked:session": Scenario(
        summary="The user's session was ended by an administrator.",
        profile="corp",
        profiles={"corp": _SIGNED_IN},
        sign_in="alice",
        setup=(("login", "corp"),),
        rules=ApiRules(asks_issuer=True),
        after=_revoke_tokens,
        control="nothing_wrong:signed_in",
    ),
    "key_rotated": Scenario(
        summary="The issuer no longer publishes the key that signed the token.",
        after=_rotate_keys,
    ),
    "key_rotated:stale_api": Scenario(
        summary="The API still uses the issuer's old keys, and the token is signed with a new one.",
        rules=ApiRules(caches_keys=True),
        before=_fill_key_cache_and_rotate_keys,
    ),
    "jwks_unreachable": Scenario(
        summary="The issuer's JWK Set answers 503, so that the API can't check tokens.",
        after=_fail_keys("status"),
    ),
    "jwks_unreachable:drop": Scenario(
        summary="The issuer closes connections for its JWK Set, and the API answers 500.",
        rules=ApiRules(status_without_keys=500),
        after=_fail_keys("drop"),
    ),
    "jwks_unreachable:401": Scenario(
        summary="The issuer's JWK Set answers 503, and the API answers 401.",
        rules=ApiRules(status_without_keys=401),
        after=_fail_keys("status"),
    ),
    "opaque_at_jwt_api": Scenario(
        summary="The issuer gave an opaque token, and the API accepts only JWTs.",
        before=_issue_opaque_tokens,
        control="nothing_wrong:opaque",
    ),
    "bound_token_sent_bare": Scenario(
        summary="The token is bound to a DPoP key, but sent without a proof.",
        profiles={"dpop-demo": _SIGNED_IN},
        setup=(("get", "dpop-demo"),),
        token_file=_take("access_token"),
        control="nothing_wrong:dpop",
    ),
    "bound_token_sent_bare:certificate": Scenario(
        summary="The token is bound to a client certificate, but sent without it.",
        profiles={"mtls": _SIGNED_IN},
        before=_bind_to_certificates,
        setup=(("get", "mtls"),),
        token_file=_take("access_token"),
    ),
    "step_up_needed": Scenario(
        summary="The API requires that the user signed in with a second factor.",
        profile="corp",
        profiles={"corp": _SIGNED_IN},
        sign_in="alice",
        setup=(("login", "corp"),),
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
        control="nothing_wrong:dpop",
    ),
    "too_large": Scenario(
        summary="The token has a thousand groups, and the API's server accepts 8 KiB of headers.",
        rules=ApiRules(max_header_bytes=8192),
        before=_add_claims(groups=_MANY_GROUPS),
    ),
    "too_large:nginx": Scenario(
        summary="The same, with the page of nginx and status 400.",
        before=_add_claims(groups=_MANY_GROUPS),
        after=_stand_before_api(intermediaries.limit_headers_like_nginx),
    ),
    "wrong_token_kind": Scenario(
        summary="The file has the ID token instead of the access token.",
        profile="corp",
        profiles={"corp": _SIGNED_IN},
        sign_in="alice",
        setup=(("login", "corp"),),
        token_file=_take("id_token"),
        control="nothing_wrong:file",
    ),
    "wrong_token_kind:refresh": Scenario(
        summary="The file has the refresh token instead of the access token.",
        profile="corp",
        profiles={"corp": _SIGNED_IN},
        sign_in="alice",
        setup=(("login", "corp"),),
        token_file=_take("refresh_token"),
        control="nothing_wrong:file",
    ),
    "no_token": Scenario(summary="The profile has no token yet.", setup=()),
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


def _write_bare_variants(rows: Mapping[str, Scenario]) -> Mapping[str, Scenario]:
    """Return the scenarios that also exist with an API that doesn't say why it refuses a token."""
    names = (
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
    return {
        f"{name}:bare": replace(
            rows[name],
            summary=f"{rows[name].summary} The API answers without saying why.",
            rules=replace(rows[name].rules, refusals="bare"),
        )
        for name in names
    }


SCENARIOS: Mapping[str, Scenario] = dict(
    sorted({**_ROWS, **_list_mangled(), **_write_bare_variants(_ROWS)}.items())
)
"""Cause, or cause:variant, as `tokencli why --json` names causes -> scenario."""
