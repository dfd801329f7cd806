-- Sessions and what they hold.

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

redis.register_function('@LIBRARY@_open_session', open_session)
redis.register_function('@LIBRARY@_take_over', take_over)
redis.register_function('@LIBRARY@_take_over_here', take_over_here)
redis.register_function('@LIBRARY@_renew', renew)
redis.register_function('@LIBRARY@_drain', drain)
redis.register_function('@LIBRARY@_close_session', close_session)
