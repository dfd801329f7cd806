-- Turns that are looked at again: repairs and dead letters.

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

-- args: time turn strays. Changes nothing if other strays were told of meanwhile.
local function repaired(keys, args)
  local tag = keys[1]
  local kept = tag .. ':repair:' .. args[2]
  if redis.call('HGET', kept, 'strays') == args[3] then
    redis.call('ZREM', tag .. ':repairs', args[2])
    redis.call('HSET', kept, 'strays', '')
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

redis.register_function('@LIBRARY@_due_repairs', due_repairs)
redis.register_function('@LIBRARY@_repaired', repaired)
redis.register_function('@LIBRARY@_suspect', suspect)
redis.register_function('@LIBRARY@_drop_dead_letter', drop_dead_letter)
