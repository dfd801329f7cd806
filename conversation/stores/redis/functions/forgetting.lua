-- What is forgotten by age, a bounded share at a time. Costs little when nothing is due.

local function forget_dead(tag, latest, limit)
  for _ = 1, limit do
    local oldest = redis.call('LINDEX', tag .. ':dead', 0)
    if not oldest or tonumber(string.match(oldest, '^%S+ %S+ %S+ (%S+)') or '0') > latest then return end
    redis.call('LPOP', tag .. ':dead')
  end
end

-- Entries stand in the order of their time, which is their first field.
local function forget_entries(stream, latest, limit)
  local function is_old(entry) return entry and tonumber(entry[2][2]) <= latest end
  if not is_old(redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]) then return end
  local newest
  for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', limit)) do
    if not is_old(entry) then break end
    newest = entry[1]
  end
  redis.call('XTRIM', stream, 'MINID', string.format('0-%d', tonumber((string.match(newest, '%d+$'))) + 1))
end

local function forget_idle(tag, latest, limit)
  for _, bot in ipairs(redis.call('SMEMBERS', tag .. ':listed')) do
    local listed = tag .. ':conversations:' .. bot
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', listed, '-inf', exact(latest), 'LIMIT', 0, limit)) do
      redis.call('ZREM', listed, key)
    end
    if redis.call('EXISTS', listed) == 0 then redis.call('SREM', tag .. ':listed', bot) end
  end
end

local function forget_old(tag, now, limit, transcripts, events, audit)
  forget_said(tag, now - transcripts, limit)
  forget_dead(tag, now - transcripts, limit)
  forget_entries(tag .. ':events', now - events, limit)
  forget_entries(tag .. ':audit', now - audit, limit)
  forget_idle(tag, now - IDLE_FOR, limit)
end
