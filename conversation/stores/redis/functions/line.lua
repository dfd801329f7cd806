-- Who is next: ready conversations of several bots, and the limits of bots and persons.

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
-- Gives the turn's id, the lines of its messages, its person and its refusal.
local function let_go(tag, key)
  local id, _, refusal, person, messages = facts(head(tag, key))
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
  return id, messages, person, refusal
end

-- The claim on a conversation as it stands: what Python reads as a Claim.
local function current_claim(tag, key)
  local c = redis.call('HMGET', conversation(tag, key),
    'epoch', 'last_send_at', 'attempt', 'crashes', 'failures', 'delivery', 'agent')
  return {key, c[1], c[2] or '', c[3] or '0', c[4] or '0', c[5] or '0', c[6] or '', c[7] or '', head(tag, key)}
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
