-- What is forgotten by age, a bounded share at a time. Costs little when nothing is due.

-- The time of a transcript's element.
local function said_at(element) return tonumber((string.match(element, '^%S+ %S+ (%S+)'))) end

local function forget_said(tag, key, since, limit)
  local list = tag .. ':said:' .. key
  for _ = 1, limit do
    local oldest = redis.call('LINDEX', list, 0)
    if not oldest then return redis.call('ZREM', tag .. ':said_due', key) end
    if said_at(oldest) > since then return redis.call('ZADD', tag .. ':said_due', exact(said_at(oldest)), key) end
    redis.call('LPOP', list)
  end
end

local function forget_dead(tag, since, limit)
  for _ = 1, limit do
    local oldest = redis.call('LINDEX', tag .. ':dead', 0)
    if not oldest or tonumber((string.match(oldest, '^%S+ %S+ %S+ (%S+)'))) > since then return end
    redis.call('LPOP', tag .. ':dead')
  end
end

local function forget_stream(name, since, limit)
  local function is_old(entry) return tonumber(entry[2][2]) <= since end -- at is the first field
  local first = redis.call('XRANGE', name, '-', '+', 'COUNT', 1)[1]
  if not first or not is_old(first) then return end
  local newest
  for _, entry in ipairs(redis.call('XRANGE', name, '-', '+', 'COUNT', limit)) do
    if not is_old(entry) then break end
    newest = entry[1]
  end
  redis.call('XTRIM', name, 'MINID', '0-' .. string.format('%d', tonumber((string.match(newest, '%d+$'))) + 1))
end

-- args: as those of tick.
local function forget_old(tag, now, limit, args)
  local since = now - tonumber(args[4])
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', tag .. ':said_due', '-inf', exact(since), 'LIMIT', 0, limit)) do
    forget_said(tag, key, since, limit)
  end
  forget_dead(tag, since, limit)
  forget_stream(tag .. ':events', now - tonumber(args[5]), limit)
  forget_stream(tag .. ':audit', now - tonumber(args[6]), limit)
  for _, bot in ipairs(redis.call('SMEMBERS', tag .. ':listed')) do
    redis.call('ZREMRANGEBYSCORE', tag .. ':conversations:' .. bot, '-inf', exact(now - IDLE_FOR))
    if redis.call('EXISTS', tag .. ':conversations:' .. bot) == 0 then redis.call('SREM', tag .. ':listed', bot) end
  end
end
