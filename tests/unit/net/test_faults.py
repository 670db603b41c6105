"""The transport with each row of the table of faults."""

import time

import pytest

from tests.faults.table import FAULTS, Fault, serve
from tokencli.errors import TokencliError, UnreachableError
from tokencli.models import Connection, HttpReply, HttpRequest, Secret
from tokencli.net.transport import HttpTransport

TIMEOUT_S = 5.0
SHORT_TIMEOUT_S = 0.5
"""For faults that end by a timeout."""
SLACK_S = 1.0
PASSWORD = "canary-password-7f3a"
BASIC = "Y2FuYXJ5LWNsaWVudDpjYW5hcnktc2VjcmV0LTdmM2E="
QUERY = "canary-query-7f3a"


def post(url: str, *, retry: bool = False) -> HttpRequest:
    """Return a token request with canaries in all its parts."""
    return HttpRequest(
        "POST",
        f"{url}?api_key={QUERY}",
        {
            "Authorization": f"Basic {BASIC}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        f"grant_type=password&password={PASSWORD}".encode(),
        secrets=(Secret(PASSWORD), Secret(BASIC), Secret(QUERY)),
        is_retry_safe=retry,
    )


@pytest.mark.requirement(8)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_each_fault_ends_in_time_with_one_clear_error(
    fault: Fault, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each fault ends within the deadline plus a second, as its row says, and shows no secret."""
    said: list[str] = []
    transport = HttpTransport({}, said.append, said.append)
    error: TokencliError | None = None
    reply: HttpReply | None = None
    timeout = SHORT_TIMEOUT_S if fault.error and fault.error.code == "timeout" else TIMEOUT_S
    with serve(fault) as served:
        started = time.monotonic()
        try:
            reply = transport.send(
                post(served.url), Connection(timeout, ca_file=str(served.ca_file))
            )
            error = reply.defect
        except TokencliError as raised:
            error = raised
        took = time.monotonic() - started
    assert took <= timeout + SLACK_S
    assert fault.error == (type(error) if error else None)
    assert len(served.counters.requests) <= fault.requests
    assert served.counters.connections <= fault.connections
    if served.other:
        assert served.other.counters.connections == 0
    if error:
        assert error.fix or error.cause
        assert fault.says in error.message
        assert "127.0.0.1" in error.message or "idp.example" in error.message
        said += [error.message, error.fix or ""]
        if isinstance(error, UnreachableError) and served.counters.requests:
            assert error.request_sent
    if reply:
        assert fault.status == reply.status
    else:
        assert error and error.__suppress_context__
    for text in said:
        assert "\n" not in text
        for canary in (PASSWORD, BASIC, QUERY, "canary-issued"):
            assert canary not in text
    assert capfd.readouterr() == ("", "")


def test_fault_names_are_unique() -> None:
    """No two rows have the same name, so that a failure identifies one."""
    names = [fault.name for fault in FAULTS]
    assert sorted(set(names)) == sorted(names)
