"""The verbs: one readable function per intention of the user."""
