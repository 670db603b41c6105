"""AWS SDKs with temporary credentials: botocore, against a server that behaves like STS."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import CredentialRetrievalError

from tests.e2e.consumers.expiries import EXPIRIES, set_lifetime
from tests.e2e.consumers.token_server import TokenHandler, TokenServer, serve
from tokencli.sandbox.server import Sandbox

TOKENCLI = Path(sys.executable).with_name("tokencli")
PAGE = Path(__file__).parents[3] / "tokencli" / "manual" / "aws.md"
ROLE = "arn:aws:iam::123456789012:role/deploy"
pytestmark = pytest.mark.long


class StsHandler(TokenHandler):
    """AssumeRoleWithWebIdentity, and GetCallerIdentity with the credentials that it issues."""

    def do_POST(self) -> None:
        """Answer an action of STS in XML."""
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: value for name, (value, *_) in parse_qs(body).items()}
        issued, lifetime = vars(server)["issued"], vars(server)["lifetime"]
        if form["Action"] == "AssumeRoleWithWebIdentity":
            if not server.accepts(form["WebIdentityToken"]) or form["RoleArn"] != ROLE:
                return self._refuse("InvalidIdentityToken")
            issued.append(time.time())
            number, expiry = len(issued), datetime.fromtimestamp(time.time() + lifetime, UTC)
            return self._answer(
                "AssumeRoleWithWebIdentity",
                f"<Credentials><AccessKeyId>canary-id-{number}</AccessKeyId>"
                f"<SecretAccessKey>canary-key-{number}</SecretAccessKey>"
                f"<SessionToken>canary-session-{number}</SessionToken>"
                f"<Expiration>{expiry:%Y-%m-%dT%H:%M:%S.%fZ}</Expiration></Credentials>"
                f"<AssumedRoleUser><Arn>{ROLE}</Arn><AssumedRoleId>A:t</AssumedRoleId></AssumedRoleUser>",
            )
        used = re.search(r"Credential=canary-id-(\d+)/", self.headers["Authorization"])
        number = int(used[1]) if used else 0
        is_fresh = number and time.time() < issued[number - 1] + lifetime
        if not is_fresh or self.headers["X-Amz-Security-Token"] != f"canary-session-{number}":
            return self._refuse("ExpiredToken")
        return self._answer("GetCallerIdentity", f"<Arn>{ROLE}</Arn><Account>{number}</Account>")

    def _answer(self, action: str, text: str) -> None:
        self._send(
            200, f"<{action}Response><{action}Result>{text}</{action}Result></{action}Response>"
        )

    def _refuse(self, code: str) -> None:
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
        self._send(400, f"<ErrorResponse>{error}</ErrorResponse>")

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def sts(
    lasting_seconds: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TokenServer]:
    """Run STS, and let botocore use it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with serve(StsHandler, lasting_seconds, tmp_path) as server:
        vars(server)["lifetime"] = set_lifetime(lasting_seconds, 6)
        vars(server)["issued"] = []
        monkeypatch.setenv("AWS_CA_BUNDLE", server.ca_file)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield server


def call_until_expired(server: TokenServer) -> None:
    """Call an AWS service with one client until its credentials have expired three times."""
    client = botocore.session.get_session().create_client(
        "sts", config=Config(retries={"total_max_attempts": 1})
    )
    issued, lifetime = vars(server)["issued"], vars(server)["lifetime"]
    accounts = set()
    while len(issued) <= EXPIRIES or time.time() < issued[EXPIRIES - 1] + lifetime:
        accounts.add(client.get_caller_identity()["Account"])
        time.sleep(0.05)
    assert len(accounts) > EXPIRIES
    assert set(server.statuses) == {200}


def configure_process(server: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure tokencli and AWS as the manual's page says."""
    directory, page = server.directory, PAGE.read_text()
    config = page.split("```toml\n")[1].split("```")[0]
    subject = ", ".join(
        f'"{word}"' for word in (TOKENCLI, "get", "oauth2", "--config", server.sandbox.config_file)
    )
    config = config.replace("https://sts.{region}.amazonaws.com/", f"{server.url}/")
    config = config.replace('"tokencli", "get", "corp"', subject)
    path = directory / "config.toml"
    path.write_text(
        f'state_dir = "{directory / "state"}"\n{config}ca_file = "{server.ca_file}"\nstore = "file"\n'
    )
    path.chmod(0o600)
    aws = directory / "aws"
    block = page.split("```ini\n")[1].split("```")[0]
    words = f"get aws --config {path} --min-ttl {vars(server)['lifetime'] // 2}"
    aws.write_text(block.replace("tokencli get aws", f"{TOKENCLI} {words}"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(aws))
    monkeypatch.setenv("AWS_PROFILE", "deploy")


def test_credential_process(sts: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One client runs on while its credentials and their tokens expire."""
    configure_process(sts, monkeypatch)
    call_until_expired(sts)


def test_credential_process_shows_why_it_failed(
    sts: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's exception has tokencli's error."""
    configure_process(sts, monkeypatch)
    config = Path(os.environ["AWS_CONFIG_FILE"])
    config.write_text(config.read_text().replace("get aws", "get absent"))
    with pytest.raises(CredentialRetrievalError, match="there is no profile 'absent'"):
        botocore.session.get_session().create_client("sts").get_caller_identity()


def test_web_identity_token_file(sts: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK trades the token in a file that `keep` keeps fresh."""
    file = sts.directory / "aws-token"
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    keeper = subprocess.Popen([TOKENCLI, "keep", "oauth2", "--to", file])
    try:
        deadline = time.monotonic() + 30
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        call_until_expired(sts)
    finally:
        keeper.terminate()
        keeper.wait(30)
