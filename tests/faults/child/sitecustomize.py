"""Read at the start of a Python that has this folder on its PYTHONPATH."""

import os

if kind := os.environ.get("FAULT_RESOLVER"):
    from fault_resolver import install

    install(kind)
