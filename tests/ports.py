"""Ports for servers that a test starts as processes of their own."""

from __future__ import annotations

import atexit

from gateway.demo.gateway_process import reserve_port


def free_port() -> int:
    """A port that nobody listens on, kept until the tests end for whoever asks for it by number."""
    reserved = reserve_port()
    atexit.register(reserved.close)
    return int(reserved.getsockname()[1])
