"""What webhooks do inside Redis: each script is one atomic act, timed by Redis' own clock.

Keys, all under ``<ns>:hooks:``

endpoints, off, since, ok   hashes by endpoint: what it is (JSON), why it is disabled, since when it is told (s),
                            when something last arrived (ms)
of:<tenant>      set: its endpoints
d:<id>           hash of a delivery: endpoint, doc (what never changes), state, attempts, failures, due (ms), token, ord
log:<endpoint>   zset: its deliveries by a number that only grows
due:<endpoint>   zset: those that wait, by when they are due (ms); a claimed one by the end of its hold
waiting          zset: endpoints with anything in ``due``, by the earliest of it
cursor           up to where in the events of all sagas deliveries were made
orders, tokens   counters that never start again

In every script the first write is one that Redis refuses when its memory is full, so that nothing is half done then.
"""

from farm.adapters.redis_scripts import script

_HOOKS = """
local function hook(kind, id) return ns .. ':hooks:' .. kind .. (id and ':' .. id or '') end
local function awaken(endpoint)
  local first = redis.call('ZRANGE', hook('due', endpoint), 0, 0, 'WITHSCORES')
  if first[2] then redis.call('ZADD', hook('waiting'), first[2], endpoint)
  else redis.call('ZREM', hook('waiting'), endpoint) end
end
local function told(id)
  local is = redis.call('HMGET', hook('d', id), 'doc', 'state', 'attempts', 'failures', 'due', 'ord')
  if not is[1] then return nil end
  return is
end
local function grant(id, endpoint, hold)
  local token = redis.call('INCR', hook('tokens'))
  local ends = string.format('%.0f', now + hold)
  redis.call('HSET', hook('d', id), 'token', token, 'due', ends)
  redis.call('ZADD', hook('due', endpoint), ends, id)
  return token
end
local function abandon(endpoint, keep)
  for _, id in ipairs(redis.call('ZRANGE', hook('due', endpoint), 0, -1)) do
    redis.call('HSET', hook('d', id), 'state', 'abandoned', 'due', '', 'token', '')
    redis.call('PEXPIRE', hook('d', id), keep)
  end
  redis.call('DEL', hook('due', endpoint))
  redis.call('ZREM', hook('waiting'), endpoint)
end
"""

ADD = script(
    _HOOKS,
    """
local id, tenant, doc, most, cursor = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
if redis.call('HEXISTS', hook('endpoints'), id) == 1 then return {'exists'} end
if redis.call('SCARD', hook('of', tenant)) >= most then return {'full'} end
redis.call('HSET', hook('endpoints'), id, doc)
redis.call('HSET', hook('since'), id, at)
redis.call('SADD', hook('of', tenant), id)
redis.call('SET', hook('cursor'), cursor, 'NX')
return {'ok', at}
""",
)

CHANGE = script(
    _HOOKS,
    """
if redis.call('HEXISTS', hook('endpoints'), ARGV[2]) == 0 then return 0 end
redis.call('HSET', hook('endpoints'), ARGV[2], ARGV[3])
return 1
""",
)

DISABLE = script(
    _HOOKS,
    """
if redis.call('HEXISTS', hook('endpoints'), ARGV[2]) == 0 then return 0 end
redis.call('HSET', hook('off'), ARGV[2], ARGV[3])
abandon(ARGV[2], ARGV[4])
return 1
""",
)

ENABLE = script(_HOOKS, "return redis.call('HDEL', hook('off'), ARGV[2])")

REMOVE = script(
    _HOOKS,
    """
local id, tenant = ARGV[2], ARGV[3]
for _, delivery in ipairs(redis.call('ZRANGE', hook('log', id), 0, -1)) do redis.call('DEL', hook('d', delivery)) end
redis.call('DEL', hook('log', id), hook('due', id))
redis.call('ZREM', hook('waiting'), id)
redis.call('SREM', hook('of', tenant), id)
for _, name in ipairs({'off', 'since', 'ok'}) do redis.call('HDEL', hook(name), id) end
return redis.call('HDEL', hook('endpoints'), id)
""",
)

ENDPOINTS = script(
    _HOOKS,
    """
local ids = {}
if ARGV[2] ~= '' then ids = redis.call('SMEMBERS', hook('of', ARGV[2])) else ids[1] = ARGV[3] end
local found = {}
for _, id in ipairs(ids) do
  local doc = redis.call('HGET', hook('endpoints'), id)
  if doc then
    found[#found + 1] = {doc, redis.call('HGET', hook('since'), id) or '0', redis.call('HGET', hook('off'), id) or '',
      redis.call('HGET', hook('ok'), id) or ''}
  end
end
return found
""",
)

