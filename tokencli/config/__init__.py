"""The TOML file: `paths` finds it, `load` reads it, `schema` and `resolve` judge it, `edit` writes it."""
