"""Whatever the evidence, ranking answers: in order, the same each time, and without contradiction."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.diagnosis.records import HOUR, ISSUER, NOW, call, evidence, issuer, profile, token
from tests.unit.diagnosis.test_causes import NAMED_FIRST
from tokencli.diagnosis.causes import (
    AMBIGUOUS_PAIRS,
    CAUSES,
    CONFIDENCES,
    exit_code,
    rank_causes,
    reply,
)
from tokencli.diagnosis.evidence import EventFacts, Evidence, ResourceFacts
from tokencli.errors import UnreachableError

RECORDS = [record for family in NAMED_FIRST.values() for record in family.values()]
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.one_of(st.none(), FINITE, st.floats(NOW - 1e6, NOW + 1e6))
NAMES = st.lists(st.sampled_from(["a", ISSUER, "https://api.example.com", ""]), max_size=3).map(
    tuple
)
TEXTS = st.one_of(
    st.none(),
    st.text(max_size=60),
    st.sampled_from(["expired", "invalid audience", "revoked", "scope"]),
)
CLAIMS = st.dictionaries(
    st.sampled_from(
        ["sub", "acr", "auth_time", "groups", "roles", "email", "realm_access", "scope"]
    ),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=5),
        st.lists(st.integers(), max_size=3),
    ),
    max_size=4,
)

TOKENS = st.builds(
    token,
    kind=st.sampled_from(["jwt", "jwe", "sd-jwt", "opaque"]),
    header=st.dictionaries(
        st.sampled_from(["kid", "alg"]), st.one_of(st.none(), st.text(max_size=3))
    ),
    claims=CLAIMS,
    role=st.sampled_from(["access", "id", "refresh", "unknown"]),
    issued_at=TIMES,
    not_before=TIMES,
    expires_at=TIMES,
    stated_expiry=TIMES,
    issuer=st.sampled_from([None, ISSUER, "https://id.staging.example.com", "http://[", ""]),
    audience=NAMES,
    scopes=st.one_of(st.none(), NAMES),
    bound_to=st.sampled_from([None, "dpop", "certificate"]),
    holds_bound_key=st.sampled_from([None, True, False]),
    damage=st.sampled_from([None, "it was cut off"]),
    mangling=st.sampled_from([(), ("it is in quotes",)]),
    signature=st.sampled_from(["valid", "invalid", "unchecked"]),
    stored=st.booleans(),
    part_of_stored=st.sampled_from([None, 2000]),
)
CALLS = st.builds(
    call,
    st.sampled_from([200, 204, 301, 302, 304, 400, 401, 403, 404, 407, 429, 431, 500, 502, 503, 511, 599]),
    challenge=st.sampled_from([
        None, "Bearer", 'Bearer error="invalid_token"', "Basic", "DPoP", 'DPoP error="use_dpop_nonce"',
        'Bearer error="insufficient_scope", scope="a b"',
        'Bearer error="insufficient_user_authentication", max_age="300", acr_values="x"',
    ]),
    text=TEXTS,
    code=TEXTS,
    url=st.sampled_from(["https://api.example.com/orders", "http://api.example.com", "https://[", ""]),
    server_ahead=st.sampled_from([0.0, -3 * HOUR, 3 * HOUR, 40.0]),
    body_kind=st.sampled_from(["empty", "json", "html", "text"]),
    headers=st.dictionaries(
        st.sampled_from(["location", "retry-after", "age", "x-ratelimit-remaining", "x-ratelimit-reset", "server"]),
        st.sampled_from(["0", "-1", "30", "9" * 400, "https://sso.example.com/login", "http://[", "²"]),
        max_size=3,
    ),
    carrier=st.sampled_from([None, "Authorization: Bearer", "Authorization", "X-Key", "?access_token", "Cookie"]),
    failure=st.sampled_from([None, None, None, "dns", "connect", "tls", "timeout", "broken_off", "redirect", "other"]),
    proof=st.sampled_from([None, "dpop", "certificate"]),
    withheld=st.sampled_from([None, None, "the URL is not https"]),
    is_saved=st.booleans(),
    is_sign_in_page=st.booleans(),
    required_scopes=NAMES,
    request_header_size=st.sampled_from([None, 400, 9000]),
)  # fmt: skip
EVIDENCE = st.builds(
    evidence,
    token=st.one_of(st.none(), TOKENS),
    call=st.one_of(st.none(), CALLS),
    bare_call=st.one_of(st.none(), CALLS),
    fresh_token=st.one_of(st.none(), TOKENS),
    fresh_call=st.one_of(st.none(), CALLS),
    profile=st.one_of(
        st.none(),
        st.builds(
            profile, audiences=NAMES, scopes=NAMES, is_interactive=st.booleans(), dpop=st.booleans()
        ),
    ),
    issuer=st.builds(
        issuer,
        key_ids=st.one_of(st.none(), NAMES),
        jwks_error=st.sampled_from([None, UnreachableError("can't connect")]),
        introspection=st.sampled_from(
            [None, {"active": True}, {"active": False}, {"active": "x", "exp": "y"}]
        ),
        userinfo_status=st.sampled_from([None, 200, 401]),
        server_time=TIMES,
    ),
    resource=st.one_of(
        st.none(),
        st.builds(
            ResourceFacts,
            url=st.just("x"),
            resource=st.sampled_from([None, "a"]),
            authorization_servers=NAMES,
        ),
    ),
    events=st.builds(
        EventFacts, issued_to=st.sampled_from([None, "orders", "billing"]), revoked_at=TIMES
    ),
    rival_profiles=st.sampled_from([(), ("billing",)]),
)
PARTS = st.one_of(EVIDENCE, st.sampled_from(RECORDS))


def mix(one: Evidence, other: Evidence, names: set[str]) -> Evidence:
    """Return the first record with some of the parts of the second."""
    return replace(one, **{name: getattr(other, name) for name in names})


@settings(max_examples=200, deadline=None)
@given(
    PARTS,
    PARTS,
    st.sets(st.sampled_from(["token", "call", "bare_call", "fresh_call", "issuer", "profile"])),
)
def test_any_evidence_is_ranked(one: Evidence, other: Evidence, names: set[str]) -> None:
    """Nothing raises; at least one cause is named, the surest first, each once and with evidence."""
    record = mix(one, other, names)
    findings = rank_causes(record)
    assert findings == rank_causes(record)
    found = {finding.id: finding for finding in findings}
    assert findings
    assert len(found) == len(findings)
    ranks = [CONFIDENCES.index(finding.confidence) for finding in findings]
    assert ranks == sorted(ranks)
    assert all(finding.id in CAUSES for finding in findings)
    assert all(finding.evidence for finding in findings), found
    for pair in AMBIGUOUS_PAIRS:
        assert [name for name in pair if name in found and found[name].confidence == "certain"] != [
            *pair
        ]
    assert exit_code(findings) in (0, 4, 5, 6, 9)


@settings(max_examples=200, deadline=None)
@given(PARTS, CALLS)
def test_a_success_names_no_cause(record: Evidence, made: object) -> None:
    """Whatever the facts, an API that does what it is asked has nothing against the token."""
    record = replace(record, call=made)
    findings = [finding.id for finding in rank_causes(record)]
    if reply.is_success(record.call):
        assert set(findings) <= {"nothing_wrong", "local_clock", "intermediary", "mangled"}
    if reply.is_refused(record.call):
        assert "nothing_wrong" not in findings
