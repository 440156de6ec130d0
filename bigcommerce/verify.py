"""Whether a delivery is BigCommerce's: a Standard Webhooks signature, or the store's secret header; either suffices.

Both, because the signature's key derivation is documented but was never seen confirmed, and a store that was added
without the app may have no client secret at hand.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from bigcommerce.webhooks import SECRET_HEADER
from schemas.failures import Failure

FRESH_S = 5 * 60  # Standard Webhooks' tolerance, in both directions
OLD_S_MAX = 49 * 60 * 60  # the last retry comes 48 h 4 min after the first try, perhaps with the first one's stamp
_stamp = re.compile(r"[0-9]{1,12}", re.ASCII)

Refusal = Literal["no proof", "wrong signature", "malformed stamp", "stamp ahead", "stamp too old", "wrong secret"]


class Unverified(Failure):
    """Nobody can tell that this delivery is BigCommerce's; `reason` is one of a few fixed texts."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason = reason


class Verified(msgspec.Struct, frozen=True):
    """A delivery that is BigCommerce's: what proved it, and whether its signed stamp was old (a late retry, or a replay)."""

    by: Literal["signature", "secret"]
    old: bool = False


def verify_delivery(headers: Mapping[str, str], body: bytes, *, client_secret: str, webhook_secret: str, now_ms: int) -> Verified:
    """What proves that this delivery is BigCommerce's. Raises Unverified, and nothing else whatever the headers hold.

    `headers` by lower-case name; `body` the raw bytes, before any parsing. A secret that is "" proves nothing.
    A right secret header outweighs a signature that is wrong, old or absent.
    Source: docs/facts/bigcommerce.md 1.4
    """
    given = headers.get(SECRET_HEADER, "")
    secret_is_right = bool(webhook_secret) and hmac.compare_digest(_bytes(given), webhook_secret.encode())
    try:
        return _verify_signature(headers, body, client_secret, now_ms)
    except Unverified as refused:
        if secret_is_right:
            return Verified(by="secret")
        if refused.reason == "no proof" and given:
            raise Unverified("wrong secret") from None
        raise


def _verify_signature(headers: Mapping[str, str], body: bytes, client_secret: str, now_ms: int) -> Verified:
    signatures = headers.get("webhook-signature", "").split()
    if not signatures or not client_secret:
        raise Unverified("no proof")
    stamp = headers.get("webhook-timestamp", "")
    if not _stamp.fullmatch(stamp):
        raise Unverified("malformed stamp")
    signed = b".".join((_bytes(headers.get("webhook-id", "")), stamp.encode(), body))
    right = b"v1," + base64.b64encode(hmac.digest(client_secret.encode(), signed, hashlib.sha256))
    if not any(hmac.compare_digest(_bytes(signature), right) for signature in signatures):
        raise Unverified("wrong signature")
    age_s = now_ms / 1000 - int(stamp)
    if age_s < -FRESH_S:
        raise Unverified("stamp ahead")
    if age_s > OLD_S_MAX:
        raise Unverified("stamp too old")
    return Verified(by="signature", old=age_s > FRESH_S)


def _bytes(header: str) -> bytes:
    """The bytes of a header; servers hand them on as Latin-1, and what is not cannot have come from one."""
    return header.encode("latin-1", "backslashreplace")
