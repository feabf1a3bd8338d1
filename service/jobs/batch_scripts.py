"""What must happen as a whole in the store to batches: Lua scripts, on top of `service.jobs.lua`."""

from service.jobs.lua import SHARED

# id, name of the part, the part as JSON (object, items, bytes), most bytes of the owner, end of the time for the next
# part -> {'ok', the object that it replaces or ''} | {'full', bytes of the owner} | {state or 'gone', ''}
PART = (
    SHARED
    + """
local id, name, part, most = ARGV[2], ARGV[3], cjson.decode(ARGV[4]), tonumber(ARGV[5])
local state, owner = unpack(redis.call('HMGET', job(id), 'state', 'owner'))
if state ~= 'open' then return {state or 'gone', ''} end
local before = redis.call('HGET', p .. 'parts:' .. id, name)
before = before and cjson.decode(before) or {object = '', items = 0, bytes = 0}
local held = tonumber(redis.call('HGET', p .. 'stored', owner or '') or 0)
if held + part.bytes - before.bytes > most then return {'full', tostring(held)} end
redis.call('HSET', p .. 'parts:' .. id, name, ARGV[4])
redis.call('HINCRBY', job(id), 'version', 1)
redis.call('HINCRBY', job(id), 'steps', part.items - before.items)
redis.call('ZADD', p .. 'expiry', 'XX', ARGV[6], id)
store(id, part.bytes - before.bytes)
return {'ok', before.object}
"""
)

# id, now, version of the parts that were listed, items, items of a chunk, chunks -> state | 'changed' | 'gone'
CLOSE = (
    SHARED
    + """
local id, now = ARGV[2], ARGV[3]
local state, version = unpack(redis.call('HMGET', job(id), 'state', 'version'))
if state ~= 'open' then return state or 'gone' end
if (version or '0') ~= ARGV[4] then return 'changed' end
redis.call('HSET', job(id), 'steps', ARGV[5], 'size', ARGV[6], 'chunks', ARGV[7], 'next', 0, 'errors', 0)
redis.call('ZREM', p .. 'expiry', id)
move(id, 'queued', now)
return 'queued'
"""
)

# id, now, end of the time in which it must be resumed -> the state after. Chunks that have begun are done to the end.
PAUSE = (
    SHARED
    + """
local id, now = ARGV[2], ARGV[3]
local state = redis.call('HGET', job(id), 'state')
if state == 'queued' or state == 'running' then
  move(id, 'paused', now)
  redis.call('ZADD', p .. 'expiry', ARGV[4], id)
end
return redis.call('HGET', job(id), 'state') or 'gone'
"""
)

# id, now, retention -> the state after
RESUME = (
    SHARED
    + """
local id, now = ARGV[2], ARGV[3]
if redis.call('HGET', job(id), 'state') == 'paused' then
  redis.call('ZREM', p .. 'expiry', id)
  move(id, is_left(id) and 'queued' or 'running', now)
  finish_if_done(id, now, ARGV[4])
end
return redis.call('HGET', job(id), 'state') or 'gone'
"""
)

# id, now -> the state after. All chunks with errors are to be done again; those that are just being done again are.
RETRY = (
    SHARED
    + """
local id, now, number = ARGV[2], ARGV[3], 0
local state = redis.call('HGET', job(id), 'state')
if not state then return 'gone' end
if state == 'open' or state == 'cancelling' or state == 'cancelled' then return state end
for _, chunk in ipairs(redis.call('HKEYS', p .. 'faults:' .. id)) do
  if redis.call('SISMEMBER', p .. 'held:' .. id, id .. '/' .. chunk) == 0 then
    redis.call('ZADD', p .. 'again:' .. id, chunk, chunk)
    number = number + 1
  end
end
if number > 0 and state ~= 'paused' then
  if not unfinished[state] then
    redis.call('ZREM', p .. 'expiry', id)
    redis.call('XTRIM', p .. 'events:' .. id, 'MAXLEN', '0')  -- what is told begins anew, not with the end of before
  end
  move(id, 'queued', now)
end
return redis.call('HGET', job(id), 'state')
"""
)
