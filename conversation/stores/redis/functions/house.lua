-- What belongs to a whole namespace.

-- args: token. Runs every command that the functions use, and gives the first refusal: a function that is refused
-- half-way would leave half of its work.
local function probe(keys, args)
  local tag = keys[1]
  local name = tag .. ':probe:' .. args[1]
  local commands = {
    {'TIME'}, {'EXISTS', name},
    {'HSET', name, 'f', '1'}, {'HINCRBY', name, 'f', 1}, {'HGET', name, 'f'}, {'HMGET', name, 'f'}, {'HDEL', name, 'g'},
    {'HEXISTS', name, 'f'}, {'EXPIRE', name, 60}, {'PERSIST', name}, {'DEL', name},
    {'RPUSH', name, '1', '2'}, {'LPOS', name, '1'}, {'LINDEX', name, 0}, {'LLEN', name}, {'LRANGE', name, 0, -1},
    {'LSET', name, 0, '1'}, {'LREM', name, 1, '3'}, {'LPOP', name}, {'DEL', name},
    {'ZADD', name, 1, 'm'}, {'ZSCORE', name, 'm'}, {'ZCARD', name}, {'ZRANGE', name, 0, -1},
    {'ZRANGEBYSCORE', name, '-inf', '1'}, {'ZREVRANGEBYSCORE', name, '1', '-inf'}, {'ZREM', name, 'n'}, {'DEL', name},
    {'SADD', name, 'm'}, {'SISMEMBER', name, 'm'}, {'SMEMBERS', name}, {'SREM', name, 'n'}, {'DEL', name},
    {'XADD', name, 'MAXLEN', '~', 9, '0-*', 'f', '1'}, {'XRANGE', name, '-', '+'},
    {'XTRIM', name, 'MINID', '0-1'}, {'DEL', name},
  }
  for _, command in ipairs(commands) do
    local reply = redis.pcall(unpack(command))
    if type(reply) == 'table' and reply.err then return reply end
  end
  return 'ok'
end

-- args: layout partitions. Gives what this namespace was made with; makes it if it is new.
local function join_house(keys, args)
  local house = keys[1] .. ':house'
  if redis.call('EXISTS', house) == 0 then
    redis.call('HSET', house, 'layout', args[1], 'partitions', args[2])
    redis.call('RPUSH', keys[1] .. ':partitions', '0')
  end
  return redis.call('HMGET', house, 'layout', 'partitions')
end

-- args: numbers of partitions that are used. Gives all that were ever used, in the order of their first use.
local function use_partitions(keys, args)
  local list = keys[1] .. ':partitions'
  for _, partition in ipairs(args) do
    if not redis.call('LPOS', list, partition) then redis.call('RPUSH', list, partition) end
  end
  return redis.call('LRANGE', list, 0, -1)
end

redis.register_function('@LIBRARY@_probe', probe)
redis.register_function('@LIBRARY@_join_house', join_house)
redis.register_function('@LIBRARY@_use_partitions', use_partitions)
