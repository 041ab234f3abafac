"""Signatures of Standard Webhooks: the receiver can tell who sent a delivery, when, and that nobody altered it."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping

from farm.notify.endpoint import Secret


def signed_headers(delivery_id: str, *, at_s: float, body: bytes, secrets: Iterable[Secret]) -> Mapping[str, str]:
    """The three headers of one attempt.

    Args:
        delivery_id: the same for every attempt, so that a receiver can tell a repetition.
        at_s: now, seconds since 1970: receivers refuse what is minutes old.
        secrets: each signs; while a secret is being replaced the receiver accepts whichever it knows.
    """
    timestamp = str(int(at_s))
    content = b".".join((delivery_id.encode(), timestamp.encode(), body))
    signatures = [base64.b64encode(hmac.digest(secret.key, content, hashlib.sha256)).decode() for secret in secrets]
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
