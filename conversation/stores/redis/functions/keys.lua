-- The turn store inside Redis. Every function is one step: whole or not at all.
--
-- Keys. Each function declares one key, the hash tag of a partition, `{namespace:number}`. No value is ever stored
-- under it: while a cluster moves its slot every call is therefore turned away (ASK) and none sees half of the
-- keys. The keys used have that tag in front:
--
--   :sessions            zset    session -> end of its lease. A session's name sorts by its age.
--   :draining            set     sessions that get no further claims
--   :running:SESSION     zset    conversation key -> its number
--   :conversation:KEY    hash    number bot epoch completed_epoch owner last_send_at told_full, and of the head turn:
--                                attempt crashes failures delivery final stopped strays. agent: the one it is bound
--                                to. Expires after IDLE_FOR without a turn.
--   :queue:KEY           list    turns, the head first: "id admitted_at refusal person", then on a line for each of
--                                its messages "id message"
--   :conversations:BOT   zset    conversation key -> when a message was last admitted, for IDLE_FOR
--   :listed              set     bots that have such conversations
--   :said:KEY            list    the transcript, an element for each turn, oldest first: "turn person at", then on a
--                                line of its own the question and the answer
--   :said_due            zset    conversation key -> the time of the oldest turn in its transcript, or an earlier one
--   :said_of:PERSON      hash    conversation key -> how many turns of this person are in its transcript
--   :bots                set     bots that have ready conversations which are not parked
--   :bot:BOT             hash    replies per_person: its limits, 0 is none; running; turns: in its queues, the running
--                                ones too; served: its virtual time
--   :persons:BOT         hash    person -> its turns that run
--   :ready:BOT           zset    conversation key -> the order in which they became ready
--   :parked:BOT:PERSON   zset    the same, of ready ones that were passed over because the person was at the limit:
--                                nobody looks at them again until one of that person's turns ends
--   :due                 zset    conversation key -> when its back-off ends
--   :queued              hash    turn id of each message in a queue -> conversation key
--   :repair:TURN         hash    turn as in the queue, attempt delivery strays until, of a completed turn. Expires.
--   :repairs             zset    turn -> when its repair is due
--   :seen:BUCKET         hash    turn id -> when it was admitted; a bucket takes BUCKET seconds, and expires
--   :dead                list    dead letters, oldest first: "ID KEY reason at person", then the lines of its messages
--   :events              stream  at kind key turn detail; ids are 0-1, 0-2, ... without a gap
--   :counters            hash    conversations, ready: the last number given; served: the furthest bot's
--   :wake                        the sharded channel that is told when a conversation became ready ('') or a turn was
--                                stopped ('stop')
--   :budget:NAME         hash    level, at, closed_until: the permits of a platform's method as they stood at a time.
--                                NAME alone decides the partition. Expires a minute after it is full again.
-- and in partition 0 alone:
--   :heartbeat           hash    ticked_at grace_until
--   :house               hash    layout, partitions: what this namespace was made with
--   :partitions          list    numbers of the partitions that were ever used, in the order of their first use
--   :records:KIND        hash    id -> "version revision\ndocument"
--   :counters            hash    sessions, records:KIND: the last number given
--   :audit               stream  at who action target detail; ids as those of events
--
-- Arguments. The first one of every function of turns is the time, in seconds since 1970, or '' for the server's
-- own. `entering` is how long the lease still lasts of a session that may be new to this partition, or ''.
-- An epoch that may have been started afresh after IDLE_FOR is no danger: a claim is compared with its session too.

local LEASE, SEEN_FOR, EVENTS_KEPT = @LEASE@, @SEEN_FOR@, @EVENTS_KEPT@
local OUTAGE, GRACE, REPAIR_AGAIN, REPAIRABLE_FOR = @OUTAGE@, @GRACE@, @REPAIR_AGAIN@, @REPAIRABLE_FOR@
local SEND_TIMEOUT = @SEND_TIMEOUT@
local BUCKET = 4 * 3600
local IDLE_FOR = @LISTED_FOR@

local function time(given)
  if given ~= '' then return tonumber(given), given end
  local t = redis.call('TIME')
  local text = string.format('%s.%06d', t[1], t[2])
  return tonumber(text), text
end

local function exact(seconds) return string.format('%.17g', seconds) end

local function number(tag, counter)
  return redis.call('HINCRBY', tag .. ':counters', counter, 1)
end

local function log(tag, at, kind, key, turn, detail)
  redis.call('XADD', tag .. ':events', 'MAXLEN', '~', EVENTS_KEPT, '0-*',
    'at', at, 'kind', kind, 'key', key, 'turn', turn, 'detail', detail)
end

local function conversation(tag, key) return tag .. ':conversation:' .. key end

local function queue(tag, key) return tag .. ':queue:' .. key end

-- id, admitted_at, refusal, person and the lines of the messages.
local function facts(turn) return string.match(turn, '^(%S+) (%S+) (%S*) (%S+)\n(.*)$') end

local function head(tag, key) return redis.call('LINDEX', queue(tag, key), 0) end

local function head_id(tag, key) return (facts(head(tag, key))) end

-- Waking is a courtesy: whoever may not publish still has its messages stored, and they are found by polling.
local function wake(tag, what) redis.pcall('SPUBLISH', tag .. ':wake', what or '') end

local function bot_of(tag, key) return redis.call('HGET', conversation(tag, key), 'bot') end

local function enter(tag, now, session, entering)
  if entering ~= '' then
    redis.call('ZADD', tag .. ':sessions', 'NX', exact(now + tonumber(entering)), session)
  end
end

local function lease(tag, session)
  local ends = redis.call('ZSCORE', tag .. ':sessions', session)
  return ends and tonumber(ends)
end

local function may_claim(tag, now, session)
  local ends = lease(tag, session)
  return ends and ends > now and redis.call('SISMEMBER', tag .. ':draining', session) == 0
end
