-- What people say, and take back.

-- Whether the turn was admitted in the last SEEN_FOR seconds; remembers it.
local function seen(tag, now, at, turn)
  local newest = math.floor(now / BUCKET)
  for bucket = newest, math.floor((now - SEEN_FOR) / BUCKET), -1 do
    local name = tag .. ':seen:' .. bucket
    local before = redis.call('HGET', name, turn)
    if before then
      if now - tonumber(before) >= SEEN_FOR then break end
      redis.call('HSET', name, turn, before) -- a write, so that a WAIT behind it covers the first admission
      return true
    end
  end
  local name = tag .. ':seen:' .. newest
  redis.call('HSET', name, turn, at)
  redis.call('EXPIRE', name, BUCKET + SEEN_FOR, 'NX')
  return false
end

local function store_turn(tag, key, place, id, at, refusal, person, messages)
  redis.call('LSET', queue(tag, key), place, id .. ' ' .. at .. ' ' .. refusal .. ' ' .. person .. '\n' .. messages)
end

-- Refuse the turn at a place of the queue, unless it is refused already or its final text is stored.
-- Gives nil or {key, epoch, session that runs it or '', reason}.
local function stop_turn(tag, at, key, place, reason)
  local c = redis.call('HMGET', conversation(tag, key), 'epoch', 'owner', 'final')
  local id, admitted_at, refusal, person, messages = facts(redis.call('LINDEX', queue(tag, key), place))
  if refusal ~= '' or (place == 0 and c[3]) then return nil end
  store_turn(tag, key, place, id, admitted_at, reason, person, messages)
  log(tag, at, 'turn.stopped', key, id, reason)
  local owner = place == 0 and c[2] or ''
  if owner ~= '' then
    redis.call('HSET', conversation(tag, key), 'stopped', '1')
    wake(tag, 'stop')
  end
  return {key, c[1] or '0', owner, reason}
end

-- A quotation mark inside of a text is written with a backslash: this can only be the field.
local function is_command(turn)
  return string.find(turn, '"command":{', 1, true) or string.find(turn, '"asks":"%a')
end

local function list_as_active(tag, at, bot, key)
  if redis.call('ZADD', tag .. ':conversations:' .. bot, at, key) == 1 then redis.call('SADD', tag .. ':listed', bot) end
end

-- Let a message join the last turn of its conversation; that turn's id, nil if it may not.
local function merge(tag, key, most, turn, person, message)
  local last = redis.call('LINDEX', queue(tag, key), -1)
  local id, _, refusal, of = facts(last)
  local _, lines = string.gsub(last, '\n', '')
  if refusal ~= '' or of ~= person or lines >= most or is_command(last) then return nil end
  if redis.call('LLEN', queue(tag, key)) == 1 and redis.call('HEXISTS', conversation(tag, key), 'attempt') == 1 then
    return nil
  end
  redis.call('LSET', queue(tag, key), -1, last .. '\n' .. turn .. ' ' .. message)
  return id
end

-- args: time session entering may_claim queued key turn refusal message bot person replies per_person when_busy.
-- Gives {'duplicate'}, {'queue_full', notice due}, {'ready'}, {'queued', what was stopped, if anything} or
-- {'claimed', admitted_at, epoch}.
local function admit(keys, args)
  local tag, session, key, turn, refusal = keys[1], args[2], args[6], args[7], args[8]
  local bot, person, when_busy = args[10], args[11], args[14]
  local now, at = time(args[1])
  enter(tag, now, session, args[3])
  if seen(tag, now, at, turn) then return {'duplicate'} end
  redis.call('HSET', tag .. ':bot:' .. bot, 'replies', args[12], 'per_person', args[13])
  local c, most = conversation(tag, key), tonumber(args[5])
  local waiting = redis.call('LLEN', queue(tag, key))
  local is = redis.call('HMGET', c, 'number', 'told_full', 'attempt', 'agent')
  local joined, stopped
  if waiting > 0 and when_busy ~= 'queue' and refusal == '' then joined = merge(tag, key, most, turn, person, args[9]) end
  if joined then
    redis.call('HSET', tag .. ':queued', turn, key)
    list_as_active(tag, at, bot, key)
    log(tag, at, 'message.merged', key, turn, joined)
  elseif waiting > most then
    redis.call('HSET', c, 'told_full', '1')
    log(tag, at, 'message.refused', key, turn, 'queue_full')
    return {'queue_full', is[2] and 0 or 1}
  end
  if waiting > 0 and when_busy == 'interrupt' and refusal == '' and is[3] and not is_command(head(tag, key)) then
    stopped = stop_turn(tag, at, key, 0, 'superseded')
  end
  if joined then return {'queued', stopped} end
  if not is[1] then redis.call('HSET', c, 'number', number(tag, 'conversations'), 'bot', bot) end
  if is[2] then redis.call('HDEL', c, 'told_full') end
  redis.call('RPUSH', queue(tag, key),
    turn .. ' ' .. at .. ' ' .. refusal .. ' ' .. person .. '\n' .. turn .. ' ' .. args[9])
  redis.call('HSET', tag .. ':queued', turn, key)
  redis.call('HINCRBY', tag .. ':bot:' .. bot, 'turns', 1)
  list_as_active(tag, at, bot, key)
  log(tag, at, 'message.admitted', key, turn, refusal)
  if waiting > 0 then return {'queued', stopped} end
  redis.call('PERSIST', c)
  if args[4] == '1' and may_claim(tag, now, session)
    and below(redis.call('HGET', tag .. ':bot:' .. bot, 'running'), args[12])
    and person_may(tag, bot, person, args[13]) then
    return {'claimed', at, take(tag, at, session, key, turn, person), is[4] or ''}
  end
  make_ready(tag, key)
  wake(tag)
  return {'ready'}
