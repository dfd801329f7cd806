"""Traces of turns, for OpenTelemetry: webhook → admit → turn → model → each delivery.

Everything stands around the ports of the core, which knows nothing of it: where nothing is traced, nothing stands
there, and ``opentelemetry`` is not imported. Only ``port`` and ``destination`` may be imported by who does not trace.

Invariants:

- one trace for each turn, over the queue and over every attempt, whichever process makes it;
- a span holds no text, no credential and no person; of the conversation its opaque key;
- a turn has a bounded number of spans, however long its answer;
- nobody waits for the collector: what it does not take is dropped.
"""
