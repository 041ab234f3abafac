"""What the saga store does inside Redis: each script is one atomic act, timed by Redis' own clock.

Keys, all under the namespace (default ``farm``); Redis is one primary, so scripts build them themselves:

<ns>:s:<id>      hash of a saga: seq, epoch, exp (ms, 0: no lease), owner, live, ord, score, rec, ix, evn, last
<ns>:j:<id>      list: the journal, an entry is [seq, at_s, kind, step, attempt, version, data]
<ns>:e:<id>      stream: the saga's events, <number>-0
<ns>:i:<id>      list: its inbox
<ns>:a:<id>      hash: annotations of its record
<ns>:f:<id>      hash: how often its failpoints were reached
<ns>:queue       zset: live sagas that nobody leased, by ord: priority, then turn
<ns>:turn        hash: priority to the turn that is being claimed
<ns>:turns:<priority>   zset: tenants by their next turn
<ns>:leased      zset: leased sagas by the lease's end; lapsed ones stay until somebody takes over
<ns>:due         zset: the due book, ids by the time from when they are due; <ns>:due:walk, :holder: see `redis_due`
<ns>:called      zset: sagas with a message in their inbox
<ns>:all         zset: all sagas by the time of their creation; <ns>:ix:<field>:<value> those with that index
<ns>:events      stream: the events of all sagas, capped
<ns>:epoch, <ns>:arrivals   counters that never start again
<ns>:bell        channel: ids of sagas that were created, called or given back

A turn is one saga of each tenant: a tenant's sagas stand one turn apart, and whoever comes anew comes into the turn
that is being claimed. So tenants alternate, however long their queues, and each tenant's own go first in, first out; a
claim takes from the head of one sorted set. Sagas queued by versions before turns have their arrival's number in that
place; turns begin above the last of these, so they go first, as they were promised.

In every script the first write is one that Redis refuses when its memory is full, so that nothing is half done then.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua text with its digest."""

    text: str
    sha: str


_PRELUDE = """
local ns = ARGV[1]
local function key(kind, id) return ns .. ':' .. kind .. ':' .. id end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local at = string.format('%.3f', now / 1000)
"""

# Shared by create and append: entries, events, indexes, record.
_WRITE = """
local function write(id, seq, evn, old_ix, live, score, rec, ix, cap, drafts, events)
  local journal = key('j', id)
  for n = 1, #drafts do
    seq = seq + 1
    redis.call('RPUSH', journal, '[' .. seq .. ',' .. at .. ',' .. drafts[n])
  end
  for n = 1, #events do
    evn = evn + 1
    redis.call('XADD', key('e', id), evn .. '-0', 't', at, 'd', events[n])
    redis.call('XADD', ns .. ':events', 'MAXLEN', '~', cap, '*', 's', id, 'n', evn, 't', at, 'd', events[n])
  end
  if ix ~= old_ix then
    local stays = {}
    for _, name in ipairs(cjson.decode(ix)) do
      stays[name] = true
      redis.call('ZADD', ns .. ':ix:' .. name, score, id)
    end
    for _, name in ipairs(cjson.decode(old_ix)) do
      if not stays[name] then redis.call('ZREM', ns .. ':ix:' .. name, id) end
    end
  end
  redis.call('HSET', key('s', id), 'seq', seq, 'evn', evn, 'live', live, 'score', score, 'rec', rec, 'ix', ix)
  return seq
end
local function slice(from, count)
  local part = {}
  for n = from, from + count - 1 do part[#part + 1] = ARGV[n] end
  return part
end
"""

# Shared by claim and acquire.
_GRANT = """
local function grant(id, owner, ttl)
  local epoch = redis.call('INCR', ns .. ':epoch')
  local ends = string.format('%.0f', now + ttl)
  redis.call('ZADD', ns .. ':leased', ends, id)
  redis.call('HSET', key('s', id), 'epoch', epoch, 'owner', owner, 'exp', ends)
  redis.call('ZREM', ns .. ':queue', id)
  return epoch
end
"""


def script(*parts: str) -> Script:
    """A script behind the prelude: ``ns``, ``key(kind, id)``, ``now`` (ms) and ``at`` (text, s) are known to it."""
    text = _PRELUDE + "".join(parts)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