end

-- When the newest message of a turn was sent; 0 where that cannot be read.
local function sent_at(turn)
  local _, message = pcall(cjson.decode, string.match(turn, '\n%S+ ([^\n]*)$') or '')
  return type(message) == 'table' and type(message.data) == 'table' and tonumber(message.data.sent_at) or 0
end

-- args: time key request asked_at. Gives nil or what was stopped.
local function stop(keys, args)
  local tag, now, at = keys[1], time(args[1])
  if seen(tag, now, at, args[3]) or redis.call('EXISTS', queue(tag, args[2])) == 0 then return nil end
  if sent_at(head(tag, args[2])) > tonumber(args[4]) then return nil end
  return stop_turn(tag, at, args[2], 0, 'cancelled')
end

-- args: time turn. Gives nil or what was stopped or left out.
local function take_back(keys, args)
  local tag, now, at = keys[1], time(args[1])
  local key = redis.call('HGET', tag .. ':queued', args[2])
  if not key then
    seen(tag, now, at, args[2])
    return nil
  end
  for place, turn in ipairs(redis.call('LRANGE', queue(tag, key), 0, -1)) do
    local id, admitted_at, refusal, person, messages = facts(turn)
    local others, found = {}, false
    for line in string.gmatch(messages, '[^\n]+') do
      if string.match(line, '^%S+') == args[2] then found = true else others[#others + 1] = line end
    end
    if found then
      if #others == 0 then return stop_turn(tag, at, key, place - 1, 'taken_back') end
      local c = redis.call('HMGET', conversation(tag, key), 'attempt', 'epoch')
      if place == 1 and c[1] then return nil end
      store_turn(tag, key, place - 1, id, admitted_at, refusal, person, table.concat(others, '\n'))
      redis.call('HDEL', tag .. ':queued', args[2])
      log(tag, at, 'message.taken_back', key, args[2], '')
      return {key, c[2] or '0', '', 'taken_back'}
    end
  end
  return nil
end

-- args: time turn message edited_at. Gives 1 if the message waited, and is replaced.
local function edit(keys, args)
  local tag, now, at = keys[1], time(args[1])
  local key = redis.call('HGET', tag .. ':queued', args[2])
  if not key then return 0 end
  for place, turn in ipairs(redis.call('LRANGE', queue(tag, key), 0, -1)) do
    local id, admitted_at, refusal, person, messages = facts(turn)
    local lines, found = {}, false
    for line in string.gmatch(messages, '[^\n]+') do
      if string.match(line, '^%S+') == args[2] then
        local readable, old = pcall(cjson.decode, string.match(line, '^%S+ (.*)$') or '')
        local data = readable and type(old) == 'table' and old.data
        if type(data) ~= 'table' or (tonumber(data.edited_at) or 0) >= tonumber(args[4]) then return 0 end
        found = true
        lines[#lines + 1] = args[2] .. ' ' .. args[3]
      else
        lines[#lines + 1] = line
      end
    end
    if found then
      local begun = place == 1 and redis.call('HEXISTS', conversation(tag, key), 'attempt') == 1
      if begun or refusal ~= '' or is_command(turn) then return 0 end
      store_turn(tag, key, place - 1, id, admitted_at, refusal, person, table.concat(lines, '\n'))
      log(tag, at, 'message.edited', key, args[2], '')
      return 1
    end
  end
  return 0
end

-- args: time kind key turn detail. Gives 1 if the conversation is known, and the event was appended.
local function note(keys, args)
  local tag, _, at = keys[1], time(args[1])
  if redis.call('EXISTS', conversation(tag, args[3])) == 0 then return 0 end
  log(tag, at, args[2], args[3], args[4], args[5])
  return 1
end

redis.register_function('@LIBRARY@_admit', admit)
redis.register_function('@LIBRARY@_edit', edit)
redis.register_function('@LIBRARY@_note', note)
redis.register_function('@LIBRARY@_stop', stop)
redis.register_function('@LIBRARY@_take_back', take_back)
