-- What happens by itself.

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

-- args: time limit reap ('1': sessions, '': not, 'home': as the heartbeat of this partition, 0, says), then for how many
-- seconds transcripts, events and the audit are kept.
-- Gives {conversations that became ready, conversations that may be claimed, 1 if sessions were reaped}.
local function tick(keys, args)
  local tag = keys[1]
  local now, at = time(args[1])
  local became = 0
  local reaps = args[3] == '1' or (args[3] == 'home' and may_reap(tag, now))
  if reaps then
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
  forget_old(tag, now, tonumber(args[2]), tonumber(args[4]), tonumber(args[5]), tonumber(args[6]))
  return {became, claimable(tag), reaps and 1 or 0}
end

-- Gives how many conversations may be claimed.
local function count_claimable(keys, args) return claimable(keys[1]) end

redis.register_function('@LIBRARY@_tick', tick)
redis.register_function('@LIBRARY@_count_claimable', count_claimable)
