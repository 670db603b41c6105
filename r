HTTP/1.1 401 Unauthorized
Server: tokencli-sandbox
Date: Fri, 27 Nov 2026 03:39:10 GMT
Content-Type: application/json
Content-Length: 79
WWW-Authenticate: Bearer realm="orders", error="invalid_token", error_description="the token is not a JWT", resource_metadata="https://127.0.0.1:41495/.well-known/oauth-protected-resource/orders"

{
  "error": "invalid_token",
  "error_description": "the token is not a JWT"
}