"""Commands that give a profile its secrets without the keyring, as far as they work on this machine."""

import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath

from tokencli.errors import SetupCommand
from tokencli.models import SecretRef
from tokencli.shell_words import quote, user_shell

_SECRETS_DIRECTORY = "~/.config/tokencli"


def list_setup_commands(
    refs: Sequence[SecretRef], environ: Mapping[str, str], *, edit: str, then: str, can_type: bool
) -> Iterator[SetupCommand]:
    """Yield a shell command for each source that these secrets of a profile can come from.

    It asks for the secrets, if the source stores them; changes the profile with the command `edit`;
    and runs `then`. If the user can't type, it is only the environment variable.
    """

    def finish(steps: Sequence[str], sources: Sequence[str]) -> str:
        options = (
            f"--secret {quote(f'{ref.name}={source}')}"
            for ref, source in zip(refs, sources, strict=True)
        )
        return user_shell().chain(*steps, " ".join((edit, *options)), then)

    shell = user_shell()
    variables = [default_variable(ref) for ref in refs]
    from_variables = [f"env:{variable}" for variable in variables]
    asking = [
        read_variable_command(environ, ref, variable)
        for ref, variable in zip(refs, variables, strict=True)
    ]
    if not can_type or None in asking:
        yield SetupCommand(
            f"the environment: set {' and '.join(variables)} for each run",
            finish((), from_variables),
        )
    if not can_type:
        return
    if shell.has_unix_tools:
        if _is_pass_ready(environ):
            entries = [f"tokencli/{ref.profile}/{ref.name}" for ref in refs]
            yield SetupCommand(
                "the password manager pass",
                finish(
                    [f"pass insert {shell.quote(entry)}" for entry in entries],
                    [f"command:pass show {shlex.quote(entry)}" for entry in entries],
                ),
            )
        files = [f"{_SECRETS_DIRECTORY}/{ref.profile}.{ref.name}" for ref in refs]
        yield SetupCommand(
            "files that only you can read",
            finish([write_files_command(refs, files)], [f"file:{file}" for file in files]),
        )
    if None not in asking:
        yield SetupCommand(
            "environment variables of this shell",
            finish([command for command in asking if command], from_variables),
        )
    yield SetupCommand("a prompt each time", finish((), ["prompt"] * len(refs)))


def default_variable(ref: SecretRef) -> str:
    """Return a name for an environment variable that holds the secret, e.g. `CORP_CLIENT_SECRET`."""
    variable = f"{ref.profile}_{ref.name}".upper()
    variable = "".join(char if char.isascii() and char.isalnum() else "_" for char in variable)
    return variable if variable[:1].isalpha() else f"TOKEN_{variable}"


def _is_pass_ready(environ: Mapping[str, str]) -> bool:
    """Tell whether `pass` is installed, and has a key to encrypt with."""
    if shutil.which("pass", path=environ.get("PATH")) is None:
        return False
    directory = environ.get("PASSWORD_STORE_DIR") or Path.home() / ".password-store"
    return Path(directory, ".gpg-id").is_file()


def write_files_command(refs: Sequence[SecretRef], files: Sequence[str]) -> str:
    """Return a command for any shell that asks for the secrets without echo and writes the files.

    Their directories are created, private, if they don't exist.
    """
    directories = " ".join(dict.fromkeys(_quote_path(PurePosixPath(file).parent) for file in files))
    reads = "; ".join(
        f'printf "{ref.name}: "; read -r s; echo; printf %s "$s" > {_quote_path(PurePosixPath(file))}'
        for ref, file in zip(refs, files, strict=True)
    )
    return "sh -c " + quote(
        f'umask 077; mkdir -p {directories}; trap "stty echo; exit 130" INT; stty -echo;'
        f" {reads}; stty echo"
    )


def _quote_path(path: PurePosixPath) -> str:
    """Quote a path for a shell, which still replaces a `~` at its beginning."""
    if path.parts[:1] == ("~",):
        return "/".join(("~", *map(shlex.quote, path.parts[1:])))
    return shlex.quote(str(path))


def read_variable_command(environ: Mapping[str, str], ref: SecretRef, variable: str) -> str | None:
    """Return a command for the user's shell that asks for the secret without echo and exports it.

    None if the shell can't ask without echo.
    """
    login_shell = PurePath(environ.get("SHELL", "")).name.removesuffix(".exe")
    return user_shell().ask_variable(variable, ref.name, login_shell)
