"""Files that people send, made readable for a model."""

from conversation.files.read import READING_AT_ONCE, FileReader, Read

__all__ = ["READING_AT_ONCE", "FileReader", "Read"]
