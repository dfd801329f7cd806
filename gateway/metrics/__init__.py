"""``/metrics``: how this process fares, as Prometheus reads it.

Invariants:

- no text, no person and no conversation is a label; bots are, whose number the configuration bounds;
- counting neither waits nor fails.
"""

from gateway.metrics.exposition import Metrics, metrics_route

__all__ = ["Metrics", "metrics_route"]