CREATE = script(
    _WRITE,
    """
local id, live, prio, score, rec, ix, cap = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local tenant, due, drafts = ARGV[9], ARGV[10], tonumber(ARGV[11])
local saga = key('s', id)
if redis.call('EXISTS', saga) == 1 then return {'exists'} end
local arrival = redis.call('INCR', ns .. ':arrivals')
local turn = tonumber(redis.call('HGET', ns .. ':turn', prio))
if not turn then
  turn = arrival
  redis.call('HSET', ns .. ':turn', prio, turn)
end
local turns = ns .. ':turns:' .. prio
turn = math.max(turn, tonumber(redis.call('ZSCORE', turns, tenant) or 0))
redis.call('ZADD', turns, string.format('%.0f', turn + 1), tenant)
local ord = string.format('%.0f', turn - prio * 2199023255552)
write(id, 0, 0, '[]', live, score, rec, ix, cap, slice(12, drafts), slice(12 + drafts, #ARGV - 11 - drafts))
redis.call('HSET', saga, 'epoch', 0, 'exp', 0, 'ord', ord)
redis.call('ZADD', ns .. ':all', score, id)
if live == '1' then redis.call('ZADD', ns .. ':queue', ord, id) end
if due ~= '' then redis.call('ZADD', ns .. ':due', due, id) end
redis.call('PUBLISH', ns .. ':bell', id)
return {'ok', at}
""",
)

APPEND = script(
    _WRITE,
    """
local id, epoch, expected, consume, unless_called = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local live, score, rec, ix, cap, due = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local drafts = tonumber(ARGV[13])
local saga, inbox = key('s', id), key('i', id)
local is = redis.call('HMGET', saga, 'seq', 'epoch', 'exp', 'evn', 'ix', 'last', 'last_at')
if not is[1] then return {'gone'} end
local waiting = redis.call('LLEN', inbox)
local this = epoch .. ':' .. expected .. ':' .. drafts
if is[6] == this then return {'ok', is[7], waiting} end
if is[2] ~= epoch or tonumber(is[3]) <= now then return {'lease'} end
if is[1] ~= expected then return {'seq'} end
if unless_called == '1' and waiting > consume then return {'called'} end
write(id, tonumber(is[1]), tonumber(is[4]), is[5], live, score, rec, ix, cap,
  slice(14, drafts), slice(14 + drafts, #ARGV - 13 - drafts))
redis.call('HSET', saga, 'last', this, 'last_at', at)
if due ~= '' then redis.call('ZADD', ns .. ':due', due, id) end
if live == '0' then
  redis.call('HSET', saga, 'exp', 0)
  redis.call('ZREM', ns .. ':leased', id)
  redis.call('DEL', inbox)
  redis.call('ZREM', ns .. ':called', id)
  waiting = 0
elseif consume > 0 then
  redis.call('LTRIM', inbox, consume, -1)
  waiting = redis.call('LLEN', inbox)
  if waiting == 0 then redis.call('ZREM', ns .. ':called', id) end
end
return {'ok', at, waiting}
""",
)

COMPACT = script("""
local id, keep, full, short = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local saga, journal = key('s', id), key('j', id)
if redis.call('HGET', saga, 'live') ~= '0' then return 0 end
local last = redis.call('LINDEX', journal, -1)
if not last then return 0 end
if cjson.decode(last)[7]['compensation_pending'] then return 0 end
redis.call('DEL', journal)
redis.call('RPUSH', journal, last)
if short ~= '' and redis.call('HGET', saga, 'rec') == full then redis.call('HSET', saga, 'rec', short) end
redis.call('HDEL', saga, 'owner', 'last', 'last_at')
local events = key('e', id)
redis.call('XTRIM', events, 'MAXLEN', keep)
-- A stream is allotted 4 KB however short it is; written anew it takes what it needs. Not every server allows it.
local copy = redis.call('DUMP', events)
if copy then redis.pcall('RESTORE', events, 0, copy, 'REPLACE') end
return 1
""")

DELETE = script("""
local id = ARGV[2]
local saga = key('s', id)
local is = redis.call('HMGET', saga, 'live', 'exp', 'ix')
if not is[1] then return 'none' end
if is[1] == '1' or tonumber(is[2]) > now then return 'busy' end
for _, name in ipairs(cjson.decode(is[3])) do redis.call('ZREM', ns .. ':ix:' .. name, id) end
for _, name in ipairs({'all', 'queue', 'leased', 'called', 'due'}) do redis.call('ZREM', ns .. ':' .. name, id) end
redis.call('DEL', saga, key('j', id), key('e', id), key('i', id), key('a', id), key('f', id))
return 'ok'
""")

