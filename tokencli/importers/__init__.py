"""Read requests that other tools keep: curl, HAR, Postman, Bruno, OpenCollection, OpenAPI.

One module per format; `files` is the table of them. Each yields a `Seen` or a `Server` (see `seen`).
"""

from tokencli.importers.curl import parse_curl as parse_curl
from tokencli.importers.recording import parse_file as parse_file
from tokencli.importers.recording import parse_folder as parse_folder
