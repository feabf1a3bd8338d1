"""What the Lua scripts of the store have in common. Each gets the prefix of all keys as its first argument.

Keys under the prefix: ``job:ID`` (hash), ``trace:ID`` (list of scores), ``frames:ID`` (sorted set of steps),
``events:ID`` (stream), ``news`` (stream of the ids of jobs that had an event, for `service.jobs.events`),
``all``, ``state:STATE``, ``class:N``, ``owner:NAME``, ``batch:ID`` (sorted sets of job ids by sequence number),
``expiry`` (sorted set of job ids by time), ``idem:KEY`` (hash), ``seq`` (counter), and those of `service.jobs.turns`
and `service.jobs.chunks`.
"""

from service.jobs.chunks import CHUNKS
from service.jobs.turns import TURNS

SHARED = (
    """
local p = ARGV[1]
local function job(id) return p .. 'job:' .. id end
local function batch_of(id) return string.match(id, '^(.+)/%d+$') end
local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) + tonumber(t[2]) / 1e6
end
local function event(id, name, data)
  redis.call('XADD', p .. 'events:' .. id, 'MAXLEN', '~', '2000', '*', 'event', name, 'data', data)
  redis.call('XADD', p .. 'news', 'MAXLEN', '~', '1000', '*', 'job', id)
end
"""
    + TURNS
    + """
local function move(id, to, now)
  local seq, from, owner = unpack(redis.call('HMGET', job(id), 'seq', 'state', 'owner'))
  redis.call('HSET', job(id), 'state', to, 'at:' .. to, now)
  if batch_of(id) then return offer(id, seq, owner or '', to) end  -- a chunk is nobody's job
  if from then redis.call('ZREM', p .. 'state:' .. from, id) end
  redis.call('ZADD', p .. 'state:' .. to, seq, id)
  place(id, seq, owner or '', to)
  event(id, 'state', cjson.encode({state = to}))
end
local function finish(id, to, now, retention)
  move(id, to, now)
  redis.call('HDEL', job(id), 'lease')
  redis.call('ZADD', p .. 'expiry', now + retention, id)
  event(id, 'end', cjson.encode({state = to}))
end
"""
    + CHUNKS
    + """
local function remove_keys(id)
  redis.call('DEL', p .. 'trace:' .. id, p .. 'frames:' .. id)
  remove_chunks(id)
end
local function unindex(id, state)
  local class, batch, owner = unpack(redis.call('HMGET', job(id), 'class_id', 'batch', 'owner'))
  local indices = {'all', 'expiry', 'state:' .. state, 'class:' .. class, 'owner:' .. (owner or ''), 'batch:' .. batch}
  for _, index in ipairs(indices) do redis.call('ZREM', p .. index, id) end
  place(id, 0, owner or '', 'none')
end
local function count_active()
  local active = 0
  for state in pairs(unfinished) do active = active + redis.call('ZCARD', p .. 'state:' .. state) end
  return active
end
"""
)
