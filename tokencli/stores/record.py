"""The token set at rest: versioned JSON, read strictly."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import NoReturn

from tokencli.model import Binding, ProofKey, Secret, StoredToken, TokenSet

VERSION = 1
"""The form written here; any other is a miss."""


def dump(stored: StoredToken) -> bytes:
    """Return the record as ASCII JSON; this is where the secrets of a token set leave `Secret`."""
    bound, token = stored.binding, stored.token
    record: dict[str, object] = {
        "version": VERSION,
        "binding": {
            "key": bound.key,
            "profile": bound.profile,
            "origin": bound.origin,
            "client_id": bound.client_id,
        },
        "token": {
            "access_token": token.access_token.reveal(),
            "token_type": token.token_type,
            "obtained_at": token.obtained_at,
            "expires_at": token.expires_at,
            "refresh_token": token.refresh_token.reveal()
            if token.refresh_token is not None
            else None,
            "id_token": token.id_token.reveal() if token.id_token is not None else None,
            "scope": token.scope,
            **({"margin": token.margin} if token.margin is not None else {}),
            **({"idle": token.idle} if token.idle is not None else {}),
            **(
                {"outputs": {name: value.reveal() for name, value in token.outputs.items()}}
                if token.outputs
                else {}
            ),
        },
    }
    # Members that most records do without, so that a version of the program before them reads those.
    if token.proof_key is not None:
        record["proof_key"] = {
            "key": token.proof_key.key.reveal(),
            "nonce": token.proof_key.nonce,
        }
    if stored.subject:
        record["subject"] = stored.subject
    return json.dumps(record, separators=(",", ":")).encode("ascii")


def parse(data: bytes) -> StoredToken:
    """Return the token set in `data`.

    Raises:
        ValueError: another version, or not what `dump` writes. Nothing of `data` is quoted.
    """
    try:
        record = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(record, dict) or record.get("version") != VERSION:
        raise ValueError("not a token set of this version")
    bound, token = _part(record, "binding"), _part(record, "token")
    return StoredToken(
        Binding(
            key=_text(bound, "key"),
            profile=_text(bound, "profile"),
            origin=_text(bound, "origin"),
            client_id=_text(bound, "client_id"),
        ),
        TokenSet(
            access_token=Secret(_text(token, "access_token")),
            token_type=_text(token, "token_type"),
            obtained_at=_time(token, "obtained_at"),
            expires_at=None if token.get("expires_at") is None else _time(token, "expires_at"),
            refresh_token=_secret(token, "refresh_token"),
            id_token=_secret(token, "id_token"),
            scope=None if token.get("scope") is None else _text(token, "scope"),
            margin=None if token.get("margin") is None else _time(token, "margin"),
            idle=None if token.get("idle") is None else _time(token, "idle"),
            outputs=_outputs(token),
            proof_key=_proof_key(record),
        ),
        subject=_text(record, "subject") if "subject" in record else "",
    )


def _proof_key(record: Mapping[str, object]) -> ProofKey | None:
    if "proof_key" not in record:
        return None
    part = _part(record, "proof_key")
    nonce = None if part.get("nonce") is None else _text(part, "nonce")
    return ProofKey(Secret(_text(part, "key")), nonce)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _part(record: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = record.get(name)
    if not isinstance(part, dict):
        raise ValueError(f"no {name}")
    return part


def _text(part: Mapping[str, object], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return value


def _secret(part: Mapping[str, object], name: str) -> Secret | None:
    return Secret(_text(part, name)) if part.get(name) not in (None, "") else None


def _outputs(token: Mapping[str, object]) -> dict[str, Secret]:
    if token.get("outputs") is None:
        return {}
    found = _part(token, "outputs")
    return {name: Secret(_text(found, name)) for name in found}


def _time(part: Mapping[str, object], name: str) -> float:
    value = part.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is not a number")
    try:
        seconds = float(value)
    except OverflowError:
        raise ValueError(f"{name} is out of range") from None
    if not isfinite(seconds):
        raise ValueError(f"{name} is not a time")
    return seconds
