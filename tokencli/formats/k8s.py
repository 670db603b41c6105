"""A Kubernetes Secret: `tokencli export --format k8s | kubectl apply -f -` (JSON is YAML, too)."""

import json

from tokencli.formats import Dialect, Variables
from tokencli.formats.value_checks import check_variables


def render(variables: Variables) -> str:
    """Return a Secret that is named after the first variable: ACCESS_TOKEN gives `access-token`."""
    done = check_variables(variables, "k8s")
    name = done[0][0].lower().replace("_", "-").strip("-") if done else ""
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name or "token"},
        "type": "Opaque",
        "stringData": dict(done),
    }
    return json.dumps(manifest, ensure_ascii=True, indent=2) + "\n"


DIALECT = Dialect(render)
