"""What differs between operating systems: one class for each, chosen once.

Other modules ask `current()` instead of `sys.platform`; `tests/test_architecture.py` lists exceptions.
"""

import sys

TYPE_CHECKING = False  # a warm `get` on Windows imports this
if TYPE_CHECKING:
    from tokencli.platforms.platform import Platform


def select_platform(name: str) -> "Platform":
    """Return the platform with this `sys.platform`; an unknown one is treated as Linux."""
    if name == "win32":
        from tokencli.platforms.windows import Windows

        return Windows()
    if sys.platform != "win32":  # the others need modules that Windows doesn't have
        if name == "darwin":
            from tokencli.platforms.macos import MacOS

            return MacOS()
        from tokencli.platforms.linux import Linux

        return Linux()
    raise ValueError(name)


PLATFORM: "Platform | None" = None
"""The platform of this process, once it has been asked for; tests replace it by another one."""


def current() -> "Platform":
    """Return the platform of this process."""
    global PLATFORM
    if PLATFORM is None:
        PLATFORM = select_platform(sys.platform)
    return PLATFORM