CLAIM = script(
    _GRANT,
    """
local owner, ttl, concurrency, limit = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local leased = ns .. ':leased'
local held = redis.call('ZCOUNT', leased, '(' .. string.format('%.0f', now), '+inf')
local started = redis.call('ZCARD', leased)
local granted = {at}
local function take(id)
  granted[#granted + 1] = id
  granted[#granted + 1] = grant(id, owner, ttl)
end
local function full() return #granted > 2 * limit end

-- Somebody wants these cancelled: that must not queue behind others.
for _, id in ipairs(redis.call('ZRANGE', ns .. ':called', 0, 4 * limit)) do
  if full() then break end
  local ends = redis.call('ZSCORE', leased, id)
  if not ends or tonumber(ends) <= now then
    take(id)
    held = held + 1
    if not ends then started = started + 1 end
  end
end

-- Lapsed leases, oldest first as far as we look, then by their order. They count as started already.
local lapsed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', leased, '-inf', string.format('%.0f', now), 'LIMIT', 0, 512)) do
  local is = redis.call('HMGET', key('s', id), 'live', 'ord', 'owner', 'exp')
  if is[1] ~= '1' then
    redis.call('ZREM', leased, id)
    started = started - 1
  -- The claimant's own are left to its renewals for another while: after an outage all have lapsed at once.
  elseif is[3] ~= owner or tonumber(is[4]) + ttl <= now then
    lapsed[#lapsed + 1] = {id, tonumber(is[2])}
  end
end
table.sort(lapsed, function(a, b) return a[2] < b[2] end)
for _, saga in ipairs(lapsed) do
  if full() or held >= concurrency then break end
  take(saga[1])
  held = held + 1
end

local room = math.min(limit - (#granted - 1) / 2, concurrency - started)
if room > 0 then
  local span, turns = 2199023255552, {}
  local waiting = redis.call('ZRANGE', ns .. ':queue', 0, room - 1, 'WITHSCORES')
  for n = 1, #waiting, 2 do
    take(waiting[n])
    local block = math.floor(tonumber(waiting[n + 1]) / span)
    turns[block] = tonumber(waiting[n + 1]) - block * span
  end
  for block, turn in pairs(turns) do
    local prio = string.format('%.0f', 0 - block)  -- and not "-0"
    local was = redis.call('HGET', ns .. ':turn', prio)
    if was and turn > tonumber(was) then
      turn = string.format('%.0f', turn)
      redis.call('HSET', ns .. ':turn', prio, turn)
      redis.call('ZREMRANGEBYSCORE', ns .. ':turns:' .. prio, '-inf', turn)  -- they would come into this turn anyhow
    end
  end
end
return granted
""",
)

HELD = script("""
local found = {at}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', ns .. ':leased', '(' .. string.format('%.0f', now), '+inf')) do
  local is = redis.call('HMGET', key('s', id), 'owner', 'epoch', 'exp')
  for _, part in ipairs({id, is[1] or '', is[2] or '0', is[3] or redis.call('ZSCORE', ns .. ':leased', id)}) do
    found[#found + 1] = part
  end
end
return found
""")

# One step for each priority that waits, however many wait in it: its first, then behind its last.
BACKLOG = script("""
local queue, leased, created = ns .. ':queue', ns .. ':leased', ns .. ':all'
local moment, span, from = string.format('%.0f', now), 2199023255552, '-inf'
local held = redis.call('ZCOUNT', leased, '(' .. moment, '+inf')
local found = {at, held, redis.call('ZCARD', leased) - held}
while true do
  local first = redis.call('ZRANGEBYSCORE', queue, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if #first == 0 then return found end
  local block = math.floor(tonumber(first[2]) / span)
  local behind = string.format('%.0f', (block + 1) * span)
  found[#found + 1] = string.format('%.0f', -block)
  found[#found + 1] = redis.call('ZCOUNT', queue, first[2], '(' .. behind)
  found[#found + 1] = redis.call('ZSCORE', created, first[1]) or at
  from = behind
end
""")

ACQUIRE = script(
    _GRANT,
    """
local id, owner, ttl = ARGV[2], ARGV[3], tonumber(ARGV[4])
local ends = redis.call('HGET', key('s', id), 'exp')
if not ends then return {'gone'} end
if tonumber(ends) > now then return {'held'} end
return {'ok', at, grant(id, owner, ttl)}
""",
)

