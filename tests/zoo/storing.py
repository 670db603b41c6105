"""The program with one endpoint's provider file, and a clock that a test sets."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import tomlkit

from tests.fakes import FakeClock
from tests.zoo.cases import HERE, NOW, first, host_of, later, values_of
from tests.zoo.server import Zoo
from tokencli.app import App
from tokencli.models import Connection, HttpReply, HttpRequest
from tokencli.net.transport import HttpTransport
from tokencli.protocols import Clock, Transport
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import build_provider
from tokencli.providers.template import list_value_names
from tokencli.providers.template_values import list_profile_inputs


def provider_file(name: str) -> Path:
    """Return an endpoint's provider file."""
    return HERE / "providers" / f"{name}.toml"


def described(name: str) -> Provider:
    """Return the provider in that file."""
    return build_provider(tomllib.loads(provider_file(name).read_text(encoding="utf-8")), name)


def config_text(name: str, folder: Path, host: str | None = None, **more: object) -> str:
    """Return a configuration with the endpoint's file and a profile `p` with the test's values.

    Secrets come from the environment, see `secrets_of`; tokens and locks are in `folder`.
    """
    provider, values = described(name), values_of(name)
    table: dict[str, object] = {"provider": name, "store": "file"}
    for key in (
        *list_value_names(provider.endpoints.token),
        *list_profile_inputs(provider),
        *provider.fields,
        *_client(provider),
    ):
        field = provider.fields.get(key)
        if key in ("password", "client_secret") or (field is not None and field.kind == "secret"):
            table[key] = {"env": variable(key)}
        elif field is not None and field.kind == "host":
            table[key] = host or host_of(name)
        elif field is not None and field.kind == "url":
            table[key] = _address(name, key)
        elif field is None or field.default is None:
            table[key] = values[key]
    if "scope" in values:
        table["scope"] = values["scope"]
    if urlsplit(first(name).url).scheme == "http":
        table["allow_http"] = True
    own = tomllib.loads(provider_file(name).read_text(encoding="utf-8"))
    whole = {
        "state_dir": str(folder / "state"),
        "providers": {name: own},
        "profiles": {"p": table | more},
    }
    return tomlkit.dumps(whole)


def _client(provider: Provider) -> tuple[str, ...]:
    return () if provider.request.is_custom else ("client_id", "client_secret")


def _address(name: str, key: str) -> str:
    url = first(name).url
    if key == "base_url":
        parts = urlsplit(url)
        host = parts.netloc.replace("localhost", "127.0.0.1")
        return f"{parts.scheme}://{host}"
    return url


def variable(key: str) -> str:
    """Return the environment variable that holds a secret of the test."""
    return f"ZOO_{key.upper()}"


def secrets_of(name: str) -> dict[str, str]:
    """Return the environment of an endpoint's secrets."""
    return {variable(key): value for key, value in values_of(name).items()}


class Rerouted:
    """The real transport, with requests to a vendor sent to this machine's server instead."""

    def __init__(self, inner: Transport, zoo: Zoo) -> None:
        self.inner, self.zoo = inner, zoo

    def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
        """Send it to the server, which is told what it was called."""
        parts = urlsplit(request.url)
        self.zoo.server = f"{parts.scheme}://{parts.netloc}".replace(
            "//127.0.0.1:18080", "//localhost:18080"
        )
        there = f"https://{self.zoo.address}{request.url.partition(parts.netloc)[2]}"
        return self.inner.send(
            replace(request, url=there), replace(connection, ca_file=self.zoo.ca_file)
        )


class Keeping(App):
    """The program with a clock that stands still and one server for all hosts."""

    zoo: Zoo

    @cached_property
    def clock(self) -> Clock:
        """The test's clock."""
        return FakeClock(NOW)

    @cached_property
    def transport(self) -> Transport:
        """The real transport, by way of this machine."""
        return Rerouted(
            HttpTransport(
                self.environ, warn=self.terminal.print_warning, detail=self.terminal.print_detail
            ),
            self.zoo,
        )


def keep(name: str, zoo: Zoo, folder: Path, environ: Mapping[str, str]) -> Keeping:
    """Return the program with the endpoint's configuration, and let the server replay it."""
    path = folder / "config.toml"
    path.write_text(config_text(name, folder), encoding="utf-8")
    path.chmod(0o600)
    zoo.serve([first(name), *later(name)])
    app = Keeping(environ={**environ, **secrets_of(name), "TOKENCLI_CONFIG": str(path)})
    app.zoo = zoo
    return app
