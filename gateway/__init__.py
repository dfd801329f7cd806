"""The process: HTTP, settings, wiring, operations."""

from importlib.metadata import version

__version__ = version("turnkeeper")
