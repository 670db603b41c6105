"""Other projects' programs that use tokens: each is run as its manual page says, while tokens expire."""
