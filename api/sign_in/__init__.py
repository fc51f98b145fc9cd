"""Sign-in by a company's own identity provider: OpenID Connect, authorization code with PKCE."""
