"""Fixtures of the end-to-end tests: servers of others, and configurations for them."""

from tests.servers.chromium import chromium
from tests.servers.configured import configure
from tests.servers.oidc_provider import oidc_provider

__all__ = ["chromium", "configure", "oidc_provider"]
