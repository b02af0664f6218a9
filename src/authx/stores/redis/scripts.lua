-- The steps of the Redis store: each script below is one indivisible step on keys of one hash slot.
-- The part up to the first script is put before every one of them. A line of its own names each script.
--
-- Times are milliseconds as decimal text. Where a value may be missing, an empty text stands for none;
-- texts that may be empty themselves come with a "=" in front of them.

local DAY, HOUR = 86400000, 3600000

-- A subject's cutoff: its version, time and spared session. One that cannot be read ends everything.
local function cutoff_of(cutoffs, sub)
  local text = redis.call('HGET', cutoffs, sub)
  if not text then return 0, 0, '' end
  local version, at, spared = string.match(text, '^(%d+) (%d+) (%S*)$')
  if not version then return 0, math.huge, '' end
  return tonumber(version), tonumber(at), spared
end

-- Whether a text is a count, of the kind that the store writes.
local function is_count(text)
  return text and #text <= 16 and string.find(text, '^%d+$')
end

-- The cutoff of all subjects. It has a slot of its own, so a cluster's client says what it knows of it; on one
-- server it is the last of the keys.
local function everyone_of()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) or math.huge end
  local at = redis.call('GET', KEYS[#KEYS])
  if not at then return 0 end
  return tonumber(at) or math.huge
end

-- The server's own clock, in microseconds.
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- The time at which a row may go: a day after its last token. A caller whose clock is far behind the
-- server's must not lose rows for that.
local function due_of(expires, at, now)
  local ahead = now - tonumber(at)
  if ahead < HOUR then ahead = 0 end
  return tonumber(expires) + DAY + ahead
end

-- Keeps a row as long as it has to be kept.
local function keep(row, expires, at)
  if expires == '' then
    redis.call('PERSIST', row)
  else
    redis.call('PEXPIREAT', row, string.format('%.0f', due_of(expires, at, clock() / 1000)))
  end
end

-- Keeps a row at least as long as that: never shorter than it is kept already.
local function keep_longer(row, expires, at)
  local left, now = redis.call('PTTL', row), clock() / 1000
  local due = due_of(expires, at, now)
  if left >= 0 and due - now > left then redis.call('PEXPIREAT', row, string.format('%.0f', due)) end
end

-- Enters a session into its subject's index, which is kept at least as long as the longest of its rows.
local function enter(index, sid, created, expires, at)
  local left = redis.call('PTTL', index)
  redis.call('ZADD', index, created, sid)
  if expires == '' then
    if left >= 0 then redis.call('PERSIST', index) end
  elseif left ~= -1 then
    local now = clock() / 1000
    local due = due_of(expires, at, now)
    -- A day to spare: so the many rotations of one session seldom have to move it.
    if left < 0 or due - now > left then redis.call('PEXPIREAT', index, string.format('%.0f', due + DAY)) end
  end
end

-- Which run of the server this is; empty where it may not be asked.
local function run_of()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
end

-- The newest id the feed ever had, also if its entry is gone by now.
local function newest_of(feed)
  local about = redis.pcall('XINFO', 'STREAM', feed)
  if not about.err then
    for i = 1, #about, 2 do
      if about[i] == 'last-generated-id' then return about[i + 1] end
    end
  end
  return '0-0'
end

-- script: create
-- KEYS row, index
-- ARGV repeated, sid, created, at, expires, then the row's fields and values
-- Answers 1 and some of the oldest sessions of a long index, or 0 where there is such a row.
if redis.call('EXISTS', KEYS[1]) == 1 then
  if ARGV[1] == '' then return {0} end
  -- The answer to the first attempt got lost. The row is that attempt's if it differs in nothing.
  if redis.call('HLEN', KEYS[1]) * 2 ~= #ARGV - 5 then return {0} end
  for i = 6, #ARGV, 2 do
    if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return {0} end
  end
  return {1}
end
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
keep(KEYS[1], ARGV[5], ARGV[4])
enter(KEYS[2], ARGV[2], ARGV[3], ARGV[5], ARGV[4])
if redis.call('ZCARD', KEYS[2]) <= 64 then return {1} end
return {1, unpack(redis.call('ZRANGE', KEYS[2], 0, 7))}

-- script: advance
-- KEYS row, cutoffs, index, everyone
-- ARGV everyone, sid, created, sub, from, to, at, expires, ip, user_agent, retry_hash
-- Answers what of the new row the caller does not know: created_at, expires_at, device.
local row = redis.pcall(
  'HMGET', KEYS[1], 'generation', 'sub', 'revoked_at', 'expires_at', 'created_at', 'device', 'rotated_at'
)
if row.err then return false end
if row[1] ~= ARGV[5] or row[2] ~= ARGV[4] or row[3] then return false end
local expires, at = row[4], tonumber(ARGV[7])
if not is_count(row[5]) or not is_count(row[7]) or expires and not is_count(expires) then return false end
if expires and tonumber(expires) <= at then return false end
local _, cut, spared = cutoff_of(KEYS[2], ARGV[4])
local created = tonumber(ARGV[3])
if created < cut and ARGV[2] ~= spared or created < everyone_of() then return false end

if ARGV[8] == '' then
  expires = false
elseif expires and tonumber(ARGV[8]) > tonumber(expires) then
  expires = ARGV[8]
end
local put, drop = {'generation', ARGV[6], 'rotated_at', ARGV[7]}, {}
local function set(field, value)
  if value then
    put[#put + 1] = field
    put[#put + 1] = value
  else
    drop[#drop + 1] = field
  end
end
set('expires_at', expires)
set('ip', ARGV[9] ~= '' and string.sub(ARGV[9], 2))
set('user_agent', ARGV[10] ~= '' and string.sub(ARGV[10], 2))
set('retry_hash', ARGV[11] ~= '' and ARGV[11])
redis.call('HSET', KEYS[1], unpack(put))
if drop[1] then redis.call('HDEL', KEYS[1], unpack(drop)) end
keep(KEYS[1], expires or '', ARGV[7])
enter(KEYS[3], ARGV[2], row[5], expires or '', ARGV[7])
return {row[5], expires, row[6]}

-- script: get
-- KEYS row, cutoffs, everyone
-- ARGV everyone, sub: empty for the row's own, else "=" and the text
-- Answers the row, the subject's cutoff as it is stored, and that of everyone.
local row = redis.pcall('HGETALL', KEYS[1])
if row.err then return redis.error_reply('AUTHXROW unreadable') end
local sub = ARGV[2] ~= '' and string.sub(ARGV[2], 2)
for i = 1, #row, 2 do
  if not sub and row[i] == 'sub' then sub = row[i + 1] end
end
return {row, sub and redis.call('HGET', KEYS[2], sub), string.format('%.0f', everyone_of())}

-- script: index
-- KEYS index, cutoffs, everyone
-- ARGV everyone, sub, first, last
-- Answers a page of the subject's sessions, newest first, and the cutoffs of the subject and of everyone.
return {
  redis.call('ZREVRANGE', KEYS[1], ARGV[3], ARGV[4]),
  redis.call('HGET', KEYS[2], ARGV[2]),
  string.format('%.0f', everyone_of())
}

-- script: rows
-- KEYS index, then rows
-- ARGV the session of each row
-- Answers how many it took out of the index because they are dead, and the rows. The newest session stays:
-- a cutoff has to come after it.
local newest, gone, rows = redis.call('ZREVRANGE', KEYS[1], 0, 0)[1], 0, {}
for i, sid in ipairs(ARGV) do
  local row = redis.pcall('HGETALL', KEYS[i + 1])
  if row.err then row = {'sub'} end
  local dead = #row == 0
  for j = 1, #row, 2 do
    if row[j] == 'revoked_at' then dead = true end
  end
  if dead and sid ~= newest then gone = gone + redis.call('ZREM', KEYS[1], sid) end
  rows[i] = row
end
return {gone, rows}

-- script: mark
-- KEYS row, and the index where the subject is known
-- ARGV sid, created, at, reason, sub, expires
local row = redis.pcall(
  'HMGET', KEYS[1], 'sub', 'generation', 'created_at', 'rotated_at', 'expires_at', 'revoked_at'
)
local readable = not row.err and row[1]
if readable then
  for i = 2, 4 do readable = readable and is_count(row[i]) end
  for i = 5, 6 do readable = readable and (not row[i] or is_count(row[i])) end
end
if readable then
  if not row[6] then redis.call('HSET', KEYS[1], 'revoked_at', ARGV[3], 'revoked_reason', ARGV[4]) end
  if row[5] and ARGV[6] == '' then
    redis.call('HDEL', KEYS[1], 'expires_at')
    redis.call('PERSIST', KEYS[1])
  elseif row[5] and tonumber(ARGV[6]) > tonumber(row[5]) then
    redis.call('HSET', KEYS[1], 'expires_at', ARGV[6])
    keep_longer(KEYS[1], ARGV[6], ARGV[3])
  end
  return
end
-- No row, or one that says nothing: what is written now refuses the session for good.
redis.call('DEL', KEYS[1])
redis.call(
  'HSET', KEYS[1], 'sub', ARGV[5], 'generation', '0', 'created_at', ARGV[2], 'rotated_at', ARGV[2],
  'revoked_at', ARGV[3], 'revoked_reason', ARGV[4]
)
if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'expires_at', ARGV[6]) end
keep(KEYS[1], ARGV[6], ARGV[3])
if KEYS[2] then
  local newest = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  if not newest[2] or tonumber(newest[2]) < tonumber(ARGV[2]) then
    enter(KEYS[2], ARGV[1], ARGV[2], ARGV[6], ARGV[3])
  end
end

-- script: cut
-- KEYS cutoffs, index, row of the session to spare, everyone
-- ARGV everyone, sub, at, session to spare, its time of creation
-- Answers the version, the time and the spared session that are stored now.
local version, stored, stored_spared = cutoff_of(KEYS[1], ARGV[2])
if stored == math.huge then stored = 0 end
local newest = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
local at = math.max(tonumber(ARGV[3]), stored, newest[2] and tonumber(newest[2]) + 1 or 0)
local spared, row = ARGV[4], false
if spared ~= '' then
  row = redis.pcall('HMGET', KEYS[3], 'sub', 'revoked_at')
  local created = tonumber(ARGV[5])
  if row.err or row[2] or row[1] and row[1] ~= ARGV[2] then spared = '' end
  if created < stored and spared ~= stored_spared or created < everyone_of() then spared = '' end
end
-- By the clock, not by counting: a server that lost the last cutoffs must not issue their versions again.
version = math.max(version + 1, clock())
local answer = {string.format('%.0f', version), string.format('%.0f', at), spared}
redis.call('HSET', KEYS[1], ARGV[2], table.concat(answer, ' '))
-- Nothing that is in the index lives on, but for the spared session.
redis.call('DEL', KEYS[2])
if spared ~= '' and row[1] then
  redis.call('ZADD', KEYS[2], ARGV[5], spared)
  local left = redis.call('PTTL', KEYS[3])
  if left > 0 then redis.call('PEXPIRE', KEYS[2], left) end
end
return answer

-- script: announce
-- KEYS feed, entries, untils, everyone
-- ARGV kind, key, at, until, version, then the other fields and values of the entry
-- Answers the time that is stored.
local member, at, ends = ARGV[1] .. ':' .. ARGV[2], ARGV[3], ARGV[4]
if ARGV[1] == 'everyone' then
  local stored = redis.call('GET', KEYS[4])
  if stored and tonumber(stored) and tonumber(stored) > tonumber(at) then at = stored end
  redis.call('SET', KEYS[4], at)
end
local last = redis.call('HGET', KEYS[2], member)
if last then
  local id, last_at, last_version = string.match(last, '^(%S+) (%d+) (%d+)$')
  if id then
    -- Another cutoff of the subject was stored after this one and announced before it.
    local late = tonumber(last_at) > tonumber(at)
      or tonumber(last_at) == tonumber(at) and tonumber(last_version) > tonumber(ARGV[5])
    if ARGV[1] == 'subject' and late then return at end
    redis.call('XDEL', KEYS[1], id)
  end
  local stored = redis.call('ZSCORE', KEYS[3], member)
  if stored == 'inf' then
    ends = ''
  elseif stored and ends ~= '' and tonumber(stored) > tonumber(ends) then
    ends = string.format('%.0f', stored)
  end
end
local entry = {'kind', ARGV[1], 'key', ARGV[2], 'at', at}
if ends ~= '' then
  entry[#entry + 1] = 'until'
  entry[#entry + 1] = ends
end
for i = 6, #ARGV do entry[#entry + 1] = ARGV[i] end
local id = redis.call('XADD', KEYS[1], '*', unpack(entry))
redis.call('HSET', KEYS[2], member, id .. ' ' .. at .. ' ' .. ARGV[5])
redis.call('ZADD', KEYS[3], ends == '' and '+inf' or ends, member)
return at

-- script: read
-- KEYS feed
-- ARGV run, id, count
-- Answers the run, the newest id, and entries after the given id. If that came from another run of the
-- server, or lies beyond the end, it means nothing here: then from the beginning.
local run, newest, start = run_of(), newest_of(KEYS[1]), '-'
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
if ARGV[2] ~= '' and ARGV[1] == run then
  local ms, seq = parts(ARGV[2])
  local newest_ms, newest_seq = parts(newest)
  if ms < newest_ms or ms == newest_ms and seq <= newest_seq then start = '(' .. ARGV[2] end
end
return {run, newest, redis.call('XRANGE', KEYS[1], start, '+', 'COUNT', ARGV[3])}

-- script: count_live
-- KEYS untils, feed
-- ARGV now
return {redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf'), run_of(), newest_of(KEYS[2])}

-- script: prune
-- KEYS feed, entries, untils
-- ARGV before, limit
-- Answers how many entries it deleted. The cutoff of everyone stays.
local limit, deleted = tonumber(ARGV[2]), 0
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[1], 'LIMIT', 0, limit + 1)
for _, member in ipairs(due) do
  if member ~= 'everyone:' and deleted < limit then
    local last = redis.call('HGET', KEYS[2], member)
    local id = last and string.match(last, '^%S+')
    if id then
      redis.call('XDEL', KEYS[1], id)
      redis.call('HDEL', KEYS[2], member)
    end
    redis.call('ZREM', KEYS[3], member)
    deleted = deleted + 1
  end
end
return deleted

-- script: version
-- KEYS version
-- ARGV the version to note where there is none
-- Answers the version that was there.
local found = redis.call('GET', KEYS[1])
if not found and ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1]) end
return found

-- script: everyone
-- KEYS everyone
-- Answers the cutoff of all subjects.
return string.format('%.0f', tonumber(redis.call('GET', KEYS[1]) or 0) or math.huge)

-- script: now
-- KEYS any key of the server that is asked
-- Answers the server's clock, in milliseconds.
return string.format('%.0f', clock() / 1000)
