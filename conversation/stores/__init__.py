"""Where turns, transcripts, events and records are kept: ports, the reference model, and the engines."""