ENQUEUE = script(
    _HOOKS,
    """
local cursor, most = ARGV[2], tonumber(ARGV[3])
local full = {}
for n = 4, #ARGV, 3 do
  local id, endpoint, doc = ARGV[n], ARGV[n + 1], ARGV[n + 2]
  local log, due = hook('log', endpoint), hook('due', endpoint)
  if redis.call('EXISTS', hook('d', id)) == 0 and redis.call('HEXISTS', hook('endpoints'), endpoint) == 1 then
    if redis.call('ZCARD', due) >= most then
      full[#full + 1] = endpoint
    else
      local ord = redis.call('INCR', hook('orders'))
      local ms = string.format('%.0f', now)
      redis.call('HSET', hook('d', id), 'endpoint', endpoint, 'doc', doc, 'state', 'pending', 'attempts', '[]',
        'failures', 0, 'due', ms, 'token', '', 'ord', ord)
      redis.call('ZADD', log, ord, id)
      redis.call('ZADD', due, ms, id)
      awaken(endpoint)
      -- The oldest make room: those that expired already, and ended ones past the bound.
      for _, old in ipairs(redis.call('ZRANGE', log, 0, 3)) do
        local state = redis.call('HGET', hook('d', old), 'state')
        if not state or (state ~= 'pending' and redis.call('ZCARD', log) > most) then
          redis.call('DEL', hook('d', old))
          redis.call('ZREM', log, old)
        end
      end
    end
  end
end
if cursor ~= '' then redis.call('SET', hook('cursor'), cursor) end
return full
""",
)

CLAIM = script(
    _HOOKS,
    """
local hold, limit, room = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local rooms = {}
for n = 5, #ARGV, 2 do rooms[ARGV[n]] = tonumber(ARGV[n + 1]) end
local ms = string.format('%.0f', now)
local found = {}
for _, endpoint in ipairs(redis.call('ZRANGEBYSCORE', hook('waiting'), '-inf', ms, 'LIMIT', 0, 512)) do
  local places = math.min(rooms[endpoint] or room, limit - #found)
  if places > 0 then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', hook('due', endpoint), '-inf', ms, 'LIMIT', 0, places)) do
      local token = grant(id, endpoint, hold)
      local is = told(id)
      if is then found[#found + 1] = {token, is} else redis.call('ZREM', hook('due', endpoint), id) end
    end
    awaken(endpoint)
  end
end
return found
""",
)

CLAIM_ONE = script(
    _HOOKS,
    """
local id, hold = ARGV[2], tonumber(ARGV[3])
local is = redis.call('HMGET', hook('d', id), 'endpoint', 'state', 'token', 'due')
if is[2] ~= 'pending' or (is[3] ~= '' and tonumber(is[4]) > now) then return {} end
local token = grant(id, is[1], hold)
awaken(is[1])
return {token, told(id)}
""",
)

SETTLE = script(
    _HOOKS,
    """
local id, token, state, attempts, failures, wait, keep =
  ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local delivery = hook('d', id)
local is = redis.call('HMGET', delivery, 'token', 'endpoint')
if is[1] ~= token then return 0 end
local due = ''
if wait ~= '' then due = string.format('%.0f', now + tonumber(wait)) end
redis.call('HSET', delivery, 'state', state, 'attempts', attempts, 'failures', failures, 'due', due, 'token', '')
if wait ~= '' then
  redis.call('ZADD', hook('due', is[2]), due, id)
else
  redis.call('ZREM', hook('due', is[2]), id)
  redis.call('PEXPIRE', delivery, keep)
end
awaken(is[2])
if state == 'delivered' then redis.call('HSET', hook('ok'), is[2], string.format('%.0f', now)) end
return 1
""",
)

REPLAY = script(
    _HOOKS,
    """
local id = ARGV[2]
local delivery = hook('d', id)
local is = redis.call('HMGET', delivery, 'endpoint', 'state', 'token', 'due')
if not is[1] then return {} end
if is[2] ~= 'pending' or is[3] == '' or tonumber(is[4]) <= now then
  local ms = string.format('%.0f', now)
  redis.call('HSET', delivery, 'state', 'pending', 'failures', 0, 'due', ms, 'token', '')
  redis.call('PERSIST', delivery)
  redis.call('ZADD', hook('due', is[1]), ms, id)
  awaken(is[1])
end
return told(id)
""",
)

DELIVERY = script(_HOOKS, "return told(ARGV[2]) or {}")

# Stops after a bounded number of ids and says where to go on, so that no log holds up the journal.
LOG = script(
    _HOOKS,
    """
local endpoint, below, limit, state = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local ids = redis.call('ZREVRANGEBYSCORE', hook('log', endpoint), '(' .. below, '-inf', 'WITHSCORES', 'LIMIT', 0, 500)
local found = {}
for n = 1, #ids, 2 do
  local is = told(ids[n])
  if is and (state == '' or is[2] == state) then found[#found + 1] = is end
  if #found == limit then return {ids[n + 1], found} end
end
return {#ids == 1000 and ids[999 + 1] or '', found}
""",
)
