"""Providers: one TOML file for each kind of token endpoint, and the code that applies them.

`provider_schema` defines the provider language and `catalog` loads the built-in files. `template` fills
values into requests, which `request_writer` writes. `reply_locator` finds values in replies. `validation`
checks provider tables.
"""
