"""The options that every command has, as arguments of a command line."""

from typing import get_args

from tokencli.commands.options import build_option_parameters

VALUES = {"FILE": "/nonexistent/c.toml", "DURATION": "30s"}
"""Metavariable -> a valid value."""
NOT_ON_ALL_COMMANDS = ("lock_timeout",)


def common_option_arguments() -> list[str]:
    """Return every spelling of each option that all commands have, with values."""
    arguments: list[str] = []
    for parameter in build_option_parameters():
        if parameter.name in NOT_ON_ALL_COMMANDS:
            continue
        option = get_args(parameter.annotation)[1]
        for spelling in option.param_decls:
            arguments.append(spelling)
            if option.metavar is not None:
                arguments.append(VALUES[option.metavar])
    return arguments
