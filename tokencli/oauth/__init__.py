"""OAuth 2.0: grants, client authentication, DPoP, discovery, token responses and refusals."""
