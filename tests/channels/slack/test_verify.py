from __future__ import annotations

import pytest
from slack_sdk.signature import SignatureVerifier

from channels.slack.verify import Verifier
from tests.channels.slack.signing import NOW, SECRET, signed

BODY = '{"text":"你好"}'.encode()
VERIFIER = Verifier(SECRET)


def test_slacks_own_signature_is_authentic() -> None:
    """The SDK's signer is the oracle."""
    timestamp = str(int(NOW))
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=timestamp, body=BODY)
    assert signature is not None
    headers = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature}
    assert VERIFIER.authentic(headers, BODY, NOW)
    assert not VERIFIER.authentic(headers, BODY + b" ", NOW)


@pytest.mark.parametrize(("age", "authentic"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_a_timestamp_off_by_more_than_five_minutes_is_refused(*, age: int, authentic: bool) -> None:
    request = signed(BODY, timestamp=str(int(NOW) - age))
    assert VERIFIER.authentic(request.headers, request.body, NOW) is authentic


@pytest.mark.parametrize(
    "timestamp", ["", "now", "-1", "1e9", "1781000000.0", " 1781000000", "١٧٨١", "9" * 5000]
)
def test_a_timestamp_that_is_no_number_is_refused_though_signed(timestamp: str) -> None:
    request = signed(BODY, timestamp=timestamp)
    assert not VERIFIER.authentic(request.headers, request.body, NOW)


@pytest.mark.parametrize("signature", ["", "v0=", "v0=é", "v1=00", "\udcff"])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    headers = {"X-Slack-Request-Timestamp": str(int(NOW)), "X-Slack-Signature": signature}
    assert not VERIFIER.authentic(headers, BODY, NOW)


def test_another_secret_does_not_sign_for_us() -> None:
    request = signed(BODY, secret="somebody else's")
    assert not VERIFIER.authentic(request.headers, request.body, NOW)


def test_missing_headers_are_refused() -> None:
    assert not VERIFIER.authentic({}, BODY, NOW)
