"""Throw-away keys and certificates for the servers and their clients."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

PASSPHRASE = "canary-passphrase-4c1d"

KINDS: dict[str, Any] = {
    "RS256": lambda: RSAKey.generate_key(2048),
    "PS256": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "ES384": lambda: ECKey.generate_key("P-384"),
    "ES512": lambda: ECKey.generate_key("P-521"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
}
"""Algorithm -> a fresh key for it."""


@dataclass(frozen=True)
class Keys:
    """A CA, a server's and a client's certificate, and one signing key per algorithm."""

    CLIENT_NAME: ClassVar[str] = "client.example.com"

    folder: Path
    signing: dict[str, Any]

    @classmethod
    def made_in(cls, folder: Path) -> "Keys":
        """Create everything in `folder`, private keys with mode 0600."""
        ca = trustme.CA()
        ca.cert_pem.write_to_path(folder / "ca.pem")
        server = ca.issue_cert("127.0.0.1", "::1", "localhost")
        client = ca.issue_cert(cls.CLIENT_NAME)
        for name, cert in {"server": server, "client": client}.items():
            _private(folder / f"{name}.key", cert.private_key_pem.bytes())
            chain = b"".join(blob.bytes() for blob in cert.cert_chain_pems)
            (folder / f"{name}.pem").write_bytes(chain)
        key = load_pem_private_key(client.private_key_pem.bytes(), password=None)
        lock = BestAvailableEncryption(PASSPHRASE.encode())
        _private(
            folder / "client-encrypted.key",
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock),
        )
        made = cls(folder, {alg: make() for alg, make in KINDS.items()})
        for alg, signer in made.signing.items():
            _private(made.path(alg), signer.as_pem(private=True))
            public = made.folder / f"{alg}.pub.pem"
            public.write_bytes(signer.as_pem(private=False))
        return made

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def server_cert(self) -> Path:
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"

    @property
    def client_cert(self) -> Path:
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"

    @property
    def encrypted_client_key(self) -> Path:
        """The client's key, encrypted with PASSPHRASE."""
        return self.folder / "client-encrypted.key"

    def path(self, alg: str) -> Path:
        """Return the PEM file with the private key for that algorithm."""
        return self.folder / f"{alg}.key"

    def public_jwks(self) -> dict[str, Any]:
        """Return the public keys as a JWK Set; `kid` is the algorithm's name."""
        return {"keys": [self._jwk(alg, private=False) for alg in self.signing]}

    def private_jwks(self) -> dict[str, Any]:
        """Return the private keys as a JWK Set, for the server to sign with."""
        return {"keys": [self._jwk(alg, private=True) for alg in self.signing]}

    def jwks_text(self) -> str:
        """Return the public keys as JSON."""
        return json.dumps(self.public_jwks())

    def key_set(self) -> KeySet:
        """Return the private keys with their kid."""
        return KeySet.import_key_set(self.private_jwks())  # type: ignore[arg-type]

    def _jwk(self, alg: str, *, private: bool) -> dict[str, Any]:
        return {**self.signing[alg].as_dict(private=private), "kid": alg, "use": "sig", "alg": alg}


def _private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
