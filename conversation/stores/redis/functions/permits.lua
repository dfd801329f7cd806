-- Budgets of platforms, in permits that processes lease.

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
