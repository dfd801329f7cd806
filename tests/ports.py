"""Ports for servers that a test starts as processes of their own."""

from __future__ import annotations

import atexit
import socket


def free_port() -> int:
    """A port of this machine that nobody listens on, kept for whoever asks for it by number until the tests end:
    nobody else gets it, as a listener's or as a connection's own end.
    """
    reserved = socket.socket()
    atexit.register(reserved.close)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return int(reserved.getsockname()[1])
