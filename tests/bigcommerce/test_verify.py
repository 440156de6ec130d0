"""A delivery is BigCommerce's by its signature or by the store's secret, and whatever its headers hold only one error comes out."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigcommerce.verify import Unverified, Verified, verify_delivery

# Test vector of docs/facts/bigcommerce.md 1.4
CLIENT_SECRET = "sample-client-secret"
STAMP_S = 1700000000
BODY = (
    b'{"producer":"stores/abc123","hash":"64d346b71e4c02453da81c5d97cec8063a6e7a4d","created_at":1699999998,'
    b'"store_id":"1001","scope":"store/product/updated","data":{"type":"product","id":180}}'
)
SIGNATURE = "v1,J/GEPPPk5yxOGxKZCLYCgt/IEt9t/gUSjDhTfcs7uEU="
HEADERS = {
    "webhook-id": "64d346b71e4c02453da81c5d97cec8063a6e7a4d",
    "webhook-timestamp": str(STAMP_S),
    "webhook-signature": SIGNATURE,
}
WEBHOOK_SECRET = "our-own-random-value"
MINUTE_S, HOUR_S = 60, 60 * 60


def verify(headers: dict[str, str], *, body: bytes = BODY, client_secret: str = CLIENT_SECRET, after_s: float = 3) -> Verified:
    now_ms = int((STAMP_S + after_s) * 1000)
    return verify_delivery(headers, body, client_secret=client_secret, webhook_secret=WEBHOOK_SECRET, now_ms=now_ms)


def refusal(headers: dict[str, str], **given: object) -> str:
    with pytest.raises(Unverified) as refused:
        verify(headers, **given)  # type: ignore[arg-type]
    return refused.value.reason


def signed(stamp: str, body: bytes = BODY, key: str = CLIENT_SECRET) -> dict[str, str]:
    digest = hmac.new(key.encode(), b"id." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    return {"webhook-id": "id", "webhook-timestamp": stamp, "webhook-signature": "v1," + base64.b64encode(digest).decode()}


def test_the_test_vector_is_verified():
    assert verify(HEADERS) == Verified(by="signature", old=False)


@pytest.mark.parametrize(
    "several",
    [f"v1,{'A' * 43}= {SIGNATURE}", f"{SIGNATURE} v2,whatever", f"v1a,{SIGNATURE[3:]}  {SIGNATURE}"],
)
def test_one_right_signature_among_several_suffices(several: str):
    assert verify(HEADERS | {"webhook-signature": several}) == Verified(by="signature")


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "another"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(STAMP_S + 1)},
        {"webhook-signature": SIGNATURE[3:]},
        {"webhook-signature": "v2" + SIGNATURE[2:]},
        {"webhook-signature": SIGNATURE[:-1]},
        {"webhook-signature": SIGNATURE.lower()},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "→ü"},
    ],
)
def test_a_signature_of_anything_else_is_refused(changed: dict[str, str]):
    assert refusal(HEADERS | changed) == "wrong signature"


def test_a_changed_body_is_refused():
    assert refusal(HEADERS, body=BODY + b" ") == "wrong signature"


def test_another_key_is_refused():
    assert refusal(HEADERS, client_secret="another") == "wrong signature"


def test_an_empty_key_proves_nothing():
    assert refusal(signed(str(STAMP_S), key=""), client_secret="") == "no proof"


def test_a_delivery_without_any_proof_is_refused():
    assert refusal({}) == "no proof"
    assert refusal({"webhook-id": "id", "webhook-timestamp": str(STAMP_S)}) == "no proof"


@pytest.mark.parametrize("stamp", ["", "yesterday", "-1700000000", "1_700_000_000", " 1700000000", "1.7e9", "9" * 5000, "\uff11700000000"])
def test_a_malformed_stamp_is_refused(stamp: str):
    assert refusal(signed(stamp)) == "malformed stamp"


@pytest.mark.parametrize(
    ("after_s", "old"),
    [
        (-5 * MINUTE_S, False),
        (0, False),
        (5 * MINUTE_S, False),
        (5 * MINUTE_S + 1, True),
        (48 * HOUR_S + 4 * MINUTE_S, True),
        (49 * HOUR_S, True),
    ],
)
def test_an_old_stamp_is_accepted_and_reported(after_s: float, old: bool):
    assert verify(HEADERS, after_s=after_s) == Verified(by="signature", old=old)


@pytest.mark.parametrize(("after_s", "reason"), [(-5 * MINUTE_S - 1, "stamp ahead"), (49 * HOUR_S + 1, "stamp too old")])
def test_a_stamp_ahead_or_older_than_every_retry_is_refused(after_s: float, reason: str):
    assert refusal(HEADERS, after_s=after_s) == reason


@pytest.mark.parametrize("wrong", [{}, {"webhook-signature": "v1,wrong"}, {"webhook-timestamp": "never"}])
def test_the_secret_header_suffices(wrong: dict[str, str]):
    headers = ({} if not wrong else HEADERS | wrong) | {"x-cartstream-secret": WEBHOOK_SECRET}
    assert verify(headers) == Verified(by="secret")


def test_the_secret_header_outweighs_a_stamp_that_is_off():
    assert verify(HEADERS | {"x-cartstream-secret": WEBHOOK_SECRET}, after_s=1000 * HOUR_S) == Verified(by="secret")


def test_a_signature_outweighs_a_wrong_secret_header():
    assert verify(HEADERS | {"x-cartstream-secret": "wrong"}) == Verified(by="signature")


@pytest.mark.parametrize("secret", ["wrong", WEBHOOK_SECRET.upper(), WEBHOOK_SECRET + "x", WEBHOOK_SECRET[:-1], "ü→"])
def test_a_wrong_secret_header_is_refused(secret: str):
    assert refusal({"x-cartstream-secret": secret}) == "wrong secret"


@pytest.mark.parametrize("headers", [{}, {"x-cartstream-secret": ""}])
def test_an_empty_secret_proves_nothing(headers: dict[str, str]):
    with pytest.raises(Unverified):
        verify_delivery(headers, BODY, client_secret="", webhook_secret="", now_ms=0)


def test_a_secret_that_no_header_can_hold_is_matched_by_no_other():
    with pytest.raises(Unverified):
        verify_delivery({"x-cartstream-secret": "???"}, BODY, client_secret="", webhook_secret="→→→", now_ms=0)


header = st.text() | st.binary().map(lambda raw: raw.decode("latin-1"))


@given(
    headers=st.fixed_dictionaries(
        {},
        optional={
            "webhook-id": header,
            "webhook-timestamp": header | st.integers().map(str),
            "webhook-signature": header | header.map("v1,".__add__),
            "x-cartstream-secret": header,
        },
    ),
    body=st.binary(),
    now_ms=st.integers(0, 2**63),
)
def test_no_headers_and_no_bytes_are_verified_without_a_key(headers: dict[str, str], body: bytes, now_ms: int):
    with pytest.raises(Unverified) as refused:
        verify_delivery(headers, body, client_secret=CLIENT_SECRET, webhook_secret=WEBHOOK_SECRET, now_ms=now_ms)
    assert refused.value.reason in {"no proof", "wrong signature", "malformed stamp", "wrong secret"}


@given(st.binary(), st.integers(0, 10**12 - 1))
def test_any_body_that_is_signed_is_verified(body: bytes, stamp_s: int):
    headers = signed(str(stamp_s), body)
    assert verify_delivery(headers, body, client_secret=CLIENT_SECRET, webhook_secret="", now_ms=stamp_s * 1000) == Verified(by="signature")
