"""Tokens to decode: the three in Screening Eagle's documentation, and generated ones."""

import json
from base64 import urlsafe_b64encode

ACCESS = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJhdWQiOiJpbnRlZ3JhdGlvbi1kZXYtVk5aUXFEdDRIdiIsImV4cCI6MTcxNjQ2NjIxOCwianRpIjoiYjc4N2FiMTUt"
    "NDgxNS00MTFmLTkzYjctYzc5YWIxNWYwZDg3IiwiaWF0IjoxNzE1ODYxNDE4LCJpc3MiOiJTY3JlZW5pbmcgRWFnbGUg"
    "SUQiLCJzdWIiOiIxMzAyIiwic2NwIjoib3BlbmlkIGVtYWlsIHByb2ZpbGUgaW5zcGVjdCIsInNjb3BlcyI6WyJ1c2Vy"
    "Il0sInVzZXJJRCI6MTMwMiwidXNlclJlZ2lvbiI6IlNHIn0."
    "zsN5ys3qdmcJmJwzZHR9c9LC92KPTh2-NaliF2eSHFc"
)
IDENTITY = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJhdWQiOiJpbnRlZ3JhdGlvbi1kZXYtVk5aUXFEdDRIdiIsImV4cCI6MTcxNjQ2NjIxOCwiaWF0IjoxNzE1ODYxNDE4"
    "LCJpc3MiOiJTY3JlZW5pbmcgRWFnbGUgSUQiLCJzdWIiOiIxMzAyIiwiZW1haWwiOiJ0ZXN0QHNjcmVlbmluZ2VhZ2xl"
    "LmNvbSIsImVtYWlsX3ZlcmlmaWVkIjp0cnVlLCJuYW1lIjoiVGVzdCBVc2VyIiwiZmlyc3RfbmFtZSI6IlRlc3QiLCJs"
    "YXN0X25hbWUiOiJVc2VyIiwiY291bnRyeV9jb2RlIjoiU0ciLCJwaWN0dXJlIjoiaHR0cHM6Ly9pZC1kZXYuc2NyZWVu"
    "aW5nZWFnbGUuY29tL2FwaS92MS91c2VyLzEzMDIvcGljdHVyZS8iLCJ1cGRhdGVkX2F0IjoxNzI1ODQ2Mzc4fQ."
    "rQrkAyINhdV9E8SFmXvZv8v6gmCpokgmVwZFDU_ox28"
)
REFRESH = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJhdWQiOiJpbnRlZ3JhdGlvbi1kZXYtVk5aUXFEdDRIdiIsImV4cCI6MTcyMTQxMzUzOSwianRpIjoiY2YyNzdhMWUt"
    "YTRlNC00ODAzLTgzZmYtNDM5N2MzYzdhZWY0IiwiaWF0IjoxNzA1ODYxNTM5LCJpc3MiOiJTY3JlZW5pbmcgRWFnbGUg"
    "SUQiLCJzdWIiOiIxNDEzIiwic2NwIjoib3BlbmlkIGVtYWlsIHByb2ZpbGUgb2ZmbGluZSJ9."
    "IkZRvpIzQ5nr3xOhYWpEHrPkw0X-QWTHA75IAbM8ZLM"
)
EXPIRED_AT = 1716466218
"""exp of ACCESS and IDENTITY: 2024-05-23 12:10:18 UTC."""


def part(value: object) -> str:
    """Return JSON, or the given bytes, in base64url."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(claims: object, header: object = None, signature: str = "c2lnbmF0dXJl") -> str:
    """Return a JWT with an arbitrary signature."""
    head = {"alg": "RS256", "typ": "JWT"} if header is None else header
    return f"{part(head)}.{part(claims)}.{signature}"
