"""What APIs and gateways say when they refuse a token: text -> the causes that it can mean.

A row with one cause names it; with several, the text doesn't tell them apart. A row takes the part of
the text that it matches, so the special rows stand above the general ones. To teach tokencli a text,
add a row and a case to `tests/unit/diagnosis/test_api_messages.py`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiMessage:
    """A row."""

    causes: tuple[str, ...]
    says: str
    """A regular expression for error codes and texts, without regard to case. The group `expected`
    is the audience, issuer or scope that the API requires."""
    source: str
    """The program or document that has the text."""


_JWT = r"(?:jwt|token|signature|access token|id token|bearer token)"
_QUOTED = r"['\"]?"

API_MESSAGES: tuple[ApiMessage, ...] = (
    # Texts that list everything a token can have, and so say nothing.
    ApiMessage(
        (),
        r"(?:is )?(?:expired|invalid),? revoked,? malformed,? or invalid for other reasons|(?:is )?(?:invalid|expired),? (?:or )?(?:expired|invalid|revoked),? (?:or )?(?:has been )?revoked",
        "RFC 6750 section 3.1",
    ),
    ApiMessage(
        (),
        r"(?:invalid or (?:has )?expired|(?<!session )expired or invalid|missing or invalid|invalid or missing|missing, invalid or expired|invalid, expired or missing)(?: (?:or expired|or missing))?",
        "Kong, Azure API Management and many frameworks",
    ),
    # Between the client and the API.
    ApiMessage(
        ("too_large",),
        r"request header or cookie too large|request header fields too large|size of (?:a |the )?request headers?(?: field)? (?:is too long|exceeds)|request too long|header (?:is )?too (?:large|long|big)|headers? (?:size )?(?:exceed|limit)|HPE_HEADER_OVERFLOW|limit request headers? fields? size|too big header",
        "nginx, IIS, Apache httpd, Tomcat, Node.js, Gunicorn",
    ),
    ApiMessage(
        ("intermediary",),
        r"attention required! \| cloudflare|just a moment\.\.\.|error code:? 10\d\d|access denied \| .* used cloudflare|incapsula incident|the requested url was rejected|cloudflare access|sign in . cloudflare access|ERR_(?:ACCESS_DENIED|CACHE_ACCESS_DENIED)|cache access denied|proxy authentication required|zscaler|blue ?coat|fortig(?:ate|uard)|web page blocked|network authentication required|captive portal",
        "Cloudflare, Imperva, F5, Squid, Zscaler, FortiGuard, RFC 6585",
    ),
    ApiMessage(
        ("rate_limited",),
        r"rate.?limit(?:ed|s|ing)?(?: is)?.?(?:exceeded|reached)?|too many requests|quota ?(?:violation|exceeded)|userRateLimitExceeded|throttl(?:ed|ing)|ratelimited|spike ?arrest|REQUEST_LIMIT_EXCEEDED|requests? limit exceeded|out of call volume quota|quota will be replenished",
        "GitHub, Kong, Google, Apigee, AWS, Slack, Salesforce, Azure API Management",
    ),
    # The API can't get the issuer's keys.
    ApiMessage(
        ("jwks_unreachable",),
        r"jwks remote fetch is failed|couldn't retrieve (?:remote )?jwk set|unable to obtain configuration from|IDX2080[347]|error (?:while )?(?:fetching|retrieving|requesting) (?:the )?(?:jwks?|signing keys?|public keys?)|(?:failed|unable|could ?n.?t|can.?t|cannot) (?:to )?(?:fetch|retrieve|get|load|download|refresh|reach|access) (?:the )?(?:remote |issuer.?s |signing |public |verification )*(?:jwks?|json web keys?|keys?\b|openid)|jwks (?:endpoint |uri )?(?:is )?(?:unreachable|unavailable|timed? ?out)|jwks?_(?:unavailable|fetch_failed|unreachable)",
        "Envoy, Spring Security, ASP.NET, jwks-rsa, PyJWT",
    ),
    # Step-up (RFC 9470), and Microsoft's claims challenge.
    ApiMessage(
        ("step_up_needed",),
        r"insufficient_user_authentication|insufficient_claims|interaction_required|a different authentication level is required|more recent authentication is required|(?:mfa|multi.?factor|step.?up)(?: authentication)? (?:is )?required|TokenCreatedWithOutdatedPolicies",
        "RFC 9470, Microsoft Entra",
    ),
    # Proof of possession.
    ApiMessage(
        ("bound_token_sent_bare",),
        r"use_dpop_nonce|invalid_dpop_proof|dpop (?:proof|header)(?: jwt)?(?: is| was)? (?:missing|required|not (?:found|present|provided))|missing dpop|(?:missing|no) (?:client |mtls )?certificate|certificate (?:thumbprint )?(?:is )?(?:required|missing|mismatch|does not match)|(?:cnf|jkt|x5t#s256)\b.{0,40}(?:mismatch|does not match|missing|required)|(?:sender.constrained|certificate.bound|dpop.bound)",
        "RFC 9449, RFC 8705, Spring Security",
    ),
    # Scopes.
    ApiMessage(
        ("missing_scope",),
        r"insufficient.?scopes?|ACCESS_TOKEN_SCOPE_INSUFFICIENT|insufficient(?: authentication)? scopes?|missing_scope|missing (?:required |the )?scopes?|(?:does not|doesn't|do not) (?:contain|have|include|match) (?:the )?(?:required |any |necessary )?scopes?|lacks? (?:the )?(?:required )?scopes?|requires? (?:the )?(?:following )?(?:one of the following )?scopes?\W{1,3}(?P<expected>[\w:./-]+)|scope_not_granted|insufficientPermissions|the request requires higher privileges than provided by the access token",
        "RFC 6750, Google, Slack, GitLab, Okta, AWS API Gateway",
    ),
    ApiMessage(
        ("missing_scope", "not_permitted"),
        r"rbac: access denied|resource not accessible by (?:integration|personal access token)|Authorization_RequestDenied|insufficient privileges to complete the operation|missing (?:required )?(?:permission|privilege)s?|insufficient.?permissions?|ErrorAccessDenied|Access is denied\. Check credentials",
        "Istio, GitHub, Microsoft Graph",
    ),
    ApiMessage(
        ("not_permitted",),
        r"SERVICE_DISABLED|has not been used in project|accessNotConfigured|AuthorizationFailed|does not have authorization to perform action|must have admin rights|cannot (?:get|list|watch|create|update|patch|delete) resource|explicit deny|is not authorized to (?:access|perform)|do(?:es)? not have (?:the )?(?:permission|access|rights?|role)|(?:role|group)s? (?:is |are )?(?:required|missing)|missing (?:required )?(?:role|group)s?|lacks? (?:the )?(?:required )?(?:role|group|permission)|\bip(?:[ _]address)?(?:\b|_).{0,60}?(?:not[ _]allowed|not (?:on|in) the|blocked|denied|forbidden|not permitted|not authori)|(?:role|group)s? (?:claim )?must (?:include|contain|be|have)|must (?:have|be in|be a member of) (?:the |an? )?(?:\w+ )?(?:role|group)|requires? (?:the )?(?:\w+ )?(?:role|group)|E0000006|no_permission|not_in_channel|permission.denied|policy (?:does not|doesn't) allow",
        "Azure, GitHub, Kubernetes, AWS, Okta, Google",
    ),
    # Kinds of tokens.
    ApiMessage(
        ("wrong_token_kind",),
        r"ACCESS_TOKEN_TYPE_UNSUPPORTED|not_allowed_token_type|(?:is )?not an access.?token|token use not allowed|\b(?:id|refresh).?tokens? (?:is |are |was )?(?:not (?:allowed|accepted|supported|valid)|used|provided|can ?not)|(?:invalid|wrong|unexpected|unsupported) token (?:type|use)|token_use\b|(?:typ|type) (?:header|claim)?.{0,30}(?:at\+jwt|not allowed|not valid|is invalid)|expected (?:an? )?access.?token",
        "Google, Slack, Spring Security, aws-jwt-verify",
    ),
    # Times. ASP.NET's texts have both bounds.
    ApiMessage(
        ("expired", "not_yet_valid"),
        r"expired or (?:is )?not yet valid|token lifetime is invalid|lifetime validation failed(?!, the token is expired)|invalid_token_lifetime",
        "Microsoft Graph, ASP.NET",
    ),
    ApiMessage(
        ("not_yet_valid", "local_clock"),
        r"dpop.{0,40}\biat\b|proof.{0,40}(?:not yet|in the future|too old|expired)",
        "RFC 9449 section 11.1",
    ),
    ApiMessage(
        ("not_yet_valid",),
        rf"{_JWT} (?:is |was )?(?:not yet (?:valid|active)|not (?:valid|active) (?:yet|before)|used (?:before|too early))|jwt not active|not.?yet.?valid|IDX10222|used before|before .{{0,12}}\bnbf\b|\bnbf{_QUOTED} (?:claim|value)|immature|\biat\b.{{0,30}}(?:in the )?future|issued in the future|used before issued",
        "Envoy, Spring Security, ASP.NET, jsonwebtoken, PyJWT, golang-jwt, Apigee",
    ),
    ApiMessage(
        ("expired", "revoked"),
        r"session (?:has )?expired or (?:is )?invalid|INVALID_SESSION_ID|(?:token|session) (?:has )?(?:been )?(?:expired or (?:been )?revoked|revoked or expired)|expired,? or revoked",
        "Salesforce, Google",
    ),
    ApiMessage(
        ("expired",),
        rf"{_JWT}(?: \S+)? (?:is |has |was |already )*expired|access.?token.?expired|token.?expired|IDX10223|\bexp{_QUOTED} (?:claim|value)|expired.?(?:authentication.?)?(?:access.?)?token|ExpiredSignature|lifetime validation failed, the token is expired|has expired|\bexpired at\b",
        "Envoy, Spring Security, ASP.NET, jsonwebtoken, PyJWT, golang-jwt, AWS API Gateway, Apigee, GitLab, Kong, Google, Azure",
    ),
    # Ended by the server.
    ApiMessage(
        ("revoked",),
        r"(?:was|been|is|token.?) ?revoked|token_revoked|token is ?n[o']t active|provided token isn't active|token (?:is )?(?:not active|inactive)|session (?:is )?(?:not active|not found|ended|terminated|doesn't (?:have|exist))|TokenIssuedBeforeRevocationTimestamp|user (?:is )?(?:disabled|deactivated|deleted)|account_inactive|token (?:has been |is )?(?:blacklisted|blocklisted|invalidated|denylisted)",
        "GitLab, Slack, Spring Security, Keycloak, Microsoft Entra",
    ),
    # Audience and issuer.
    ApiMessage(
        ("wrong_issuer",),
        r"wrong issuer|InvalidAuthenticationTokenTenant|jwt issuer invalid\. expected:? (?P<expected>\S+)|(?:jwt )?issuer (?:is )?(?:not (?:configured|allowed|trusted|recogni[sz]ed|valid|known|supported)|unknown|untrusted|mismatch)|(?:unknown|untrusted|invalid|unexpected|unrecogni[sz]ed|bad) (?:token )?issuer|the issuer .{0,200}? is invalid|IDX10205|(?:unexpected )?[\"']?\biss[\"']? (?:claim|value)|invalid `?iss|no credentials found for given 'iss'|issuer.?mismatch|(?:token|jwt) has invalid issuer|issuer (?:does not|doesn't|did not) match",
        "Envoy, ASP.NET, Spring Security, jsonwebtoken, jose, PyJWT, golang-jwt, Kong, Apigee, Azure",
    ),
    ApiMessage(
        ("wrong_audience",),
        r"jwt audience invalid\. expected:? (?P<expected>[^\s,;|]+)|audiences? in jwt are not allowed|invalid.{0,3}audience|the audiences? .{0,300}? (?:is|are) invalid|IDX1021[48]|(?:unexpected )?[\"']?\baud[\"']? (?:claim|value)|audience.?mismatch|InvalidAuthenticationTokenAudience|(?:valid|expected|required|right|correct) audience|audience (?:is )?(?:invalid|not (?:allowed|valid|accepted|expected)|does ?n[o']t match|did not match|validation failed)|audience doesn't match|(?:token|jwt) has invalid audience|wrong audience|(?:audience|aud) (?:must|should|has to) (?:be|include|contain) \S+|(?:not (?:intended|issued|meant) for|for (?:an)?other) (?:this )?(?:api|audience|resource|service)",
        "Envoy, ASP.NET, Spring Security, AWS API Gateway, jsonwebtoken, jose, PyJWT, golang-jwt, Apigee, Azure, Microsoft Graph",
    ),
    ApiMessage(
        ("other_account",),
        r"(?:wrong|other|different|another) (?:tenant|account|user|organi[sz]ation|workspace)|(?:tenant|organi[sz]ation|workspace|account) (?:mismatch|does not match|is not allowed|must (?:be|include|match))",
        "Azure, Auth0",
    ),
    # Keys and signatures.
    ApiMessage(
        ("key_rotated",),
        r"signature key was not found|jwks doesn't have key to match kid|no (?:matching|applicable) (?:public |signing )?keys? (?:was )?found|no matching key\(s\)|unable to find (?:a |the )?(?:signing |public )?key|(?:signing |public )?key (?:with )?(?:id |kid )?.{0,80}? ?not found|IDX1050[0134]|(?:unknown|invalid|unrecogni[sz]ed|unexpected) (?:kid|key id|(?:signing |public )?key\b)|NoMatchingPublicKey|kid .{0,80}(?:not found|unknown|does not match|no match)|(?:no suitable|no such) (?:jws? |signing )?key",
        "ASP.NET, Envoy, Spring Security, jose, jwks-rsa, PyJWT, Apigee, Microsoft Graph",
    ),
    ApiMessage(
        ("mangled", "key_rotated", "wrong_issuer"),
        r"(?:invalid|bad|wrong) (?:token )?signature|signature (?:is |was )?(?:invalid|wrong|not valid)|signature (?:verification|validation) (?:has )?fail\w*|IDX1051[14]|jwt verification fails|JWSSignatureVerificationFailed|signature mismatch|crypto(?:graphic)? error|verification of jwt failed",
        "Spring Security, ASP.NET, Envoy, Kong, jsonwebtoken, jose, PyJWT, golang-jwt",
    ),
    # What the API found isn't a JWT.
    ApiMessage(
        ("mangled", "opaque_at_jwt_api"),
        r"not in the form of header\.payload\.signature|invalid (?:compact jws|jwt serialization|jwt format|number of segments|token format)|missing dot delimiter|(?:jwt|token|bearer token) (?:is |was )?malformed|malformed (?:jwt|token|bearer)|not enough segments|(?:invalid|wrong) number of segments|compacttoken parsing failed|IDX1(?:2741|2729|4100|4102|2709|2710|0609)|invalid base64|invalid json|not a (?:valid )?(?:jwt|json web token)|unrecognizable token|bad token; invalid json|(?:could ?n.t|failed to|unable to|cannot|can't) (?:decode|parse|deserialize) (?:the )?(?:jwt|token)|error (?:decoding|parsing) (?:the )?(?:jwt|token)|expected 3 parts|must (?:have|consist of) three parts",
        "Envoy, Spring Security, jose, jsonwebtoken, PyJWT, golang-jwt, ASP.NET, Kong, Microsoft Graph",
    ),
    # The API found no token where it looks for it: it was removed on the way, or sent elsewhere.
    ApiMessage(
        ("wrong_scheme", "intermediary"),
        r"jwt is missing|jwt not present|(?:missing|no|empty|lacks?) (?:the |an? |valid )?(?:authorization|authentication|auth|access|bearer|oauth2?) ?(?:header|token|bearer)|authorization header (?:is |was )?(?:missing|required|not (?:found|present|provided|set)|empty)|access token is empty|token (?:is |was )?(?:missing|required|not (?:found|provided|present|supplied))|no (?:auth(?:orization)? )?token (?:was )?(?:found|provided|supplied|specified)|not_authed|CREDENTIALS_MISSING|missing (?:the )?required authentication credential|credentials (?:were|are) not provided|no credentials (?:were )?provided|full authentication is required|\bnot authenticated\b",
        "Flask-JWT-Extended, FastAPI, Envoy, AWS, Slack, Google, express-jwt, Django REST framework, Spring Security",
    ),
    ApiMessage(
        ("wrong_scheme",),
        r"no api key found|\bno auth\b|\bx-[\w-]*(?:key|token|auth)[\w-]*\b.{0,20}(?:missing|required|not (?:found|provided))|missing (?:the )?(?:header )?\W?x-[\w-]+|api.?key (?:is )?(?:missing|required)|missing (?:api|subscription) key|authorization header (?:is |was )?(?:malformed|invalid)|not a valid key=value pair|requires 'credential' parameter|must (?:be|start with|use) (?:of the form )?[\"'`]?(?:bearer|basic|token|dpop)|(?:unsupported|invalid|unknown|wrong) (?:authorization|authentication|auth)(?:orization)? (?:scheme|type|method)|format is authorization:|FailedToResolveVariable",
        "Kong, Azure API Management, AWS, express-jwt, Apigee",
    ),
)
"""From the special to the general."""
