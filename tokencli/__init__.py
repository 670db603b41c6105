"""Fetch, keep fresh, explain and export bearer tokens.

The map of the package, from the outside in:

    __main__    the console script: the hot path, else the command line
    hot         a warm `get`, `export` or completion, with sys, os and time alone
    cli/        one file per command; the only Typer; errors become stderr and an exit code
    api         the same as Python functions
    app         the composition root: builds each edge on first use
    actions/    one readable function per intention of the user
    grants/     one OAuth conversation per file, as a generator that does no I/O
    clientauth  how a client proves who it is
    providers/  how each kind of token endpoint speaks: data, and the code that reads it
    formats/    how a token leaves the program
    jwt/        what a token says of itself
    config/     the TOML file: schema, reading, editing
    sources/    where secrets come from
    stores/     where tokens rest, and the lock in front of them
    adapters/   HTTP, terminal, browser, clock, signals
    sandbox/    a loopback authorization server to try everything on
    model, ports, errors   the nouns, the protocols, the one error root
"""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Find the public names on first use (PEP 562): `import tokencli` itself costs nothing."""
    if name in ("TokenAuth", "token"):
        from tokencli import api

        found: object = getattr(api, name)
        return found
    raise AttributeError(f"module 'tokencli' has no attribute {name!r}")
