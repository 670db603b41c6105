"""Read requests that other tools keep: curl, HAR, Postman, Bruno, OpenCollection, OpenAPI.

One module per format; `files` is the table of them. Each yields a `Seen` or a `Server` (see `seen`).
"""

from tokencli.providers.recorded.curl import from_curl as from_curl
from tokencli.providers.recorded.files import from_file as from_file
from tokencli.providers.recorded.files import from_folder as from_folder
