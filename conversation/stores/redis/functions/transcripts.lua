-- What was said. An element leaves a transcript at its front, or when it is erased, and is then counted no more.

local function said(tag, key) return tag .. ':said:' .. key end

local function said_of(tag, person) return tag .. ':said_of:' .. person end

-- turn, person, at. A damaged one is nobody's, and as old as can be.
local function said_facts(element)
  local turn, person, at = string.match(element, '^(%S+) (%S+) (%S+)\n')
  return turn or '', person or '', at or '0'
end

local function forget_oldest(tag, key)
  local _, person = said_facts(redis.call('LPOP', said(tag, key)))
  if redis.call('HINCRBY', said_of(tag, person), key, -1) <= 0 then redis.call('HDEL', said_of(tag, person), key) end
end

local function append_said(tag, at, key, turn, person, texts, keep_turns)
  local length = redis.call('RPUSH', said(tag, key), turn .. ' ' .. person .. ' ' .. at .. '\n' .. texts)
  redis.call('HINCRBY', said_of(tag, person), key, 1)
  if length == 1 then redis.call('ZADD', tag .. ':said_due', at, key) end
  for _ = keep_turns + 1, length do forget_oldest(tag, key) end
end

local function clear_said(tag, key)
  for _ = 1, redis.call('LLEN', said(tag, key)) do forget_oldest(tag, key) end
  redis.call('ZREM', tag .. ':said_due', key)
end

-- Forget up to limit turns of that time or before, the oldest first.
local function forget_said(tag, latest, limit)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', tag .. ':said_due', '-inf', exact(latest), 'LIMIT', 0, limit)) do
    local oldest, at = redis.call('LINDEX', said(tag, key), 0), nil
    while oldest do
      _, _, at = said_facts(oldest)
      if tonumber(at) > latest then break end
      if limit == 0 then return end
      limit = limit - 1
      forget_oldest(tag, key)
      oldest = redis.call('LINDEX', said(tag, key), 0)
    end
    if oldest then redis.call('ZADD', tag .. ':said_due', at, key) else redis.call('ZREM', tag .. ':said_due', key) end
  end
end

-- args: time person key. Gives how many turns of the person were forgotten in this conversation.
local function erase_said(keys, args)
  local tag, person, key, gone = keys[1], args[2], args[3], 0
  for _, element in ipairs(redis.call('LRANGE', said(tag, key), 0, -1)) do
    local _, of = said_facts(element)
    if of == person then gone = gone + redis.call('LREM', said(tag, key), 1, element) end
  end
  redis.call('HDEL', said_of(tag, person), key)
  return gone
end

redis.register_function('@LIBRARY@_erase_said', erase_said)
