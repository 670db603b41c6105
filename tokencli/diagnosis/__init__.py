"""Say why a call fails, and check what a token depends on."""
