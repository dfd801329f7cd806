-- Looking at conversations, and counting what waits.

-- {key, when a message was last admitted ('': too long ago), turns, owner or '', when its back-off ends or '', agent}
local function state(tag, now, bot, key)
  local active_at = redis.call('ZSCORE', tag .. ':conversations:' .. bot, key)
  if not active_at or tonumber(active_at) <= now - IDLE_FOR then active_at = '' end
  local c = redis.call('HMGET', conversation(tag, key), 'owner', 'agent')
  return {key, active_at, redis.call('LLEN', queue(tag, key)),
    c[1] or '', redis.call('ZSCORE', tag .. ':due', key) or '', c[2] or ''}
end

-- args: time bot newest ('+inf' or a time) offset limit. Gives the states, newest activity first.
local function list_conversations(keys, args)
  local tag, now, bot, found = keys[1], time(args[1]), args[2], {}
  local listed = redis.call('ZREVRANGEBYSCORE', tag .. ':conversations:' .. bot, args[3], '(' .. exact(now - IDLE_FOR),
    'LIMIT', args[4], args[5])
  for _, key in ipairs(listed) do found[#found + 1] = state(tag, now, bot, key) end
  return found
end

-- args: time bot key.
local function find_conversation(keys, args)
  local now = time(args[1])
  return state(keys[1], now, args[2], args[3])
end

-- args: time key limit. Gives {attempt crashes failures delivery of the head, then the turns}.
local function look_at_queue(keys, args)
  local c = redis.call('HMGET', conversation(keys[1], args[2]), 'attempt', 'crashes', 'failures', 'delivery')
  return {c[1] or '0', c[2] or '0', c[3] or '0', c[4] or '',
    redis.call('LRANGE', queue(keys[1], args[2]), 0, tonumber(args[3]) - 1)}
end

-- args: time person, then conversation keys. Gives how many messages of the person are in their queues.
local function count_waiting(keys, args)
  local count = 0
  for i = 3, #args do
    for _, turn in ipairs(redis.call('LRANGE', queue(keys[1], args[i]), 0, -1)) do
      local _, _, _, person, messages = facts(turn)
      if person == args[2] then
        local _, line_ends = string.gsub(messages, '\n', '')
        count = count + line_ends + 1
      end
    end
  end
  return count
end

-- args: time bot. Gives how many of its turns wait, and since when that one does which is next as soon as there is
-- room ('': none), in seconds. It parks nobody, as who looks changes nothing.
local function measure_queue(keys, args)
  local tag, now, bot = keys[1], time(args[1]), args[2]
  local is = redis.call('HMGET', tag .. ':bot:' .. bot, 'turns', 'running', 'per_person')
  local waiting, from, some = tonumber(is[1] or '0') - tonumber(is[2] or '0'), 0, nil
  repeat
    some = redis.call('ZRANGE', tag .. ':ready:' .. bot, from, from + 99)
    for _, key in ipairs(some) do
      local _, admitted_at, _, person = facts(head(tag, key))
      if person_may(tag, bot, person, is[3]) then return {waiting, exact(now - tonumber(admitted_at))} end
    end
    from = from + 100
  until #some < 100
  return {waiting, ''}
end

redis.register_function('@LIBRARY@_list_conversations', list_conversations)
redis.register_function('@LIBRARY@_measure_queue', measure_queue)
redis.register_function('@LIBRARY@_find_conversation', find_conversation)
redis.register_function('@LIBRARY@_look_at_queue', look_at_queue)
redis.register_function('@LIBRARY@_count_waiting', count_waiting)
