#!lua name=@LIBRARY@
-- The turn store inside Redis. Every function is one step: whole or not at all.
--
-- Keys. Each function declares one key, the hash tag of a partition, `{namespace:number}`. No value is ever stored
-- under it: while a cluster moves its slot every call is therefore turned away (ASK) and none sees half of the
-- keys. The keys used have that tag in front:
--
--   :sessions            zset    session -> end of its lease. A session's name sorts by its age.
--   :draining            set     sessions that get no further claims
--   :running:SESSION     zset    conversation key -> its number
--   :conversation:KEY    hash    number epoch completed_epoch owner taken_over_at told_full, and of the head turn:
--                                attempt crashes failures delivery. Expires after IDLE_FOR without a turn.
--   :queue:KEY           list    turns, the head first: "id admitted_at refusal\nmessage"
--   :said:KEY            list    the transcript, one element for each turn, oldest first
--   :ready               zset    conversation key -> the order in which they became ready
--   :due                 zset    conversation key -> when its back-off ends
--   :seen:BUCKET         hash    turn id -> when it was admitted; a bucket takes BUCKET seconds, and expires
--   :dead                list    dead letters, oldest first: "KEY reason at\nmessage"
--   :events              stream  at kind key turn detail; ids are 0-1, 0-2, ... without a gap
--   :counters            hash    conversations, ready: the last number given
--   :wake                        the sharded channel that is told when a conversation became ready
-- and in partition 0 alone:
--   :house               hash    layout, partitions: what this namespace was made with
--   :partitions          list    numbers of the partitions that were ever used, in the order of their first use
--   :records:KIND        hash    id -> "version revision\ndocument"
--   :counters            hash    sessions, records: the last number given
--
-- Arguments. The first one of every function of turns is the time, in seconds since 1970, or '' for the server's
-- own. `entering` is how long the lease still lasts of a session that may be new to this partition, or ''.
-- An epoch that may have been started afresh after IDLE_FOR is no danger: a claim is compared with its session too.

local LEASE, SEEN_FOR, EVENTS_KEPT = @LEASE@, @SEEN_FOR@, @EVENTS_KEPT@
local BUCKET = 4 * 3600
local IDLE_FOR = 30 * 24 * 3600

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

local function head_id(tag, key)
  return string.match(redis.call('LINDEX', tag .. ':queue:' .. key, 0), '^%S+')
end

local function make_ready(tag, key)
  redis.call('ZADD', tag .. ':ready', number(tag, 'ready'), key)
end

-- Waking is a courtesy: whoever may not publish still has its messages stored, and they are found by polling.
local function wake(tag) redis.pcall('SPUBLISH', tag .. ':wake', '') end

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

-- The claim on a conversation as it stands: what Python reads as a Claim.
local function current_claim(tag, key)
  local c = redis.call('HMGET', conversation(tag, key),
    'epoch', 'taken_over_at', 'attempt', 'crashes', 'failures', 'delivery')
  return {key, c[1], c[2] or '', c[3] or '0', c[4] or '0', c[5] or '0', c[6] or '',
    redis.call('LINDEX', tag .. ':queue:' .. key, 0)}
end

local function take(tag, at, session, key, turn, number_of_conversation)
  local c = conversation(tag, key)
  local epoch = redis.call('HINCRBY', c, 'epoch', 1)
  redis.call('HINCRBY', c, 'attempt', 1)
  redis.call('HSET', c, 'owner', session)
  redis.call('ZADD', tag .. ':running:' .. session, number_of_conversation, key)
  log(tag, at, 'turn.claimed', key, turn, '')
  return epoch
end

