"""The loopback reverse proxy of `tokencli proxy`. Only this package imports aiohttp."""
