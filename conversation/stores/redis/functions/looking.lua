-- Looking at conversations, the audit, and what is kept of one person.

-- {key, active_at ('': not listed any more), turns, owner or '', when its back-off ends or '', agent or ''}
local function state(tag, bot, key)
  local c = redis.call('HMGET', conversation(tag, key), 'owner', 'agent')
  return {key, redis.call('ZSCORE', tag .. ':conversations:' .. bot, key) or '', redis.call('LLEN', queue(tag, key)),
    c[1] or '', redis.call('ZSCORE', tag .. ':due', key) or '', c[2] or ''}
end

-- args: time bot newest ('+inf' or a time) offset limit. Gives the states, newest activity first.
local function list_conversations(keys, args)
  local tag, now, found = keys[1], time(args[1]), {}
  local listed = redis.call('ZREVRANGEBYSCORE', tag .. ':conversations:' .. args[2], args[3], '(' .. exact(now - IDLE_FOR),
    'LIMIT', args[4], args[5])
  for _, key in ipairs(listed) do found[#found + 1] = state(tag, args[2], key) end
  return found
end

-- args: time bot key.
local function find_conversation(keys, args) return state(keys[1], args[2], args[3]) end

-- args: time key limit. Gives {attempt crashes failures delivery of the head, then the turns}.
local function look_at_queue(keys, args)
  local c = redis.call('HMGET', conversation(keys[1], args[2]), 'attempt', 'crashes', 'failures', 'delivery')
  return {c[1] or '0', c[2] or '0', c[3] or '0', c[4] or '',
    redis.call('LRANGE', queue(keys[1], args[2]), 0, tonumber(args[3]) - 1)}
end

-- args: time who action target detail.
local function append_audit(keys, args)
  local _, at = time(args[1])
  redis.call('XADD', keys[1] .. ':audit', '0-*',
    'at', at, 'who', args[2], 'action', args[3], 'target', args[4], 'detail', args[5])
  return 'ok'
end

-- args: time person. Gives how many turns were forgotten.
local function erase_said(keys, args)
  local tag, of, gone = keys[1], keys[1] .. ':said_of:' .. args[2], 0
  for _, key in ipairs(redis.call('SMEMBERS', of)) do
    for _, element in ipairs(redis.call('LRANGE', tag .. ':said:' .. key, 0, -1)) do
      if string.match(element, '^%S+ (%S+)') == args[2] then
        gone = gone + redis.call('LREM', tag .. ':said:' .. key, 1, element)
      end
    end
  end
  redis.call('DEL', of)
  return gone
end

redis.register_function('@LIBRARY@_list_conversations', list_conversations)
redis.register_function('@LIBRARY@_find_conversation', find_conversation)
redis.register_function('@LIBRARY@_look_at_queue', look_at_queue)
redis.register_function('@LIBRARY@_append_audit', append_audit)
redis.register_function('@LIBRARY@_erase_said', erase_said)
