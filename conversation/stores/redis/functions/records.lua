-- Versioned documents.

local function record_version(record)
  return record and string.match(record, '^%d+') or '0'
end

-- args: kind id expected document. Gives 'conflict' or the new revision.
local function put_record(keys, args)
  local records = keys[1] .. ':records:' .. args[1]
  if record_version(redis.call('HGET', records, args[2])) ~= args[3] then return 'conflict' end
  local revision = number(keys[1], 'records:' .. args[1])
  local version = string.format('%d', tonumber(args[3]) + 1)
  redis.call('HSET', records, args[2], version .. ' ' .. revision .. '\n' .. args[4])
  return revision
end

-- args: kind id expected. Gives 'conflict' or 'ok'.
local function delete_record(keys, args)
  local records = keys[1] .. ':records:' .. args[1]
  if record_version(redis.call('HGET', records, args[2])) ~= args[3] then return 'conflict' end
  if redis.call('HDEL', records, args[2]) == 1 then number(keys[1], 'records:' .. args[1]) end
  return 'ok'
end

redis.register_function('@LIBRARY@_put_record', put_record)
redis.register_function('@LIBRARY@_delete_record', delete_record)
