"""`tokencli why`: gather evidence about a call that fails, and print its causes."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.options import (
    CommonOptions,
    JsonOption,
    ProfileOption,
    common_options,
    select_profile_name,
)
from tokencli.errors import UsageError, add_config

if TYPE_CHECKING:
    from tokencli.diagnosis.api_call import ApiCall
    from tokencli.diagnosis.fresh_token import FreshTokenPlan


@common_options()
def why(
    common: CommonOptions,
    first: Annotated[
        str | None,
        typer.Argument(
            metavar="PROFILE | -",
            help="Profile whose stored token fails, or - for a token on stdin.",
            show_default=False,
        ),
    ] = None,
    second: Annotated[
        str | None,
        typer.Argument(metavar="URL", help="What was called. It is called again, with the token."),
    ] = None,
    profile_option: ProfileOption = None,
    method: Annotated[
        str | None, typer.Option("--request", "-X", metavar="METHOD", help="Method of the call.")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="LINE", help="Header of the call; repeatable."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="DATA",
            help="Body of the call, or @FILE; POST unless -X is given.",
        ),
    ] = None,
    curl: Annotated[
        str | None,
        typer.Option(
            "--curl",
            metavar="FILE",
            help="A curl command that fails, in a file; - reads it from stdin.",
        ),
    ] = None,
    response: Annotated[
        str | None,
        typer.Option(
            "--response",
            metavar="FILE",
            help="A saved reply, as curl -i or -v prints it, or a HAR file; - reads stdin. Nothing is sent"
            " to the API.",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Send nothing.")] = False,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Get a fresh token and try it beside the one that fails."),
    ] = False,
    introspect: Annotated[
        bool,
        typer.Option(
            "--introspect",
            help="Introspect the token even if a prompt or a program supplies the client's secret.",
        ),
    ] = False,
    resend: Annotated[
        bool,
        typer.Option(
            "--resend",
            help="Send a pasted request again even if its method may change something, e.g. POST.",
        ),
    ] = False,
    code: Annotated[
        str | None,
        typer.Option(
            "--code",
            metavar="CODE",
            help="Explain a provider's error code, e.g. AADSTS50126, or the message with it; - reads stdin.",
        ),
    ] = None,
    json_output: JsonOption = False,
) -> int:
    """Say why a call with a token fails.

    The call is made again, with the token of the profile, and the issuer is asked about the token.
    What was found out is compared with what usually goes wrong: the causes are printed with their
    evidence, the most likely first, and with the command that helps. The token goes only to the
    server in the URL and to the one that issued it, over https, and never along a redirect.

    \b
    tokencli why corp https://api.example.com/orders
    tokencli why https://api.example.com/orders -X POST -d @order.json
    pbpaste | tokencli why - https://api.example.com/orders --profile corp
    tokencli why --code AADSTS7000215
    pbpaste | tokencli why --curl -
    tokencli why corp --response reply.txt
    """
    from tokencli.commands.why_input import WhyArguments, build_investigation
    from tokencli.commands.why_view import diagnosis_to_dict, render_diagnosis
    from tokencli.diagnosis.causes import exit_code, rank_causes
    from tokencli.diagnosis.gather import Gatherer
    from tokencli.formats.json import dump_json_line

    app = App(common)
    if code is not None:
        from tokencli.commands.why_code import explain_codes

        if second is not None or method or header or data is not None or curl or response:
            raise UsageError("--code takes no call", cause="it explains a code, and sends nothing")
        explain_codes(
            app, code, select_profile_name(first, profile_option), json_output=json_output
        )
        return 0
    given = WhyArguments(
        first,
        second,
        profile_option,
        method,
        header or (),
        data,
        curl,
        response,
        offline,
        introspect,
        resend,
    )
    gatherer = Gatherer(build_investigation(app, given), app)
    evidence = gatherer.gather()
    findings = rank_causes(evidence)
    plan = gatherer.plan_fresh_token()
    if plan is not None and (probe or findings[0].confidence != "certain"):
        if _may_try_fresh_token(app, plan, gatherer.given.call, is_requested=probe):
            evidence = gatherer.add_fresh_token(evidence, plan)
            findings = rank_causes(evidence)
        else:
            evidence = gatherer.leave_fresh_token_open(evidence, plan)
    if (config := app.options.config) is not None:
        findings = tuple(
            replace(finding, fix=finding.fix and add_config(finding.fix, config))
            for finding in findings
        )
    if json_output:
        output.write_stdout(dump_json_line(diagnosis_to_dict(findings, evidence)))
    else:
        output.write_stdout(render_diagnosis(findings, evidence))
    return exit_code(findings)


def _may_try_fresh_token(
    app: App, plan: "FreshTokenPlan", call: "ApiCall | None", *, is_requested: bool
) -> bool:
    """Tell whether to try a fresh token; in a terminal, the user is asked unless --probe was given."""
    if plan.way == "sign_in":
        return False
    if is_requested:
        if plan.way != "grant":
            app.terminal.print_note(f"getting a fresh token: {plan.cost}")
        return True
    cost, is_safe = plan.cost, call is None or call.is_safe
    if call is not None and not is_safe:
        cost += f"; the {call.method} is sent again, and may take effect"
    return app.terminal.interactive and app.terminal.ask_yes_no(
        f"Get a fresh token and try it? ({cost})",
        default=plan.way == "grant" and is_safe,
        help="If a fresh token is accepted, something is wrong with the old one. If it is refused as"
        " well, the cause lies elsewhere.",
    )
