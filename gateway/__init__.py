"""The process: HTTP, settings, wiring, operations."""

__version__ = "0.1.0"
