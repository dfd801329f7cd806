"""The platform's own SDK as a judge: what it accepts we accept, and it reads what we send.

Importing it takes seconds, so nothing else imports this module.
"""

from __future__ import annotations

import base64
import logging
import warnings
from types import ModuleType
from typing import Any

import orjson
import pytest

from channels.lark.card import card_json
from channels.lark.once import content_of
from channels.received import Challenge, Ignored
from conversation.messages import InboundMessage
from tests.channels.lark.conftest import MakeChannel
from tests.channels.lark.signing import (
    CREDENTIALS,
    KEY,
    NOW,
    TOKEN,
    arriving,
    encrypted,
    payload,
    signed,
    unsigned,
)


@pytest.fixture(scope="module")
def sdk() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lark_oapi  # noqa: PLC0415 -- takes seconds
    logging.getLogger("Lark").handlers.clear()
    assert isinstance(lark_oapi, ModuleType)
    return lark_oapi


@pytest.mark.parametrize("name", ["p2p_text", "p2p_thread", "group_mention", "group_post", "external_user"])
def test_an_event_that_the_sdk_accepts_is_admitted_with_the_same_fields(
    sdk: ModuleType, make_channel: MakeChannel, name: str
) -> None:
    seen: list[Any] = []  # the SDK has no types
    handler = sdk.EventDispatcherHandler.builder(KEY, TOKEN)
    handler = handler.register_p2_im_message_receive_v1(seen.append).build()
    arrived = arriving(name)
    request = sdk.RawRequest()
    request.uri, request.body, request.headers = "/", arrived.body, dict(arrived.headers)
    assert handler.do(request).status_code == 200
    (event,) = seen
    received = make_channel().receive(arrived)
    assert isinstance(received, InboundMessage)
    assert received.identity == event.event.message.message_id
    assert received.sender.id == event.event.sender.sender_id.open_id
    assert received.address.chat == event.event.message.chat_id
    assert received.address.thread == (event.event.message.thread_id or "")
    assert received.key.tenant == event.header.tenant_key


def test_an_encrypted_challenge_is_answered_as_the_sdk_answers(
    sdk: ModuleType, make_channel: MakeChannel
) -> None:
    arrived = unsigned(encrypted(payload("url_verification")))
    request = sdk.RawRequest()
    request.uri, request.body, request.headers = "/", arrived.body, {}
    theirs = sdk.EventDispatcherHandler.builder(KEY, TOKEN).build().do(request)
    ours = make_channel().receive(arrived)
    assert isinstance(ours, Challenge)
    assert orjson.loads(ours.body) == orjson.loads(theirs.content)


def test_what_the_sdks_cipher_decrypts_is_what_we_sealed(sdk: ModuleType) -> None:
    """The documented vector, and our own encryption in these tests."""
    vector = "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="
    from lark_oapi.core.utils import AESCipher  # noqa: PLC0415 -- takes seconds

    assert AESCipher("test key").decrypt_str(vector) == "hello world"
    sealed = orjson.loads(encrypted(b"hello", KEY))["encrypt"]
    assert AESCipher(KEY).decrypt(base64.b64decode(sealed)) == b"hello"
    assert sdk is not None


def test_the_documented_vector_is_decrypted_by_us(make_channel: MakeChannel) -> None:
    from channels.lark import LarkCredentials  # noqa: PLC0415 -- beside its only use

    channel = make_channel(credentials=LarkCredentials(CREDENTIALS.app_id, "s", "test key"))
    body = b'{"encrypt":"P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="}'
    received = channel.receive(signed(body, key="test key", at=str(int(NOW))))
    assert received == Ignored("malformed")  # "hello world" is no JSON, and was decrypted


def test_the_sdks_models_read_what_we_send(sdk: ModuleType) -> None:
    from lark_oapi.api.cardkit.v1 import (  # noqa: PLC0415 -- takes seconds
        ContentCardElementRequestBody,
        CreateCardRequestBody,
        SettingsCardRequestBody,
    )
    from lark_oapi.api.im.v1 import ReplyMessageRequestBody  # noqa: PLC0415

    for body, model in (
        (
            {"msg_type": "post", "content": "{}", "uuid": "u", "reply_in_thread": True},
            ReplyMessageRequestBody,
        ),
        ({"type": "card_json", "data": "{}"}, CreateCardRequestBody),
        ({"content": "text", "sequence": 100_001, "uuid": "u"}, ContentCardElementRequestBody),
        ({"settings": "{}", "sequence": 100_001, "uuid": "u"}, SettingsCardRequestBody),
    ):
        assert set(body) <= set(model._types), "a field that the SDK does not know"
        read = sdk.JSON.unmarshal(orjson.dumps(body).decode(), model)
        assert orjson.loads(sdk.JSON.marshal(read)) == body


def test_a_card_and_a_post_are_plain_json() -> None:
    card = card_json('say "hi"\n', streaming=True)
    assert orjson.loads(orjson.dumps(card)) == card
    assert content_of("post", "a") == {"zh_cn": {"content": [[{"tag": "md", "text": "a"}]]}}
