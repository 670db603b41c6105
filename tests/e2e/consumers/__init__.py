"""Programs of others that use tokens: each is run as its manual page says, while tokens expire."""
