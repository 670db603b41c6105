"""The stored form of a token set: versioned JSON, parsed strictly."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import NoReturn

from tokencli.models import DpopKey, Secret, StoredTokenSet, TokenBinding, TokenSet

RECORD_VERSION = 1
"""Records of another version are ignored."""


def dump_record(stored: StoredTokenSet) -> bytes:
    """Return the record as ASCII JSON, with the secrets in plain text."""
    bound, token = stored.binding, stored.token
    record: dict[str, object] = {
        "version": RECORD_VERSION,
        "binding": {
            "key": bound.key,
            "profile": bound.profile,
            "origin": bound.origin,
            "client_id": bound.client_id,
            **({"receivers": bound.receivers} if bound.receivers else {}),
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
            **(
                {"refresh_issued_at": token.refresh_issued_at}
                if token.refresh_issued_at is not None
                else {}
            ),
            **({"margin": token.margin} if token.margin is not None else {}),
            **({"idle": token.sliding_lifetime} if token.sliding_lifetime is not None else {}),
            **({"clock_skew": token.clock_skew} if token.clock_skew is not None else {}),
            **({"unmet_min_ttl": token.unmet_min_ttl} if token.unmet_min_ttl is not None else {}),
            **(
                {"outputs": {name: value.reveal() for name, value in token.outputs.items()}}
                if token.outputs
                else {}
            ),
        },
    }
    # Left out if empty, so that older versions of the program can read most records.
    if token.dpop_key is not None:
        record["proof_key"] = {
            "key": token.dpop_key.private_jwk.reveal(),
            "nonce": token.dpop_key.nonce,
        }
    if stored.subject_hash:
        record["subject"] = stored.subject_hash
    return json.dumps(record, separators=(",", ":")).encode("ascii")


def parse_record(data: bytes) -> StoredTokenSet:
    """Return the token set in `data`.

    Raises:
        ValueError: another version, or not what `dump_record` writes. Nothing of `data` is quoted.
    """
    try:
        record = json.loads(data, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(record, dict) or record.get("version") != RECORD_VERSION:
        raise ValueError("not a token set of this version")
    bound, token = _read_object(record, "binding"), _read_object(record, "token")
    return StoredTokenSet(
        TokenBinding(
            key=_read_text(bound, "key"),
            profile=_read_text(bound, "profile"),
            origin=_read_text(bound, "origin"),
            client_id=_read_text(bound, "client_id"),
            receivers=_read_receivers(bound),
        ),
        TokenSet(
            access_token=Secret(_read_text(token, "access_token")),
            token_type=_read_text(token, "token_type"),
            obtained_at=_read_number(token, "obtained_at"),
            expires_at=_read_optional_number(token, "expires_at"),
            refresh_token=_read_secret(token, "refresh_token"),
            refresh_issued_at=_read_optional_number(token, "refresh_issued_at"),
            id_token=_read_secret(token, "id_token"),
            scope=None if token.get("scope") is None else _read_text(token, "scope"),
            margin=_read_optional_number(token, "margin"),
            sliding_lifetime=_read_optional_number(token, "idle"),
            clock_skew=_read_optional_number(token, "clock_skew"),
            unmet_min_ttl=_read_optional_number(token, "unmet_min_ttl"),
            outputs=_read_outputs(token),
            dpop_key=_read_proof_key(record),
        ),
        subject_hash=_read_text(record, "subject") if "subject" in record else "",
    )


def _read_proof_key(record: Mapping[str, object]) -> DpopKey | None:
    if "proof_key" not in record:
        return None
    part = _read_object(record, "proof_key")
    nonce = None if part.get("nonce") is None else _read_text(part, "nonce")
    return DpopKey(Secret(_read_text(part, "key")), nonce)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _read_object(record: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = record.get(name)
    if not isinstance(part, dict):
        raise ValueError(f"no {name}")
    return part


def _read_text(part: Mapping[str, object], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return value


def _read_receivers(bound: Mapping[str, object]) -> tuple[str, ...]:
    receivers = bound.get("receivers", [])
    if not isinstance(receivers, list) or not all(isinstance(each, str) for each in receivers):
        raise ValueError("receivers is not a list of texts")
    return tuple(receivers)


def _read_secret(part: Mapping[str, object], name: str) -> Secret | None:
    return Secret(_read_text(part, name)) if part.get(name) not in (None, "") else None


def _read_outputs(token: Mapping[str, object]) -> dict[str, Secret]:
    if token.get("outputs") is None:
        return {}
    outputs = _read_object(token, "outputs")
    return {name: Secret(_read_text(outputs, name)) for name in outputs}


def _read_optional_number(part: Mapping[str, object], name: str) -> float | None:
    return None if part.get(name) is None else _read_number(part, name)


def _read_number(part: Mapping[str, object], name: str) -> float:
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
