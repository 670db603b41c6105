"""The functions of Windows that tokencli calls; see `WindowsCalls` in `platforms/windows.py`.

The only module that needs Windows to be imported.
"""

import sys

assert sys.platform == "win32"


class WindowsApi:
    """Calls the functions themselves."""
