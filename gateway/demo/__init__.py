"""Stand-ins for Slack, Lark and a model, and the demonstration that runs the real gateway against them."""

from __future__ import annotations


def run(*, chaos: bool) -> int:
    """``turnkeeper demo``: the exit code is 0 only if every message got one complete reply, in order.

    ``chaos``: the gateway is killed while replies are being written.
    """
    from gateway.demo.show import show  # noqa: PLC0415 - draws with rich, which the stand-ins do not need

    return show(chaos=chaos)
