"""Whose turn it is: start-time fair queueing between the owners of jobs, as Lua functions for the scripts.

Each owner has an account of the seconds that its jobs have computed, and a second more for each that was begun. The
owner of the queued jobs with the smallest account is next, with its oldest job. Who comes back after a pause begins
where the others are, and nobody is more than `DEBT` seconds behind: what was used while nobody else asked is soon
forgotten.

Keys: ``queued:NAME``, ``active:NAME`` (sorted sets of the queued and of all unfinished jobs of an owner, by sequence
number; jobs without an owner are those of one without a name), ``spent`` (hash: the account of each owner), ``turns``
(sorted set: owners with queued jobs by their account), ``turn`` (account of whose turn it was last), ``beats`` (sorted
set: jobs that are held, by the time of the last heartbeat).
"""

DEBT = 60

TURNS = f"""
local unfinished = {{open = true, queued = true, running = true, paused = true, cancelling = true}}
local function charge(owner, seconds)
  local turn = tonumber(redis.call('GET', p .. 'turn') or 0)
  local spent = math.max(tonumber(redis.call('HGET', p .. 'spent', owner) or 0), turn)
  spent = math.min(spent + tonumber(seconds), turn + {DEBT})
  redis.call('HSET', p .. 'spent', owner, spent)
  redis.call('ZADD', p .. 'turns', 'XX', spent, owner)
end
local function leave_if_empty(owner)
  if redis.call('EXISTS', p .. 'queued:' .. owner) == 0 then redis.call('ZREM', p .. 'turns', owner) end
end
local function offer(id, seq, owner, state)
  if state == 'queued' then
    redis.call('ZADD', p .. 'queued:' .. owner, seq, id)
    if redis.call('ZADD', p .. 'turns', 'NX', 0, owner) == 1 then charge(owner, 0) end
  elseif redis.call('ZREM', p .. 'queued:' .. owner, id) == 1 then
    leave_if_empty(owner)
  end
  if state ~= 'running' and state ~= 'cancelling' then redis.call('ZREM', p .. 'beats', id) end
end
local function place(id, seq, owner, state)
  if unfinished[state] then
    redis.call('ZADD', p .. 'active:' .. owner, seq, id)
  else
    redis.call('ZREM', p .. 'active:' .. owner, id)
  end
  offer(id, seq, owner, state)
end
local function pop_silent(since)
  local id = redis.call('ZRANGEBYSCORE', p .. 'beats', '-inf', since, 'LIMIT', 0, 1)[1]
  if id then redis.call('ZREM', p .. 'beats', id) end
  return id
end
local function pop_next()
  local owner, spent = unpack(redis.call('ZRANGE', p .. 'turns', 0, 0, 'WITHSCORES'))
  if not owner then return nil end
  redis.call('SET', p .. 'turn', spent)
  local id = redis.call('ZPOPMIN', p .. 'queued:' .. owner)[1]
  leave_if_empty(owner)
  return id
end
"""
