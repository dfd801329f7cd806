-- A turn from its claim to its end.

local function owned(tag, session, key, epoch)
  local c = redis.call('HMGET', conversation(tag, key), 'owner', 'epoch')
  return c[1] == session and c[2] == epoch
end

-- args: time session entering most. Gives 'session-lost' or the claims.
local function claim(keys, args)
  local tag, session = keys[1], args[2]
  local now, at = time(args[1])
  enter(tag, now, session, args[3])
  local ends = lease(tag, session)
  if not ends or ends <= now then return 'session-lost' end
  return take_ready(tag, now, at, session, tonumber(args[4]))
end

-- args: time session key epoch delivery final ('1' or ''). Gives 'claim-lost' or 'ok'.
local function checkpoint(keys, args)
  if not owned(keys[1], args[2], args[3], args[4]) then return 'claim-lost' end
  local c = conversation(keys[1], args[3])
  redis.call('HSET', c, 'delivery', args[5])
  if args[6] == '1' then redis.call('HSET', c, 'final', '1') else redis.call('HDEL', c, 'final') end
  return 'ok'
end

-- Keep the head turn, which is about to be completed, for a repair, if anything of it was shown.
local function keep_for_repair(tag, key, now, due_at)
  local turn = head(tag, key)
  local id = facts(turn)
  local is = redis.call('HMGET', conversation(tag, key), 'attempt', 'delivery', 'strays')
  if not is[2] then return end
  local kept = tag .. ':repair:' .. id
  redis.call('HSET', kept, 'turn', turn, 'attempt', is[1], 'delivery', is[2], 'strays', is[3] or '', 'until', exact(now + REPAIRABLE_FOR))
  redis.call('EXPIRE', kept, REPAIRABLE_FOR)
  redis.call('ZADD', tag .. ':repairs', exact(due_at), id)
end

-- What a command does to its conversation when its turn has come.
local function obey(tag, key, command, agent)
  if command == 'bind' then redis.call('HSET', conversation(tag, key), 'agent', agent) end
  if command == 'end' then redis.call('HDEL', conversation(tag, key), 'agent') end
  if command == 'clear' or command == 'end' then clear_said(tag, key) end
end

-- args: time session key epoch hand_over keep_turns said detail dead_reason ('': no dead letter) repair_after ('': none)
-- keep_texts ('1' or '') command ('': none) agent. A command that was stopped is not obeyed.
-- Gives 'claim-lost', 'completed' (it was before), or {claimable conversations, the claim that the slot got}.
local function complete(keys, args)
  local tag, session, key, epoch = keys[1], args[2], args[3], args[4]
  local now, at = time(args[1])
  local c = conversation(tag, key)
  if redis.call('HGET', c, 'completed_epoch') == epoch then
    redis.call('HSET', c, 'completed_epoch', epoch) -- a write, so that a WAIT behind it covers the first completion
    return 'completed'
  end
  if not owned(tag, session, key, epoch) then return 'claim-lost' end
  if args[10] ~= '' then keep_for_repair(tag, key, now, now + tonumber(args[10])) end
  local id, messages, person, refusal = let_go(tag, key)
  redis.call('LPOP', queue(tag, key))
  redis.call('HINCRBY', tag .. ':bot:' .. bot_of(tag, key), 'turns', -1)
  for of in string.gmatch('\n' .. messages, '\n(%S+)') do redis.call('HDEL', tag .. ':queued', of) end
  redis.call('HDEL', c, 'last_send_at', 'attempt', 'crashes', 'failures', 'delivery', 'final', 'strays')
  redis.call('HSET', c, 'completed_epoch', epoch)
  redis.call('ZREM', tag .. ':running:' .. session, key)
  if args[7] ~= '' then append_said(tag, at, key, id, person, args[7], tonumber(args[6])) end
  if args[9] ~= '' then
    local kept = args[11] == '1' and messages or ''
    redis.call('RPUSH', tag .. ':dead',
      id .. ' ' .. key .. ' ' .. args[9] .. ' ' .. at .. ' ' .. person .. '\n' .. kept)
  end
  local stopped = args[8] == 'obeyed' and refusal ~= ''
  if not stopped then obey(tag, key, args[12], args[13]) end
  log(tag, at, 'turn.completed', key, id, stopped and refusal or args[8])
  if redis.call('EXISTS', queue(tag, key)) == 1 then
    make_ready(tag, key)
  else
    redis.call('EXPIRE', c, IDLE_FOR)
  end
  local claims = take_ready(tag, now, at, session, args[5] == '1' and 1 or 0)
  local ready = claimable(tag)
  if #claims == 0 and ready > 0 then wake(tag) end
  return {ready, claims[1]}
end

-- args: time session key epoch delay. Gives 'claim-lost' or 'ok'.
local function retry(keys, args)
  local tag, session, key = keys[1], args[2], args[3]
  local now, at = time(args[1])
  if not owned(tag, session, key, args[4]) then return 'claim-lost' end
  local c = conversation(tag, key)
  local id = let_go(tag, key)
  redis.call('HINCRBY', c, 'failures', 1)
  redis.call('HDEL', c, 'last_send_at')
  redis.call('ZREM', tag .. ':running:' .. session, key)
  redis.call('ZADD', tag .. ':due', exact(now + tonumber(args[5])), key)
  log(tag, at, 'turn.retried', key, id, '')
  if claimable(tag) > 0 then wake(tag) end
  return 'ok'
end

redis.register_function('@LIBRARY@_claim', claim)
redis.register_function('@LIBRARY@_checkpoint', checkpoint)
redis.register_function('@LIBRARY@_complete', complete)
redis.register_function('@LIBRARY@_retry', retry)
