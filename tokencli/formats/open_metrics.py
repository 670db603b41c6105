"""Metrics as OpenMetrics 1.0 text, which is valid in Prometheus's own text format as well."""

from collections.abc import Iterable, Mapping
from typing import Literal

from tokencli.sanitize import sanitize_text


def render_metric(
    name: str,
    help: str,
    samples: Iterable[tuple[Mapping[str, str], float | None]],
    kind: Literal["gauge", "counter"] = "gauge",
) -> list[str]:
    """Return the lines of a metric: its description, and a sample for each set of labels.

    A value that is None is unknown, so it has no sample. A counter's samples have the name with
    `_total`.
    """
    unit = [f"# UNIT {name} seconds"] if name.endswith("_seconds") else []
    lines = [f"# TYPE {name} {kind}", *unit, f"# HELP {name} {help}"]
    sample_name = f"{name}_total" if kind == "counter" else name
    for labels, value in samples:
        if value is not None:
            lines.append(f"{sample_name}{_render_labels(labels)} {_format_number(value)}")
    return lines


def render_exposition(lines: Iterable[str]) -> str:
    """Return the lines of all metrics as a complete text."""
    return "\n".join([*lines, "# EOF", ""])


def _render_labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{key}="{_escape_label(value)}"' for key, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escape_label(text: str) -> str:
    return sanitize_text(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _format_number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
