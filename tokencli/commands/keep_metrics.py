"""The metrics that `tokencli keep` writes, e.g. for node_exporter."""

from collections.abc import Mapping
from pathlib import Path

from tokencli.formats.open_metrics import render_exposition, render_metric
from tokencli.system.private_files import write_atomically

METRICS_MODE = 0o644
"""node_exporter runs as another user, and metrics are no secret."""
GAUGES = {
    "token_expiry_timestamp_seconds": "When the token in the file expires.",
    "last_success_timestamp_seconds": "When the file was last written.",
}
COUNTERS = {
    "renewals": "Tokens written to the file since the start.",
    "failures": "Failed attempts to get or write a token since the start.",
    "command_failures": "Failures of the command of --exec since the start.",
}
"""Name of a metric without its prefix -> its description."""
_PREFIX = "tokencli_keep_"


class KeepMetrics:
    """What one keeper counts, and the file with it, if there is one."""

    def __init__(self, path: Path | None) -> None:
        self.counts = dict.fromkeys(COUNTERS, 0)
        self.last_success: float | None = None
        """Epoch second at which the token was last written."""
        self._path = path
        self._written = ""

    def write(self, labels: Mapping[str, str], token_expiry: float | None) -> None:
        """Write the file if something has changed; raises StorageError."""
        if self._path is None:
            return
        text = self._render(labels, token_expiry)
        if text != self._written:
            self._written = text
            write_atomically(self._path, text.encode(), METRICS_MODE)

    def _render(self, labels: Mapping[str, str], token_expiry: float | None) -> str:
        values = {
            "token_expiry_timestamp_seconds": token_expiry,
            "last_success_timestamp_seconds": self.last_success,
        }
        lines = []
        for name, help in GAUGES.items():
            lines += render_metric(f"{_PREFIX}{name}", help, [(labels, values[name])])
        for name, help in COUNTERS.items():
            sample = (labels, self.counts[name])
            lines += render_metric(f"{_PREFIX}{name}", help, [sample], "counter")
        return render_exposition(lines)
