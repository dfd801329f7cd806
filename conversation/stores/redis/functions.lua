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
--   :conversation:KEY    hash    number bot epoch completed_epoch owner last_send_at told_full, and of the head turn:
--                                attempt crashes failures delivery final stopped strays. Expires after IDLE_FOR
--                                without a turn.
--   :queue:KEY           list    turns, the head first: "id admitted_at refusal person", then on a line for each of
--                                its messages "id message"
--   :said:KEY            list    the transcript, one element for each turn, oldest first
--   :bots                set     bots that have ready conversations which are not parked
--   :bot:BOT             hash    replies per_person: its limits, 0 is none; running; served: its virtual time
--   :persons:BOT         hash    person -> its turns that run
--   :ready:BOT           zset    conversation key -> the order in which they became ready
--   :parked:BOT:PERSON   zset    the same, of ready ones that were passed over because the person was at the limit:
--                                nobody looks at them again until one of that person's turns ends
--   :due                 zset    conversation key -> when its back-off ends
--   :queued              hash    turn id of each message in a queue -> conversation key
--   :repair:TURN         hash    turn as in the queue, attempt delivery strays until, of a completed turn. Expires.
--   :repairs             zset    turn -> when its repair is due
--   :seen:BUCKET         hash    turn id -> when it was admitted; a bucket takes BUCKET seconds, and expires
--   :dead                list    dead letters, oldest first: "ID KEY reason at", then the lines of its messages
--   :events              stream  at kind key turn detail; ids are 0-1, 0-2, ... without a gap
--   :counters            hash    conversations, ready: the last number given; served: the furthest bot's
--   :heartbeat           hash    ticked_at grace_until
--   :wake                        the sharded channel that is told when a conversation became ready ('') or a turn was
--                                stopped ('stop')
--   :budget:NAME         hash    level, at, closed_until: the permits of a platform's method as they stood at a time.
--                                NAME alone decides the partition. Expires a minute after it is full again.
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
local OUTAGE, GRACE, REPAIR_AGAIN, REPAIRABLE_FOR = @OUTAGE@, @GRACE@, @REPAIR_AGAIN@, @REPAIRABLE_FOR@
local SEND_TIMEOUT = @SEND_TIMEOUT@
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

local function queue(tag, key) return tag .. ':queue:' .. key end

-- id, admitted_at, refusal, person and the lines of the messages.
local function facts(turn) return string.match(turn, '^(%S+) (%S+) (%S*) (%S+)\n(.*)$') end

local function head(tag, key) return redis.call('LINDEX', queue(tag, key), 0) end

local function head_id(tag, key) return (facts(head(tag, key))) end

-- Waking is a courtesy: whoever may not publish still has its messages stored, and they are found by polling.
local function wake(tag, what) redis.pcall('SPUBLISH', tag .. ':wake', what or '') end

local function bot_of(tag, key) return redis.call('HGET', conversation(tag, key), 'bot') end

local function line_up(tag, bot, key, order)
  redis.call('ZADD', tag .. ':ready:' .. bot, order, key)
  redis.call('SADD', tag .. ':bots', bot)
end

local function make_ready(tag, key)
  line_up(tag, bot_of(tag, key), key, number(tag, 'ready'))
end

local function leave_line(tag, bot, key)
  redis.call('ZREM', tag .. ':ready:' .. bot, key)
  if redis.call('EXISTS', tag .. ':ready:' .. bot) == 0 then redis.call('SREM', tag .. ':bots', bot) end
end

local function below(count, limit)
  limit = tonumber(limit or '0')
  return limit == 0 or tonumber(count or '0') < limit
end

local function person_may(tag, bot, person, per_person)
  return below(redis.call('HGET', tag .. ':persons:' .. bot, person), per_person)
end

