"""What must happen as a whole in the store to jobs: Lua scripts, on top of `service.jobs.lua`."""

from service.jobs.lua import SHARED

# now, bound, bound of an owner with a name, idempotency key or '', hash of the body, its time to live, the answer to
# repeat, batch or '', jobs of one owner as JSON
# -> {'ok' | 'again' | 'conflict' | 'full' | 'share', answer or number of active jobs}
SUBMIT = (
    SHARED
    + """
local now, bound, share, key, hash = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6]
local ttl, answer, batch, jobs = ARGV[7], ARGV[8], ARGV[9], cjson.decode(ARGV[10])
if key ~= '' then
  local seen = redis.call('HMGET', p .. 'idem:' .. key, 'hash', 'answer')
  if seen[1] then
    if seen[1] == hash then return {'again', seen[2]} end
    return {'conflict', ''}
  end
end
local owner = jobs[1].owner
local held = redis.call('ZCARD', p .. 'active:' .. owner)
if owner ~= '' and held + #jobs > share then return {'share', tostring(held)} end
if count_active() + #jobs > bound then return {'full', tostring(count_active())} end
for _, j in ipairs(jobs) do
  local seq = redis.call('INCR', p .. 'seq')
  redis.call('HSET', job(j.id), 'id', j.id, 'seq', seq, 'kind', j.kind, 'batch', batch, 'owner', j.owner,
    'class_id', j.class_id, 'parameters', j.parameters, 'inputs', j.inputs,
    'traceparent', j.traceparent, 'steps', j.steps)
  redis.call('ZADD', p .. 'all', seq, j.id)
  redis.call('ZADD', p .. 'class:' .. j.class_id, seq, j.id)
  if j.owner ~= '' then redis.call('ZADD', p .. 'owner:' .. j.owner, seq, j.id) end
  if batch ~= '' then redis.call('ZADD', p .. 'batch:' .. batch, seq, j.id) end
  move(j.id, j.state, now)
  if j.state == 'open' then redis.call('ZADD', p .. 'expiry', now + ttl, j.id) end
end
if key ~= '' then
  redis.call('HSET', p .. 'idem:' .. key, 'hash', hash, 'answer', answer)
  redis.call('EXPIRE', p .. 'idem:' .. key, ttl)
end
return {'ok', answer}
"""
)

# now, lease, most attempts in a row that get a job no further, retention, problem if there have been too many, silence
# of a dead holder in seconds -> id of the job that the lease now holds, nil if there is none: one whose holder has
# died, or else the next in turn
CLAIM = (
    SHARED
    + """
local now, lease, most, retention, problem = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local function begin(id)
  if batch_of(id) then
    hand_out(id)
  elseif tonumber(redis.call('HGET', job(id), 'vain') or 0) >= most then
    redis.call('HSET', job(id), 'problem', problem)
    finish(id, 'failed', now, retention)
    return false
  end
  redis.call('HSET', job(id), 'lease', lease)
  redis.call('HINCRBY', job(id), 'attempts', 1)
  redis.call('HINCRBY', job(id), 'vain', 1)
  move(id, 'running', now)
  redis.call('ZADD', p .. 'beats', clock(), id)
  charge(redis.call('HGET', job(id), 'owner') or '', 1)
  return true
end
while true do
  local id, wanted = pop_silent(clock() - tonumber(ARGV[7])), 'running'
  if not id then id, wanted = pop_next(), 'queued' end
  if not id then return false end
  if is_batch(id) then id = next_chunk(id, now) or id end
  local state = redis.call('HGET', job(id), 'state')
  if is_unwanted(id) then
    settle_chunk(id, 'cancelled', {}, now, retention)
    state = nil
  elseif state == 'cancelling' then finish(id, 'cancelled', now, retention) end
  if state == wanted and not is_batch(id) and begin(id) then return id end
end
"""
)

# id, lease, step from which the trace is written, scores as JSON, fields as JSON, preview step or '', step of a new
# checkpoint or '' -> state | 'lost' | 'gone'
PROGRESS = (
    SHARED
    + """
local id, lease, start, preview = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[7]
local scores, fields = cjson.decode(ARGV[5]), cjson.decode(ARGV[6])
local state, holder = unpack(redis.call('HMGET', job(id), 'state', 'lease'))
if not state then return 'gone' end
if holder ~= lease then return 'lost' end
if is_unwanted(id) then state = 'cancelling' end
if start == 0 then
  redis.call('DEL', p .. 'trace:' .. id)
else
  redis.call('LTRIM', p .. 'trace:' .. id, 0, start - 1)
end
for _, score in ipairs(scores) do redis.call('RPUSH', p .. 'trace:' .. id, score) end
for name, value in pairs(fields) do redis.call('HSET', job(id), name, value) end
if ARGV[8] ~= '' and tonumber(ARGV[8]) > tonumber(redis.call('HGET', job(id), 'saved') or -1) then
  redis.call('HSET', job(id), 'saved', ARGV[8], 'vain', 0)
end
if preview ~= '' then
  redis.call('ZADD', p .. 'frames:' .. id, preview, preview)
  redis.call('HSET', job(id), 'preview', preview)
  event(id, 'preview', cjson.encode({step = tonumber(preview)}))
end
redis.call('ZADD', p .. 'beats', clock(), id)
if not batch_of(id) then event(id, 'progress', ARGV[6]) end
return state
"""
)

