"""A Kubernetes Secret: `tokencli export --format k8s | kubectl apply -f -` (JSON is also YAML)."""

import json

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variables


def render(variables: Variables) -> str:
    """Return a Secret named after the first variable: `access-token` for ACCESS_TOKEN."""
    checked = check_variables(variables, "k8s")
    name = checked[0][0].lower().replace("_", "-").strip("-") if checked else ""
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name or "token"},
        "type": "Opaque",
        "stringData": dict(checked),
    }
    return json.dumps(manifest, ensure_ascii=True, indent=2) + "\n"


DIALECT = Dialect(render)
