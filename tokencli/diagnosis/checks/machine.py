"""Checks of this machine, which don't depend on a profile."""

from tokencli.diagnosis.checks import Outcome, Subject, failed, failed_by, passed, skipped, warned
from tokencli.errors import ConfigProblem, KeyringError
from tokencli.humanize import humanize_relative_time
from tokencli.machine import ShellAddition
from tokencli.models import Profile
from tokencli.problems import count_problems

MAX_PROBLEMS_SHOWN = 3


def check_configuration(subject: Subject) -> Outcome:
    """Judge the configuration file: it is there, readable and valid, and only you can change it."""
    config, error = subject.config, subject.config_error
    if error is not None or config is None:
        assert error is not None, "there is a configuration or an error"
        detail = "; ".join((error.message, *list_problems(error.problems)))
        return Outcome("failed", detail, error.cause, error.fix)
    if problems := config.find_problems():
        invalid = config.invalid_config_error()
        detail = "; ".join((invalid.message, *list_problems(problems)))
        return failed(detail, fix=invalid.fix)
    if not config.profile_names():
        missing = config.no_profile_error()
        return failed(missing.message, cause=missing.cause, fix=missing.fix)
    if config.warnings:
        warning = config.warnings[0]
        return warned(warning.problem, fix=warning.command)
    count = len(config.profile_names())
    detail = f"{config.path}, {count} profile{'' if count == 1 else 's'}"
    if not subject.checked_profiles:
        return warned(
            f"{detail}, none of which was checked, because none was named and there is no default",
            fix="tokencli doctor --all",
        )
    return passed(detail)


def list_problems(problems: tuple[ConfigProblem, ...]) -> list[str]:
    """Describe the first problems, each with its line, and count the others."""
    shown = [_describe_problem(problem) for problem in problems[:MAX_PROBLEMS_SHOWN]]
    more = problems[MAX_PROBLEMS_SHOWN:]
    return [*shown, f"{count_problems(more)} more"] if more else shown


def _describe_problem(problem: ConfigProblem) -> str:
    line = f"line {problem.line}: " if problem.line else ""
    where = f"{problem.where} " if problem.where else ""
    right = f" ({problem.right})" if problem.right else ""
    return f"{line}{where}{problem.what}{right}"


def check_environment(subject: Subject) -> Outcome:
    """Tell what is different here from a user's own terminal."""
    remarks = subject.ctx.describe_surroundings().remarks
    return passed("; ".join(remarks) or "nothing unusual")


def check_permissions(subject: Subject) -> Outcome:
    """Judge the directories for state and for data in memory."""
    reports = list(subject.ctx.inspect_directories())
    for report in reports:
        if report.error is not None:
            return failed_by(report.error)
    parts = []
    for report in reports:
        place = report.path or "none"
        missing = "" if report.exists or report.path is None else ", which will be created"
        remark = f" ({report.remark})" if report.remark else ""
        parts.append(f"{report.purpose}: {place}{missing}{remark}")
    return passed("; ".join(parts))


def check_keyring(subject: Subject) -> Outcome:
    """Store an item in the OS keyring, read it and delete it."""
    config = subject.config
    if config is not None and config.isolated:
        return skipped("the configuration sets isolated = true, so the keyring is not used")
    try:
        report = subject.ctx.test_keyring()
    except KeyringError as error:
        if any(map(needs_keyring, subject.checked_profiles)):
            return failed_by(error)
        needless = "none of the checked profiles needs it" if subject.checked_profiles else None
        return warned(error.message, cause=needless or error.cause, fix=error.fix)
    if not report.is_tested:
        return passed(
            f"{report.backend}, unlocked; nothing was stored, because it asks before each change"
        )
    return passed(
        f"{report.backend}, unlocked; an item was stored, read and deleted in"
        f" {report.seconds * 1000:.0f} ms"
    )


def needs_keyring(profile: Profile) -> bool:
    """Tell whether the profile can't be used without the OS keyring."""
    return profile.store == "keyring" or any(
        ref.kind == "keyring" for ref in profile.secrets.values()
    )


def check_event_log(subject: Subject) -> Outcome:
    """Read the event log."""
    if subject.config is None:
        return skipped("the configuration says whether there is one")
    log = subject.ctx.event_log
    if not log.enabled:
        return passed("off (event_log = false)")
    count, last = 0, None
    for event in log.read():
        count, last = count + 1, event
    if last is None:
        return passed("on, and still empty")
    ago = humanize_relative_time(last.time, subject.ctx.clock.now())
    return passed(f"{count} event{'' if count == 1 else 's'}, the last one {ago}")


def check_hook(subject: Subject) -> Outcome:
    """Tell whether the user's shell loads the hook."""
    return _judge_addition(subject.ctx.inspect_shell_addition("hook"), "hook")


def check_completion(subject: Subject) -> Outcome:
    """Tell whether completion is installed for the user's shell, and is current."""
    return _judge_addition(subject.ctx.inspect_shell_addition("completion"), "completion")


def _judge_addition(addition: ShellAddition, what: str) -> Outcome:
    if addition.shell is None:
        return skipped("SHELL is not set, so your shell is unknown")
    if not addition.is_supported:
        return skipped(f"there is no {what} for {addition.shell}")
    if addition.path is None:
        return Outcome(
            "skipped",
            f"not installed in {addition.shell}; see `tokencli {what} --help`",
            fix=addition.install_command,
        )
    if addition.is_current is False:
        return warned(
            f"{addition.path} is of another version of tokencli", fix=addition.install_command
        )
    loaded = "" if addition.is_loaded is None else ", and this shell has loaded it"
    if addition.is_loaded is False:
        loaded = ", but the shell that runs this command hasn't loaded it; start a new one"
    return passed(f"{addition.shell}: {addition.path}{loaded}")