# id, lease, seconds: the holder is alive and has computed for so long since it last said so
HEARTBEAT = (
    SHARED
    + """
local id = ARGV[2]
local holder, owner = unpack(redis.call('HMGET', job(id), 'lease', 'owner'))
if holder == ARGV[3] then
  redis.call('ZADD', p .. 'beats', clock(), id)
  charge(owner or '', ARGV[4])
end
"""
)

# id, now, lease, state, retention, fields as JSON -> the state | 'lost' | 'gone'
FINISH = (
    SHARED
    + """
local id, now, lease, to, retention, fields = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], cjson.decode(ARGV[7])
local state, holder = unpack(redis.call('HMGET', job(id), 'state', 'lease'))
if not state then return 'gone' end
if holder ~= lease then return 'lost' end
if batch_of(id) then
  settle_chunk(id, to, fields, now, retention)
  return to
end
for name, value in pairs(fields) do redis.call('HSET', job(id), name, value) end
finish(id, to, now, retention)
return to
"""
)

# id, now, lease -> whether it was the holder's. The holder stops in order, so its attempt does not count, even if
# another has taken it for dead. A job that is being cancelled is left as if its holder had died.
RELEASE = (
    SHARED
    + """
local id, now, lease = ARGV[2], ARGV[3], ARGV[4]
local state, holder = unpack(redis.call('HMGET', job(id), 'state', 'lease'))
if not state then return 0 end
redis.call('HINCRBY', job(id), 'attempts', -1)
if tonumber(redis.call('HGET', job(id), 'vain') or 0) > 0 then redis.call('HINCRBY', job(id), 'vain', -1) end
if holder ~= lease then return 0 end
redis.call('HDEL', job(id), 'lease')
if state == 'running' then move(id, 'queued', now) else redis.call('ZADD', p .. 'beats', 0, id) end
return 1
"""
)

# id, now, retention -> the state after
CANCEL = (
    SHARED
    + """
local id, now, retention = ARGV[2], ARGV[3], ARGV[4]
local state = redis.call('HGET', job(id), 'state')
if state == 'queued' or state == 'open' then
  finish(id, 'cancelled', now, retention)
elseif state == 'running' or state == 'paused' then
  move(id, 'cancelling', now)
  if is_batch(id) then finish_if_done(id, now, retention) end
end
return redis.call('HGET', job(id), 'state') or 'gone'
"""
)

# id, state that it must be in or '' -> 1 if there was such a job. Its last event stays for a minute, for those who
# listen.
DELETE = (
    SHARED
    + """
local id, wanted = ARGV[2], ARGV[3]
local state = redis.call('HGET', job(id), 'state')
if not state or (wanted ~= '' and state ~= wanted) then return 0 end
unindex(id, state)
remove_keys(id)
redis.call('DEL', job(id))
redis.call('XTRIM', p .. 'events:' .. id, 'MAXLEN', '0')
event(id, 'end', cjson.encode({state = 'deleted'}))
redis.call('EXPIRE', p .. 'events:' .. id, 60)
return 1
"""
)

# id, now, how long to remember -> 1 if its time is over, 0 if it has been begun again meanwhile. What is left says that
# there was one, and that its artifacts are still to be deleted.
EXPIRE = (
    SHARED
    + """
local id, now, memory = ARGV[2], ARGV[3], ARGV[4]
local state = redis.call('HGET', job(id), 'state')
if not redis.call('ZSCORE', p .. 'expiry', id) then return 0 end
if not state or state == 'expired' then return 1 end
unindex(id, state)
redis.call('ZADD', p .. 'expiry', 0, id)
remove_keys(id)
redis.call('HSET', job(id), 'state', 'expired', 'at:expired', now)
redis.call('EXPIRE', job(id), memory)
redis.call('EXPIRE', p .. 'events:' .. id, memory)
return 1
"""
)

# id -> how many jobs begin before this one if owners take turns, one job each; nil if it is not queued. It looks at
# each owner with queued jobs, not at each job.
POSITION = (
    SHARED
    + """
local id = ARGV[2]
local owner = redis.call('HGET', job(id), 'owner') or ''
local rank = redis.call('ZRANK', p .. 'queued:' .. owner, id)
if not rank then return false end
local before, ahead = rank, 1
for _, other in ipairs(redis.call('ZRANGE', p .. 'turns', 0, -1)) do
  if other == owner then
    ahead = 0
  else
    before = before + math.min(redis.call('ZCARD', p .. 'queued:' .. other), rank + ahead)
  end
end
return before
"""
)

# Puts each unfinished job where its record says, also those of earlier versions, and takes out what is not unfinished.
# Writes nothing where all is right.
SETTLE = (
    SHARED
    + """
for _, owner in ipairs(redis.call('HKEYS', p .. 'spent')) do
  for _, id in ipairs(redis.call('ZRANGE', p .. 'active:' .. owner, 0, -1)) do
    if not unfinished[redis.call('HGET', job(id), 'state') or ''] then place(id, 0, owner, 'none') end
  end
end
for state in pairs(unfinished) do
  for _, id in ipairs(redis.call('ZRANGE', p .. 'state:' .. state, 0, -1)) do
    local seq, owner, beat = unpack(redis.call('HMGET', job(id), 'seq', 'owner', 'beat'))
    if is_batch(id) then seq = nil end
    if seq then place(id, seq, owner or '', state) end
    if seq and state ~= 'queued' then redis.call('ZADD', p .. 'beats', 'NX', beat or 0, id) end
  end
end
"""
)
