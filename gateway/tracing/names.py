"""Names of spans' attributes.

OpenTelemetry's names for generative models are still in development, and Python's constants for them have been
deprecated once already: they are written out here (open-telemetry/semantic-conventions-genai). What has no name there
begins with ``turnkeeper.``.
"""

from __future__ import annotations

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
CONVERSATION = "gen_ai.conversation.id"

ERROR = "error.type"
SERVER, SERVER_PORT = "server.address", "server.port"
STATUS = "http.response.status_code"

CHANNEL, BOT, TURN = "turnkeeper.channel", "turnkeeper.bot", "turnkeeper.turn"
ADMISSION = "turnkeeper.admission"
ATTEMPT, CRASHES, MERGED = "turnkeeper.attempt", "turnkeeper.crashes", "turnkeeper.messages"
WAITED = "turnkeeper.waited"
OUTCOME, REASON = "turnkeeper.outcome", "turnkeeper.reason"
PART = "turnkeeper.part"
UPDATES, SLOWEST_UPDATE = "turnkeeper.updates", "turnkeeper.slowest_update"
