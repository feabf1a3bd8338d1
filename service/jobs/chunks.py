"""Batches in the ledger: a batch is a job that is worked on in chunks, as Lua functions for the scripts.

A batch waits in the queue of its owner like a job. Whoever is given it gets its next chunk instead, which becomes a
job of its own, ``job:BATCH/NUMBER``, only then, and the batch goes to the end of the queue again. So any number of
workers share a batch, other jobs of the owner get their turns, and the ledger holds as many chunks as are being worked
on. A chunk has a lease, heartbeats and checkpoints like any job, but is in no list; once it is done its record is
removed, and what is left are six characters in ``chunks:ID``: the number under which its results were stored.

Each attempt at a chunk gets a new such number, so a worker that was taken for dead overwrites nothing that counts.

Keys: ``chunks:ID`` (string: for each chunk the number of the attempt whose results count, in hexadecimal; ``ffffff``
for one that failed as a whole, no digits for one that is not done), ``held:ID`` (set of the chunks with a record),
``again:ID`` (sorted set of chunks that are to be done again), ``faults:ID`` (hash: items with errors of each chunk that
has some), ``parts:ID`` (hash: what was uploaded, by name), ``stored`` (hash: bytes of the batches of each owner).
"""

DIGITS = 6  # of the number of an attempt
NO_RESULTS = "f" * DIGITS


def attempt_name(handed: int) -> str:
    """The number of an attempt as the ledger keeps it."""
    return f"{handed:0{DIGITS}x}"


CHUNKS = f"""
local function is_batch(id) return redis.call('HGET', job(id), 'kind') == 'batch' end
local function attempt_at(batch, number)
  local found = redis.call('GETRANGE', p .. 'chunks:' .. batch, {DIGITS} * number, {DIGITS} * number + {DIGITS - 1})
  return string.match(found, '^%x+$')
end
local function store(id, bytes)
  redis.call('HINCRBY', job(id), 'bytes', bytes)
  redis.call('HINCRBY', p .. 'stored', redis.call('HGET', job(id), 'owner') or '', bytes)
end
local function is_left(id)
  local next, chunks = unpack(redis.call('HMGET', job(id), 'next', 'chunks'))
  return tonumber(next) < tonumber(chunks) or redis.call('EXISTS', p .. 'again:' .. id) == 1
end
local function offer_batch(id)
  offer(id, redis.call('INCR', p .. 'seq'), redis.call('HGET', job(id), 'owner') or '', 'queued')
end
local function next_chunk(id, now)
  if not is_left(id) then return nil end
  local number = redis.call('ZPOPMIN', p .. 'again:' .. id)[1] or redis.call('HINCRBY', job(id), 'next', 1) - 1
  local seq, owner, parameters, traceparent, steps, size, state =
    unpack(redis.call('HMGET', job(id), 'seq', 'owner', 'parameters', 'traceparent', 'steps', 'size', 'state'))
  local chunk = id .. '/' .. number
  redis.call('HSET', job(chunk), 'id', chunk, 'seq', seq, 'kind', 'chunk', 'owner', owner, 'parameters', parameters,
    'traceparent', traceparent, 'size', size, 'steps', math.min(size, steps - number * size), 'state', 'queued',
    'before', attempt_at(id, number) or '')
  redis.call('SADD', p .. 'held:' .. id, chunk)
  if state == 'queued' then move(id, 'running', now) end
  if is_left(id) then offer_batch(id) end
  return chunk
end
local function hand_out(chunk)
  redis.call('HSET', job(chunk), 'handed', redis.call('HINCRBY', job(batch_of(chunk)), 'handed', 1))
end
local function is_unwanted(id)
  local batch = batch_of(id)
  return batch and redis.call('HGET', job(batch), 'state') == 'cancelling'
end
local function finish_if_done(id, now, retention)
  local state = redis.call('HGET', job(id), 'state')
  if redis.call('EXISTS', p .. 'held:' .. id) == 1 then return end
  if state == 'cancelling' then
    finish(id, 'cancelled', now, retention)
  elseif (state == 'running' or state == 'paused') and not is_left(id) then
    finish(id, 'succeeded', now, retention)
  end
end
local function write_down(batch, number, chunk, fields)
  local result = fields.result and cjson.decode(fields.result) or nil
  local steps, handed = unpack(redis.call('HMGET', job(chunk), 'steps', 'handed'))
  local before = attempt_at(batch, number)
  local errors = result and result.errors or tonumber(steps)
  if not before then redis.call('HINCRBY', job(batch), 'step', steps) end
  if not result then redis.call('HSET', job(batch), 'problem', fields.problem) end
  if result or not before then
    redis.call('HINCRBY', job(batch), 'errors', errors - (redis.call('HGET', p .. 'faults:' .. batch, number) or 0))
    redis.call('SETRANGE', p .. 'chunks:' .. batch, {DIGITS} * number,
      result and string.format('%0{DIGITS}x', handed) or '{NO_RESULTS}')
    if errors > 0 then
      redis.call('HSET', p .. 'faults:' .. batch, number, errors)
    else
      redis.call('HDEL', p .. 'faults:' .. batch, number)
    end
  end
  if result then store(batch, result.bytes) end
  local step, all, wrong = unpack(redis.call('HMGET', job(batch), 'step', 'steps', 'errors'))
  event(batch, 'progress', cjson.encode({{step = tonumber(step), steps = tonumber(all), errors = tonumber(wrong)}}))
end
local function settle_chunk(chunk, to, fields, now, retention)
  local batch, number = batch_of(chunk), string.match(chunk, '%d+$')
  if to ~= 'cancelled' then write_down(batch, number, chunk, fields) end
  offer(chunk, 0, redis.call('HGET', job(chunk), 'owner') or '', 'none')
  redis.call('DEL', job(chunk))
  redis.call('SREM', p .. 'held:' .. batch, chunk)
  finish_if_done(batch, now, retention)
end
local function remove_chunks(id)
  for _, chunk in ipairs(redis.call('SMEMBERS', p .. 'held:' .. id)) do
    offer(chunk, 0, redis.call('HGET', job(chunk), 'owner') or '', 'none')
    redis.call('DEL', job(chunk))
  end
  local owner, bytes = unpack(redis.call('HMGET', job(id), 'owner', 'bytes'))
  if bytes then redis.call('HINCRBY', p .. 'stored', owner or '', -bytes) end
  for _, name in ipairs({{'held:', 'again:', 'chunks:', 'faults:', 'parts:'}}) do redis.call('DEL', p .. name .. id) end
end
"""