local function take_ready(tag, now, at, session, most)
  local claims = {}
  if most < 1 or not may_claim(tag, now, session) then return claims end
  for _, key in ipairs(redis.call('ZRANGE', tag .. ':ready', 0, most - 1)) do
    redis.call('ZREM', tag .. ':ready', key)
    take(tag, at, session, key, head_id(tag, key), redis.call('HGET', conversation(tag, key), 'number'))
    claims[#claims + 1] = current_claim(tag, key)
  end
  return claims
end

local function owned(tag, session, key, epoch)
  local c = redis.call('HMGET', conversation(tag, key), 'owner', 'epoch')
  return c[1] == session and c[2] == epoch
end

local function put_back(tag, at, key, event)
  redis.call('HDEL', conversation(tag, key), 'owner')
  make_ready(tag, key)
  log(tag, at, event, key, head_id(tag, key), '')
end

local function forget_session(tag, session)
  redis.call('ZREM', tag .. ':sessions', session)
  redis.call('SREM', tag .. ':draining', session)
  redis.call('DEL', tag .. ':running:' .. session)
end

local function reap(tag, at, session)
  local held = redis.call('ZRANGE', tag .. ':running:' .. session, 0, -1)
  forget_session(tag, session)
  for _, key in ipairs(held) do
    local c = conversation(tag, key)
    redis.call('HINCRBY', c, 'crashes', 1)
    redis.call('HSET', c, 'taken_over_at', at)
    put_back(tag, at, key, 'turn.taken_over')
  end
  return #held
end

-- Whether the turn was admitted in the last SEEN_FOR seconds; remembers it.
local function seen(tag, now, at, turn)
  local newest = math.floor(now / BUCKET)
  for bucket = newest, math.floor((now - SEEN_FOR) / BUCKET), -1 do
    local name = tag .. ':seen:' .. bucket
    local before = redis.call('HGET', name, turn)
    if before then
      if now - tonumber(before) >= SEEN_FOR then break end
      redis.call('HSET', name, turn, before) -- a write, so that a WAIT behind it covers the first admission
      return true
    end
  end
  local name = tag .. ':seen:' .. newest
  redis.call('HSET', name, turn, at)
  redis.call('EXPIRE', name, BUCKET + SEEN_FOR, 'NX')
  return false
end

-- args: time token. Gives the new session's name.
local function open_session(keys, args)
  local tag, now = keys[1], time(args[1])
  local name = string.format('%012d-%s', number(tag, 'sessions'), args[2])
  redis.call('ZADD', tag .. ':sessions', exact(now + LEASE), name)
  return name
end

-- args: time session. Reaps all other sessions; gives the number of turns taken over.
local function take_over_here(keys, args)
  local tag, _, at = keys[1], time(args[1])
  local others = redis.call('ZRANGE', tag .. ':sessions', 0, -1)
  table.sort(others)
  local taken = 0
  for _, other in ipairs(others) do
    if other ~= args[2] then taken = taken + reap(tag, at, other) end
  end
  if taken > 0 then wake(tag) end
  return taken
end

-- The same in partition 0, where every session is known: gives 'session-lost' if it is not.
local function take_over(keys, args)
  if not lease(keys[1], args[2]) then return 'session-lost' end
  return take_over_here(keys, args)
end

-- args: time session entering, then key and epoch of each claim that its process knows of.
-- Gives 'session-lost', or the claims that its process does not know of.
local function renew(keys, args)
  local tag, session = keys[1], args[2]
  local now = time(args[1])
  enter(tag, now, session, args[3])
  if not lease(tag, session) then return 'session-lost' end
  redis.call('ZADD', tag .. ':sessions', exact(now + LEASE), session)
  local held = {}
  for i = 4, #args, 2 do held[args[i]] = args[i + 1] end
  local missing = {}
  for _, key in ipairs(redis.call('ZRANGE', tag .. ':running:' .. session, 0, -1)) do
    if held[key] ~= redis.call('HGET', conversation(tag, key), 'epoch') then
      missing[#missing + 1] = current_claim(tag, key)
    end
  end
  return missing
end

-- args: time session. Gives 'session-lost' or 'ok'.
local function drain(keys, args)
  if not lease(keys[1], args[2]) then return 'session-lost' end
  redis.call('SADD', keys[1] .. ':draining', args[2])
  return 'ok'
end

-- args: time session.
local function close_session(keys, args)
  local tag, session, _, at = keys[1], args[2], time(args[1])
  local held = redis.call('ZRANGE', tag .. ':running:' .. session, 0, -1)
  forget_session(tag, session)
  for _, key in ipairs(held) do
    redis.call('HSET', conversation(tag, key), 'taken_over_at', at)
    put_back(tag, at, key, 'turn.released')
  end
  if #held > 0 then wake(tag) end
  return 'ok'
end

-- args: time session entering may_claim max_queued key turn refusal message.
-- Gives {'duplicate'}, {'queue_full', notice due}, {'ready'}, {'queued'} or {'claimed', admitted_at, epoch}.
local function admit(keys, args)
  local tag, session, key, turn, refusal = keys[1], args[2], args[6], args[7], args[8]
  local now, at = time(args[1])
  enter(tag, now, session, args[3])
  if seen(tag, now, at, turn) then return {'duplicate'} end
  local c, queue = conversation(tag, key), tag .. ':queue:' .. key
  local waiting = redis.call('LLEN', queue)
  local is = redis.call('HMGET', c, 'number', 'told_full')
  if waiting > tonumber(args[5]) then
    redis.call('HSET', c, 'told_full', '1')
    log(tag, at, 'message.refused', key, turn, 'queue_full')
    return {'queue_full', is[2] and 0 or 1}
  end
  local number_of_conversation = is[1]
  if not number_of_conversation then
    number_of_conversation = number(tag, 'conversations')
    redis.call('HSET', c, 'number', number_of_conversation)
  end
  if is[2] then redis.call('HDEL', c, 'told_full') end
  redis.call('RPUSH', queue, turn .. ' ' .. at .. ' ' .. refusal .. '\n' .. args[9])
  log(tag, at, 'message.admitted', key, turn, refusal)
  if waiting > 0 then return {'queued'} end
  redis.call('PERSIST', c)
  if args[4] == '1' and may_claim(tag, now, session) then
    return {'claimed', at, take(tag, at, session, key, turn, number_of_conversation)}
  end
  make_ready(tag, key)
  wake(tag)
  return {'ready'}
end

-- args: time session entering most. Gives 'session-lost' or the claims.
local function claim(keys, args)
  local tag, session = keys[1], args[2]
  local now, at = time(args[1])
  enter(tag, now, session, args[3])
  local ends = lease(tag, session)
  if not ends or ends <= now then return 'session-lost' end
  return take_ready(tag, now, at, session, tonumber(args[4]))
end

-- args: time session key epoch delivery. Gives 'claim-lost' or 'ok'.
local function checkpoint(keys, args)
  if not owned(keys[1], args[2], args[3], args[4]) then return 'claim-lost' end
  redis.call('HSET', conversation(keys[1], args[3]), 'delivery', args[5])
  return 'ok'
end

-- args: time session key epoch hand_over keep_turns said detail dead_reason ('': no dead letter).
-- Gives 'claim-lost', 'completed' (it was before), or {conversations still ready, the claim that the slot got}.
local function complete(keys, args)
  local tag, session, key, epoch = keys[1], args[2], args[3], args[4]
  local now, at = time(args[1])
  local c, queue = conversation(tag, key), tag .. ':queue:' .. key
  if redis.call('HGET', c, 'completed_epoch') == epoch then
    redis.call('HSET', c, 'completed_epoch', epoch) -- a write, so that a WAIT behind it covers the first completion
    return 'completed'
  end
  if not owned(tag, session, key, epoch) then return 'claim-lost' end
  local head = redis.call('LPOP', queue)
  redis.call('HDEL', c, 'owner', 'taken_over_at', 'attempt', 'crashes', 'failures', 'delivery')
  redis.call('HSET', c, 'completed_epoch', epoch)
  redis.call('ZREM', tag .. ':running:' .. session, key)
  if args[7] ~= '' then
    redis.call('RPUSH', tag .. ':said:' .. key, args[7])
    redis.call('LTRIM', tag .. ':said:' .. key, -tonumber(args[6]), -1)
  end
  if args[9] ~= '' then
    local message = string.sub(head, string.find(head, '\n', 1, true) + 1)
    redis.call('RPUSH', tag .. ':dead', key .. ' ' .. args[9] .. ' ' .. at .. '\n' .. message)
  end
  log(tag, at, 'turn.completed', key, string.match(head, '^%S+'), args[8])
  if redis.call('EXISTS', queue) == 1 then
    make_ready(tag, key)
  else
    redis.call('EXPIRE', c, IDLE_FOR)
  end
  local claims = take_ready(tag, now, at, session, args[5] == '1' and 1 or 0)
  local ready = redis.call('ZCARD', tag .. ':ready')
  if #claims == 0 and ready > 0 then wake(tag) end
  return {ready, claims[1]}
end

-- args: time session key epoch delay. Gives 'claim-lost' or 'ok'.
local function retry(keys, args)
  local tag, session, key = keys[1], args[2], args[3]
  local now, at = time(args[1])
  if not owned(tag, session, key, args[4]) then return 'claim-lost' end
  local c = conversation(tag, key)
  redis.call('HINCRBY', c, 'failures', 1)
  redis.call('HDEL', c, 'owner', 'taken_over_at')
  redis.call('ZREM', tag .. ':running:' .. session, key)
  redis.call('ZADD', tag .. ':due', exact(now + tonumber(args[5])), key)
  log(tag, at, 'turn.retried', key, head_id(tag, key), '')
  return 'ok'
end

-- args: time session key epoch. Gives 'claim-lost' or 'ok'.
local function release(keys, args)
  local tag, session, key, _, at = keys[1], args[2], args[3], time(args[1])
  if not owned(tag, session, key, args[4]) then return 'claim-lost' end
  redis.call('ZREM', tag .. ':running:' .. session, key)
  put_back(tag, at, key, 'turn.released')
  wake(tag)
  return 'ok'
end

-- args: time limit. Gives {conversations that became ready, conversations that are ready}.
local function tick(keys, args)
  local tag = keys[1]
  local now, at = time(args[1])
  local became = 0
  local expired = redis.call('ZRANGEBYSCORE', tag .. ':sessions', '-inf', exact(now), 'LIMIT', 0, args[2])
  table.sort(expired)
  for _, session in ipairs(expired) do became = became + reap(tag, at, session) end
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', tag .. ':due', '-inf', exact(now), 'LIMIT', 0, args[2])) do
    redis.call('ZREM', tag .. ':due', key)
    make_ready(tag, key)
    became = became + 1
  end
  if became > 0 then wake(tag) end
  return {became, redis.call('ZCARD', tag .. ':ready')}
end

-- args: token. Runs every command that the functions use, and gives the first refusal: a function that is refused
-- half-way would leave half of its work.
local function probe(keys, args)
  local tag = keys[1]
  local name = tag .. ':probe:' .. args[1]
  local commands = {
    {'TIME'}, {'EXISTS', name},
    {'HSET', name, 'f', '1'}, {'HINCRBY', name, 'f', 1}, {'HGET', name, 'f'}, {'HMGET', name, 'f'}, {'HDEL', name, 'g'},
    {'EXPIRE', name, 60}, {'PERSIST', name}, {'DEL', name},
    {'RPUSH', name, '1', '2'}, {'LPOS', name, '1'}, {'LINDEX', name, 0}, {'LLEN', name}, {'LRANGE', name, 0, -1},
    {'LTRIM', name, 0, 1}, {'LPOP', name}, {'DEL', name},
    {'ZADD', name, 1, 'm'}, {'ZSCORE', name, 'm'}, {'ZCARD', name}, {'ZRANGE', name, 0, -1},
    {'ZRANGEBYSCORE', name, '-inf', '1'}, {'ZREM', name, 'n'}, {'DEL', name},
    {'SADD', name, 'm'}, {'SISMEMBER', name, 'm'}, {'SREM', name, 'n'}, {'DEL', name},
    {'XADD', name, 'MAXLEN', '~', 9, '0-*', 'f', '1'}, {'XRANGE', name, '-', '+'}, {'DEL', name},
  }
  for _, command in ipairs(commands) do
    local reply = redis.pcall(unpack(command))
    if type(reply) == 'table' and reply.err then return reply end
  end
  return 'ok'
end

-- args: layout partitions. Gives what this namespace was made with; makes it if it is new.
local function join_house(keys, args)
  local house = keys[1] .. ':house'
  if redis.call('EXISTS', house) == 0 then
    redis.call('HSET', house, 'layout', args[1], 'partitions', args[2])
    redis.call('RPUSH', keys[1] .. ':partitions', '0')
  end
  return redis.call('HMGET', house, 'layout', 'partitions')
end

-- args: numbers of partitions that are used. Gives all that were ever used, in the order of their first use.
local function use_partitions(keys, args)
  local list = keys[1] .. ':partitions'
  for _, partition in ipairs(args) do
    if not redis.call('LPOS', list, partition) then redis.call('RPUSH', list, partition) end
  end
  return redis.call('LRANGE', list, 0, -1)
end

local function record_version(record)
  return record and string.match(record, '^%d+') or '0'
end

-- args: kind id expected document. Gives 'conflict' or the new revision.
local function put_record(keys, args)
  local records = keys[1] .. ':records:' .. args[1]
  if record_version(redis.call('HGET', records, args[2])) ~= args[3] then return 'conflict' end
  local revision = number(keys[1], 'records')
  local version = string.format('%d', tonumber(args[3]) + 1)
  redis.call('HSET', records, args[2], version .. ' ' .. revision .. '\n' .. args[4])
  return revision
end

-- args: kind id expected. Gives 'conflict' or 'ok'.
local function delete_record(keys, args)
  local records = keys[1] .. ':records:' .. args[1]
  if record_version(redis.call('HGET', records, args[2])) ~= args[3] then return 'conflict' end
  if redis.call('HDEL', records, args[2]) == 1 then number(keys[1], 'records') end
  return 'ok'
end

redis.register_function('@LIBRARY@_open_session', open_session)
redis.register_function('@LIBRARY@_take_over', take_over)
redis.register_function('@LIBRARY@_take_over_here', take_over_here)
redis.register_function('@LIBRARY@_renew', renew)
redis.register_function('@LIBRARY@_drain', drain)
redis.register_function('@LIBRARY@_close_session', close_session)
redis.register_function('@LIBRARY@_admit', admit)
redis.register_function('@LIBRARY@_claim', claim)
redis.register_function('@LIBRARY@_checkpoint', checkpoint)
redis.register_function('@LIBRARY@_complete', complete)
redis.register_function('@LIBRARY@_retry', retry)
redis.register_function('@LIBRARY@_release', release)
redis.register_function('@LIBRARY@_tick', tick)
redis.register_function('@LIBRARY@_probe', probe)
redis.register_function('@LIBRARY@_join_house', join_house)
redis.register_function('@LIBRARY@_use_partitions', use_partitions)
redis.register_function('@LIBRARY@_put_record', put_record)
redis.register_function('@LIBRARY@_delete_record', delete_record)