-- Nobody runs the head turn any more: its person's longest-ready parked conversation may be claimed again.
-- Gives the turn's id and the lines of its messages.
local function let_go(tag, key)
  local id, _, _, person, messages = facts(head(tag, key))
  local bot = bot_of(tag, key)
  redis.call('HDEL', conversation(tag, key), 'owner', 'stopped')
  redis.call('HINCRBY', tag .. ':bot:' .. bot, 'running', -1)
  if redis.call('HINCRBY', tag .. ':persons:' .. bot, person, -1) <= 0 then
    redis.call('HDEL', tag .. ':persons:' .. bot, person)
  end
  local parked = tag .. ':parked:' .. bot .. ':' .. person
  local first = redis.call('ZRANGE', parked, 0, 0, 'WITHSCORES')
  if first[1] then
    redis.call('ZREM', parked, first[1])
    line_up(tag, bot, first[1], first[2])
  end
  return id, messages
end

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
    'epoch', 'last_send_at', 'attempt', 'crashes', 'failures', 'delivery')
  return {key, c[1], c[2] or '', c[3] or '0', c[4] or '0', c[5] or '0', c[6] or '', head(tag, key)}
end

-- Give the head turn of a conversation, which is in no line, to a session.
local function take(tag, at, session, key, turn, person)
  local c = conversation(tag, key)
  local is = redis.call('HMGET', c, 'number', 'bot')
  local bot = tag .. ':bot:' .. is[2]
  local furthest = tonumber(redis.call('HGET', tag .. ':counters', 'served') or '0')
  local served = math.max(tonumber(redis.call('HGET', bot, 'served') or '0'), furthest - 1) + 1
  redis.call('HSET', bot, 'served', served)
  if served > furthest then redis.call('HSET', tag .. ':counters', 'served', served) end
  redis.call('HINCRBY', bot, 'running', 1)
  redis.call('HINCRBY', tag .. ':persons:' .. is[2], person, 1)
  local epoch = redis.call('HINCRBY', c, 'epoch', 1)
  redis.call('HINCRBY', c, 'attempt', 1)
  redis.call('HSET', c, 'owner', session)
  redis.call('ZADD', tag .. ':running:' .. session, is[1], key)
  log(tag, at, 'turn.claimed', key, turn, '')
  return epoch
end

-- The longest-ready conversation of a bot, and since when. Those before it whose persons are at the limit are parked.
local function longest_ready(tag, bot, per_person)
  while true do
    local first = redis.call('ZRANGE', tag .. ':ready:' .. bot, 0, 0, 'WITHSCORES')
    if not first[1] then return end
    local _, _, _, person = facts(head(tag, first[1]))
    if person_may(tag, bot, person, per_person) then return first[1], tonumber(first[2]) end
    leave_line(tag, bot, first[1])
    redis.call('ZADD', tag .. ':parked:' .. bot .. ':' .. person, first[2], first[1])
  end
end

-- Of the bot that was served least, its longest-ready conversation. A bot that was away has not saved up.
local function next_in_line(tag)
  local furthest = tonumber(redis.call('HGET', tag .. ':counters', 'served') or '0')
  local best, best_served, best_order, best_bot
  for _, bot in ipairs(redis.call('SMEMBERS', tag .. ':bots')) do
    local is = redis.call('HMGET', tag .. ':bot:' .. bot, 'served', 'replies', 'running', 'per_person')
    if below(is[3], is[2]) then
      local key, order = longest_ready(tag, bot, is[4])
      local served = math.max(tonumber(is[1] or '0'), furthest - 1)
      if key and (not best or served < best_served or (served == best_served and order < best_order)) then
        best, best_served, best_order, best_bot = key, served, order, bot
      end
    end
  end
  return best, best_bot
end

