from __future__ import annotations

import pytest

from conversation.stores.redis.address import Address, MalformedAddressError, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", Address("server", False, (("cache", 6379),))),
        ("redis://[::1]:7000/3", Address("server", False, (("::1", 7000),), 3)),
        (
            "rediss://me:p%40ss@cache:6380",
            Address("server", True, (("cache", 6380),), username="me", password="p@ss"),
        ),
        ("redis://:secret@cache", Address("server", False, (("cache", 6379),), password="secret")),
        (
            "redis+sentinel://a,b:26380/turns/1",
            Address("sentinel", False, (("a", 26379), ("b", 26380)), 1, "turns"),
        ),
        ("rediss+cluster://a:7000,b", Address("cluster", True, (("a", 7000), ("b", 6379)))),
    ],
)
def test_an_address_says_where_redis_is(url: str, address: Address) -> None:
    assert parse(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://:hunter2@",
        "redis://me:hunter2@cache:port",
        "redis://me:hunter2@a,b",
        "redis://cache?password=hunter2",
        "redis://cache/first",
        "redis://cache/1/2",
        "redis+sentinel://a:26379",
        "redis+cluster://a/1",
        "redis+magic://a",
        "http://a",
    ],
)
def test_anything_else_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(MalformedAddressError) as refusal:
        parse(url)
    assert "hunter2" not in str(refusal.value)
