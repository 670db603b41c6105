"""Find the configuration file."""

from collections.abc import Mapping
from pathlib import Path


def config_path(explicit: str | None, environ: Mapping[str, str]) -> Path:
    """Return the file that `--config`, else TOKENCLI_CONFIG, else the platform names."""
    named = explicit or environ.get("TOKENCLI_CONFIG")
    if named:
        return expand(named, Path.cwd())
    from platformdirs import user_config_path

    return user_config_path("tokencli", appauthor=False) / "config.toml"


def expand(written: str, base: Path) -> Path:
    """Expand `~` and stand a relative path on the folder `base`."""
    try:
        path = Path(written).expanduser()
    except RuntimeError:  # `~nobody`: no such user, so the name stands for itself
        path = Path(written)
    return base / path