local function take_ready(tag, now, at, session, most)
  local claims = {}
  if most < 1 or not may_claim(tag, now, session) then return claims end
  while #claims < most do
    local key, bot = next_in_line(tag)
    if not key then break end
    leave_line(tag, bot, key)
    local id, _, _, person = facts(head(tag, key))
    take(tag, at, session, key, id, person)
    claims[#claims + 1] = current_claim(tag, key)
  end
  return claims
end

-- How many conversations may be claimed now, counting no further than is of use, and not looking at persons.
local function claimable(tag)
  local count = 0
  for _, bot in ipairs(redis.call('SMEMBERS', tag .. ':bots')) do
    local is = redis.call('HMGET', tag .. ':bot:' .. bot, 'replies', 'running')
    local ready, limit = redis.call('ZCARD', tag .. ':ready:' .. bot), tonumber(is[1] or '0')
    if limit > 0 then ready = math.max(0, math.min(ready, limit - tonumber(is[2] or '0'))) end
    count = count + ready
  end
  return count
end

local function owned(tag, session, key, epoch)
  local c = redis.call('HMGET', conversation(tag, key), 'owner', 'epoch')
  return c[1] == session and c[2] == epoch
end

local function put_back(tag, at, key, event)
  local id = let_go(tag, key)
  make_ready(tag, key)
  log(tag, at, event, key, id, '')
end

local function forget_session(tag, session)
  redis.call('ZREM', tag .. ':sessions', session)
  redis.call('SREM', tag .. ':draining', session)
  redis.call('DEL', tag .. ':running:' .. session)
end

local function reap(tag, at, session, last_send_at)
  local held = redis.call('ZRANGE', tag .. ':running:' .. session, 0, -1)
  forget_session(tag, session)
  for _, key in ipairs(held) do
    local c = conversation(tag, key)
    redis.call('HINCRBY', c, 'crashes', 1)
    redis.call('HSET', c, 'last_send_at', last_send_at)
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
    if other ~= args[2] then taken = taken + reap(tag, at, other, at) end
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
-- Gives 'session-lost', or the claims that its process does not know of and those of turns that were stopped.
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
    local is = redis.call('HMGET', conversation(tag, key), 'epoch', 'stopped')
    if is[2] or held[key] ~= is[1] then
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
    redis.call('HSET', conversation(tag, key), 'last_send_at', at)
    put_back(tag, at, key, 'turn.released')
  end
  if #held > 0 then wake(tag) end
  return 'ok'
end

local function store_turn(tag, key, place, id, at, refusal, person, messages)
  redis.call('LSET', queue(tag, key), place, id .. ' ' .. at .. ' ' .. refusal .. ' ' .. person .. '\n' .. messages)
end

-- Refuse the turn at a place of the queue, unless it is refused already or its final text is stored.
-- Gives nil or {key, epoch, session that runs it or '', reason}.
local function stop_turn(tag, at, key, place, reason)
  local c = redis.call('HMGET', conversation(tag, key), 'epoch', 'owner', 'final')
  local id, admitted_at, refusal, person, messages = facts(redis.call('LINDEX', queue(tag, key), place))
  if refusal ~= '' or (place == 0 and c[3]) then return nil end
  store_turn(tag, key, place, id, admitted_at, reason, person, messages)
  log(tag, at, 'turn.stopped', key, id, reason)
  local owner = place == 0 and c[2] or ''
  if owner ~= '' then
    redis.call('HSET', conversation(tag, key), 'stopped', '1')
    wake(tag, 'stop')
  end
  return {key, c[1] or '0', owner, reason}
end

-- Let a message join the last turn of its conversation; that turn's id, nil if it may not.
local function merge(tag, key, most, turn, person, message)
  local last = redis.call('LINDEX', queue(tag, key), -1)
  local id, _, refusal, of = facts(last)
  local _, lines = string.gsub(last, '\n', '')
  if refusal ~= '' or of ~= person or lines >= most then return nil end
  if redis.call('LLEN', queue(tag, key)) == 1 and redis.call('HEXISTS', conversation(tag, key), 'attempt') == 1 then
    return nil
  end
  redis.call('LSET', queue(tag, key), -1, last .. '\n' .. turn .. ' ' .. message)
  return id
end

-- args: time session entering may_claim queued key turn refusal message bot person replies per_person when_busy.
-- Gives {'duplicate'}, {'queue_full', notice due}, {'ready'}, {'queued'} or {'claimed', admitted_at, epoch}; in front of
-- further elements of 'queue_full' and 'queued' stands what was stopped, if anything.
local function admit(keys, args)
  local tag, session, key, turn, refusal = keys[1], args[2], args[6], args[7], args[8]
  local bot, person, when_busy = args[10], args[11], args[14]
  local now, at = time(args[1])
  enter(tag, now, session, args[3])
  if seen(tag, now, at, turn) then return {'duplicate'} end
  redis.call('HSET', tag .. ':bot:' .. bot, 'replies', args[12], 'per_person', args[13])
  local c, most = conversation(tag, key), tonumber(args[5])
  local waiting = redis.call('LLEN', queue(tag, key))
  local is = redis.call('HMGET', c, 'number', 'told_full', 'attempt')
  local stopped
  if waiting > 0 and when_busy ~= 'queue' and refusal == '' then
    if when_busy == 'interrupt' and is[3] then stopped = stop_turn(tag, at, key, 0, 'superseded') end
    local joined = merge(tag, key, most, turn, person, args[9])
    if joined then
      redis.call('HSET', tag .. ':queued', turn, key)
      log(tag, at, 'message.merged', key, turn, joined)
      return {'queued', stopped}
    end
  end
  if waiting > most then
    redis.call('HSET', c, 'told_full', '1')
    log(tag, at, 'message.refused', key, turn, 'queue_full')
    return {'queue_full', is[2] and 0 or 1, stopped}
  end
  if not is[1] then redis.call('HSET', c, 'number', number(tag, 'conversations'), 'bot', bot) end
  if is[2] then redis.call('HDEL', c, 'told_full') end
  redis.call('RPUSH', queue(tag, key),
    turn .. ' ' .. at .. ' ' .. refusal .. ' ' .. person .. '\n' .. turn .. ' ' .. args[9])
  redis.call('HSET', tag .. ':queued', turn, key)
  log(tag, at, 'message.admitted', key, turn, refusal)
  if waiting > 0 then return {'queued', stopped} end
  redis.call('PERSIST', c)
  if args[4] == '1' and may_claim(tag, now, session)
    and below(redis.call('HGET', tag .. ':bot:' .. bot, 'running'), args[12])
    and person_may(tag, bot, person, args[13]) then
    return {'claimed', at, take(tag, at, session, key, turn, person)}
  end
  make_ready(tag, key)
  wake(tag)
  return {'ready'}
end

-- args: time key request. Gives nil or what was stopped.
local function stop(keys, args)
  local tag, now, at = keys[1], time(args[1])
  if seen(tag, now, at, args[3]) or redis.call('EXISTS', queue(tag, args[2])) == 0 then return nil end
  return stop_turn(tag, at, args[2], 0, 'cancelled')
end

-- args: time turn. Gives nil or what was stopped or left out.
local function take_back(keys, args)
  local tag, now, at = keys[1], time(args[1])
  local key = redis.call('HGET', tag .. ':queued', args[2])
  if not key then
    seen(tag, now, at, args[2])
    return nil
  end
  for place, turn in ipairs(redis.call('LRANGE', queue(tag, key), 0, -1)) do
    local id, admitted_at, refusal, person, messages = facts(turn)
    local others, found = {}, false
    for line in string.gmatch(messages, '[^\n]+') do
      if string.match(line, '^%S+') == args[2] then found = true else others[#others + 1] = line end
    end
    if found then
      if #others == 0 then return stop_turn(tag, at, key, place - 1, 'taken_back') end
      local c = redis.call('HMGET', conversation(tag, key), 'attempt', 'epoch')
      if place == 1 and c[1] then return nil end
      store_turn(tag, key, place - 1, id, admitted_at, refusal, person, table.concat(others, '\n'))
      redis.call('HDEL', tag .. ':queued', args[2])
      log(tag, at, 'message.taken_back', key, args[2], '')
      return {key, c[2] or '0', '', 'taken_back'}
    end
  end
  return nil
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

-- args: time session key epoch delivery final ('1' or ''). Gives 'claim-lost' or 'ok'.
local function checkpoint(keys, args)
  if not owned(keys[1], args[2], args[3], args[4]) then return 'claim-lost' end
  local c = conversation(keys[1], args[3])
  redis.call('HSET', c, 'delivery', args[5])
  if args[6] == '1' then redis.call('HSET', c, 'final', '1') end
  return 'ok'
end

-- Keep the head turn, which is about to be completed, for a repair, if anything of it was shown.
local function keep_for_repair(tag, key, now, due_at)
  local turn = head(tag, key)
  local id = facts(turn)
  local is = redis.call('HMGET', conversation(tag, key), 'attempt', 'delivery', 'strays')
  if not is[2] then return end
  local kept = tag .. ':repair:' .. id
  redis.call('HSET', kept, 'turn', turn, 'attempt', is[1], 'delivery', is[2], 'strays', is[3] or '', 'until', exact(now + REPAIRABLE_FOR))
  redis.call('EXPIRE', kept, REPAIRABLE_FOR)
  redis.call('ZADD', tag .. ':repairs', exact(due_at), id)
end

-- args: time session key epoch hand_over keep_turns said detail dead_reason ('': no dead letter) repair_after ('': none).
-- Gives 'claim-lost', 'completed' (it was before), or {claimable conversations, the claim that the slot got}.
local function complete(keys, args)
  local tag, session, key, epoch = keys[1], args[2], args[3], args[4]
  local now, at = time(args[1])
  local c = conversation(tag, key)
  if redis.call('HGET', c, 'completed_epoch') == epoch then
    redis.call('HSET', c, 'completed_epoch', epoch) -- a write, so that a WAIT behind it covers the first completion
    return 'completed'
  end
  if not owned(tag, session, key, epoch) then return 'claim-lost' end
  if args[10] ~= '' then keep_for_repair(tag, key, now, now + tonumber(args[10])) end
  local id, messages = let_go(tag, key)
  redis.call('LPOP', queue(tag, key))
  for of in string.gmatch('\n' .. messages, '\n(%S+)') do redis.call('HDEL', tag .. ':queued', of) end
  redis.call('HDEL', c, 'last_send_at', 'attempt', 'crashes', 'failures', 'delivery', 'final', 'strays')
  redis.call('HSET', c, 'completed_epoch', epoch)
  redis.call('ZREM', tag .. ':running:' .. session, key)
  if args[7] ~= '' then
    redis.call('RPUSH', tag .. ':said:' .. key, args[7])
    redis.call('LTRIM', tag .. ':said:' .. key, -tonumber(args[6]), -1)
  end
  if args[9] ~= '' then
    redis.call('RPUSH', tag .. ':dead', id .. ' ' .. key .. ' ' .. args[9] .. ' ' .. at .. '\n' .. messages)
  end
  log(tag, at, 'turn.completed', key, id, args[8])
  if redis.call('EXISTS', queue(tag, key)) == 1 then
    make_ready(tag, key)
  else
    redis.call('EXPIRE', c, IDLE_FOR)
  end
  local claims = take_ready(tag, now, at, session, args[5] == '1' and 1 or 0)
  local ready = claimable(tag)
  if #claims == 0 and ready > 0 then wake(tag) end
  return {ready, claims[1]}
end

-- args: time session key epoch delay. Gives 'claim-lost' or 'ok'.
local function retry(keys, args)
  local tag, session, key = keys[1], args[2], args[3]
  local now, at = time(args[1])
  if not owned(tag, session, key, args[4]) then return 'claim-lost' end
  local c = conversation(tag, key)
  local id = let_go(tag, key)
  redis.call('HINCRBY', c, 'failures', 1)
  redis.call('HDEL', c, 'last_send_at')
  redis.call('ZREM', tag .. ':running:' .. session, key)
  redis.call('ZADD', tag .. ':due', exact(now + tonumber(args[5])), key)
  log(tag, at, 'turn.retried', key, id, '')
  if claimable(tag) > 0 then wake(tag) end
  return 'ok'
end

-- Whether sessions may be reaped: not for a while after the store was away, when leases ended that nobody could renew.
local function may_reap(tag, now)
  local heartbeat = tag .. ':heartbeat'
  local is = redis.call('HMGET', heartbeat, 'ticked_at', 'grace_until')
  local grace_until = tonumber(is[2] or '0')
  if is[1] and now - tonumber(is[1]) > OUTAGE then
    grace_until = now + GRACE
    redis.call('HSET', heartbeat, 'grace_until', exact(grace_until))
  end
  redis.call('HSET', heartbeat, 'ticked_at', exact(now))
  return now >= grace_until
end

-- args: time limit. Gives {conversations that became ready, conversations that may be claimed}.
local function tick(keys, args)
  local tag = keys[1]
  local now, at = time(args[1])
  local became = 0
  if may_reap(tag, now) then
    local expired = redis.call('ZRANGEBYSCORE', tag .. ':sessions', '-inf', exact(now), 'LIMIT', 0, args[2])
    table.sort(expired)
    for _, session in ipairs(expired) do
      became = became + reap(tag, at, session, exact(lease(tag, session) - SEND_TIMEOUT))
    end
  end
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', tag .. ':due', '-inf', exact(now), 'LIMIT', 0, args[2])) do
    redis.call('ZREM', tag .. ':due', key)
    make_ready(tag, key)
    became = became + 1
  end
  if became > 0 then wake(tag) end
  return {became, claimable(tag)}
end

-- Gives how many conversations may be claimed.
local function count_claimable(keys, args) return claimable(keys[1]) end

-- args: time limit. Gives repairs as {turn as in the queue, attempt, delivery, strays}.
local function due_repairs(keys, args)
  local tag, now = keys[1], time(args[1])
  local due = {}
  local ids = redis.call('ZRANGEBYSCORE', tag .. ':repairs', '-inf', exact(now), 'LIMIT', 0, args[2])
  for _, id in ipairs(ids) do
    local is = redis.call('HMGET', tag .. ':repair:' .. id, 'turn', 'attempt', 'delivery', 'strays', 'until')
    if is[1] and now < tonumber(is[5]) then
      redis.call('ZADD', tag .. ':repairs', exact(now + REPAIR_AGAIN), id)
      due[#due + 1] = {is[1], is[2], is[3], is[4]}
    else
      redis.call('ZREM', tag .. ':repairs', id)
    end
  end
  return due
end

-- args: time turn.
local function repaired(keys, args)
  local tag = keys[1]
  redis.call('ZREM', tag .. ':repairs', args[2])
  if redis.call('EXISTS', tag .. ':repair:' .. args[2]) == 1 then
    redis.call('HSET', tag .. ':repair:' .. args[2], 'strays', '')
  end
  return 'ok'
end

-- args: time key turn after stray.
local function suspect(keys, args)
  local tag, key, turn, line = keys[1], args[2], args[3], args[5] ~= '' and args[5] .. '\n' or ''
  local now = time(args[1])
  local kept = tag .. ':repair:' .. turn
  local of
  if redis.call('EXISTS', kept) == 1 then
    local due_at = tonumber(redis.call('ZSCORE', tag .. ':repairs', turn) or '0')
    redis.call('ZADD', tag .. ':repairs', exact(math.max(due_at, now + tonumber(args[4]))), turn)
    of = kept
  elseif redis.call('EXISTS', queue(tag, key)) == 1 and head_id(tag, key) == turn then
    of = conversation(tag, key)
  end
  if of then redis.call('HSET', of, 'strays', (redis.call('HGET', of, 'strays') or '') .. line) end
  return 'ok'
end

-- args: time turn. Gives how many dead letters were dropped.
local function drop_dead_letter(keys, args)
  local dead = keys[1] .. ':dead'
  for _, letter in ipairs(redis.call('LRANGE', dead, 0, -1)) do
    if string.match(letter, '^%S+') == args[2] then return redis.call('LREM', dead, 1, letter) end
  end
  return 0
end

-- args: token. Runs every command that the functions use, and gives the first refusal: a function that is refused
-- half-way would leave half of its work.
local function probe(keys, args)
  local tag = keys[1]
  local name = tag .. ':probe:' .. args[1]
  local commands = {
    {'TIME'}, {'EXISTS', name},
    {'HSET', name, 'f', '1'}, {'HINCRBY', name, 'f', 1}, {'HGET', name, 'f'}, {'HMGET', name, 'f'}, {'HDEL', name, 'g'},
    {'HEXISTS', name, 'f'}, {'EXPIRE', name, 60}, {'PERSIST', name}, {'DEL', name},
    {'RPUSH', name, '1', '2'}, {'LPOS', name, '1'}, {'LINDEX', name, 0}, {'LLEN', name}, {'LRANGE', name, 0, -1},
    {'LSET', name, 0, '1'}, {'LREM', name, 1, '3'}, {'LTRIM', name, 0, 1}, {'LPOP', name}, {'DEL', name},
    {'ZADD', name, 1, 'm'}, {'ZSCORE', name, 'm'}, {'ZCARD', name}, {'ZRANGE', name, 0, -1},
    {'ZRANGEBYSCORE', name, '-inf', '1'}, {'ZREM', name, 'n'}, {'DEL', name},
    {'SADD', name, 'm'}, {'SISMEMBER', name, 'm'}, {'SMEMBERS', name}, {'SREM', name, 'n'}, {'DEL', name},
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
redis.register_function('@LIBRARY@_stop', stop)
redis.register_function('@LIBRARY@_take_back', take_back)
redis.register_function('@LIBRARY@_claim', claim)
redis.register_function('@LIBRARY@_count_claimable', count_claimable)
redis.register_function('@LIBRARY@_checkpoint', checkpoint)
redis.register_function('@LIBRARY@_complete', complete)
redis.register_function('@LIBRARY@_retry', retry)
redis.register_function('@LIBRARY@_tick', tick)
redis.register_function('@LIBRARY@_due_repairs', due_repairs)
redis.register_function('@LIBRARY@_repaired', repaired)
redis.register_function('@LIBRARY@_suspect', suspect)
redis.register_function('@LIBRARY@_drop_dead_letter', drop_dead_letter)
redis.register_function('@LIBRARY@_probe', probe)
redis.register_function('@LIBRARY@_join_house', join_house)
redis.register_function('@LIBRARY@_use_partitions', use_partitions)
redis.register_function('@LIBRARY@_put_record', put_record)
redis.register_function('@LIBRARY@_delete_record', delete_record)

local FULL_FOR = 60

-- A budget's key, its level now, and the seconds for which it is still closed. One that is not kept is full.
local function budget(tag, now, args)
  local key, rate, burst = tag .. ':budget:' .. args[2], tonumber(args[3]), tonumber(args[4])
  local b = redis.call('HMGET', key, 'level', 'at', 'closed_until')
  local level = burst
  if b[1] then level = math.min(burst, tonumber(b[1]) + math.max(0, now - tonumber(b[2])) * rate) end
  return key, level, math.max(0, tonumber(b[3] or '0') - now)
end

local function keep_budget(key, now, args, level, closed)
  local rate, burst = tonumber(args[3]), tonumber(args[4])
  redis.call('HSET', key, 'level', exact(level), 'at', exact(now), 'closed_until', exact(now + closed))
  redis.call('EXPIRE', key, math.ceil(closed + (burst - level) / rate) + FULL_FOR)
end

-- args: time name rate burst reserve urgent partial unused.
-- Gives {urgent granted, partial granted, level after that, seconds for which it is still closed}.
local function lease_permits(keys, args)
  local now = time(args[1])
  local key, level, closed = budget(keys[1], now, args)
  level = math.min(tonumber(args[4]), level + tonumber(args[8]))
  local function grant(asked, kept)
    if closed > 0 then return 0 end
    local granted = math.max(0, math.min(tonumber(asked), math.floor(level - kept + 1e-9)))
    level = level - granted
    return granted
  end
  local urgent = grant(args[6], 0)
  local partial = grant(args[7], tonumber(args[5]))
  keep_budget(key, now, args, level, closed)
  return {urgent, partial, exact(level), exact(closed)}
end

-- args: time name rate burst seconds.
local function close_budget(keys, args)
  local now = time(args[1])
  local key, level, closed = budget(keys[1], now, args)
  keep_budget(key, now, args, math.min(level, 1), math.max(closed, tonumber(args[5])))
  return 'ok'
end

redis.register_function('@LIBRARY@_lease_permits', lease_permits)
redis.register_function('@LIBRARY@_close_budget', close_budget)