RENEW = script("""
local leased, answer = ns .. ':leased', {at}
for n = 2, #ARGV, 3 do
  local id, epoch, ttl = ARGV[n], ARGV[n + 1], tonumber(ARGV[n + 2])
  local saga = key('s', id)
  if redis.call('HGET', saga, 'epoch') ~= epoch or not redis.call('ZSCORE', leased, id) then
    answer[#answer + 1] = 0
  else
    local ends = string.format('%.0f', now + ttl)
    redis.call('ZADD', leased, ends, id)
    redis.call('HSET', saga, 'exp', ends)
    answer[#answer + 1] = 1 + redis.call('EXISTS', key('i', id))
  end
end
return answer
""")

RELEASE = script("""
local id, epoch = ARGV[2], ARGV[3]
local saga = key('s', id)
local is = redis.call('HMGET', saga, 'epoch', 'live', 'ord', 'exp')
if is[1] ~= epoch or is[4] == '0' then return 0 end
if is[2] == '1' then redis.call('ZADD', ns .. ':queue', is[3], id) end
redis.call('HSET', saga, 'exp', 0)
redis.call('ZREM', ns .. ':leased', id)
redis.call('PUBLISH', ns .. ':bell', id)
return 1
""")

SEND = script("""
local id, message, to_pending = ARGV[2], ARGV[3], ARGV[4]
local inbox = key('i', id)
local is = redis.call('HMGET', key('s', id), 'live', 'ord')
if not is[1] then return 'gone' end
local pending = false
if is[1] ~= '1' then
  local last = redis.call('LINDEX', key('j', id), -1)
  pending = last and cjson.decode(last)[7]['compensation_pending']
  if not pending then return 'ended' end
end
if pending ~= (to_pending == '1') then return 'ended' end
if not redis.call('LPOS', inbox, message) then redis.call('RPUSH', inbox, message) end
redis.call('ZADD', ns .. ':called', is[2], id)
redis.call('PUBLISH', ns .. ':bell', id)
return 'ok'
""")

LOAD = script("return redis.call('LRANGE', key('j', ARGV[2]), 0, -1)")

RECORD = script("return redis.call('HGET', key('s', ARGV[2]), 'rec')")

INBOX = script("return redis.call('LRANGE', key('i', ARGV[2]), 0, -1)")

GET = script("""
local rec = redis.call('HGET', key('s', ARGV[2]), 'rec')
if not rec then return {} end
return {rec, redis.call('HGETALL', key('a', ARGV[2]))}
""")

ANNOTATE = script("""
if redis.call('EXISTS', key('s', ARGV[2])) == 0 then return 0 end
for n = 4, #ARGV, 2 do redis.call('HSET', key('a', ARGV[2]), ARGV[n], ARGV[n + 1]) end
if ARGV[3] ~= '' then redis.call('ZADD', ns .. ':due', ARGV[3], ARGV[2]) end
return 1
""")

# Walks the smallest of the asked indexes and looks each id up in the others; stops after a bounded number of ids, so
# that no list holds up the journal, and says where to go on.
LIST = script("""
local limit, from, from_id, after = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local names = {}
for n = 6, #ARGV do names[#names + 1] = ns .. ':ix:' .. ARGV[n] end
if #names == 0 then names[1] = ns .. ':all' end
local smallest, size = 1, math.huge
for n, name in ipairs(names) do
  local card = redis.call('ZCARD', name)
  if card < size then smallest, size = n, card end
end
local walk = table.remove(names, smallest)
local found, offset, seen = {}, 0, 0
while seen < 5000 and #found < limit do
  local part = redis.call('ZREVRANGEBYSCORE', walk, from, after, 'WITHSCORES', 'LIMIT', offset, 200)
  if #part == 0 then return {'end', '', '', found} end
  offset = offset + #part / 2
  for n = 1, #part, 2 do
    local id, score = part[n], part[n + 1]
    if from_id == '' or tonumber(score) < tonumber(from) or id < from_id then
      seen = seen + 1
      local has = true
      for _, name in ipairs(names) do has = has and redis.call('ZSCORE', name, id) end
      if has then
        local rec = redis.call('HGET', key('s', id), 'rec')
        found[#found + 1] = {rec, redis.call('HGETALL', key('a', id)), score, id}
      end
      if #found == limit or seen == 5000 then return {'more', score, id, found} end
    end
  end
end
return {'end', '', '', found}
""")

TAKE = script("""
local counts = key('f', ARGV[2])
local n = redis.call('HINCRBY', counts, ARGV[3], 1)
redis.call('EXPIRE', counts, 604800)
return n <= tonumber(ARGV[4]) and 1 or 0
""")
