"""Read requests stored by other tools: curl, HAR, Postman, Bruno, OpenCollection and OpenAPI.

There is one module per format, and `recording` detects the format. Each yields an `ImportedRequest` or an
`OAuthServer` (see `model`), from which `draft` writes a provider.
"""
