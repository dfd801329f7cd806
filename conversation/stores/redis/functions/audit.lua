-- Who changed what.

-- args: time who action target detail.
local function append_audit(keys, args)
  local _, at = time(args[1])
  redis.call('XADD', keys[1] .. ':audit', '0-*',
    'at', at, 'who', args[2], 'action', args[3], 'target', args[4], 'detail', args[5])
  return 'ok'
end

redis.register_function('@LIBRARY@_append_audit', append_audit)
