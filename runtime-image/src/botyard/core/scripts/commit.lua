-- Commit one event: everything it did, or nothing.
-- KEYS: lease, inbox, attempts, state, conversation, open turns, outputs, history, timers, journal, outbox,
--       dead letters, versions, records, names of the records
-- ARGV: owner, epoch, entry, turn, live channel, msgpack of the commit (see botyard.core.turns)
-- Answers {"ok", number of the last output, commits that there were in the partition} | {"stale"} | {"duplicate", commits} | {"full"}
local held = redis.call("HMGET", KEYS[1], "owner", "epoch", "commits")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return {"stale"} end
local entry, turn, channel = ARGV[3], ARGV[4], ARGV[5]
local commit = cmsgpack.unpack(ARGV[6])
-- Redis has an older state: an event that was committed may be in the inbox again, before this one.
if tonumber(held[3] or 0) < commit.known then return {"stale"} end
local records = commit.records or {}
if #records > 0 then
  local more = redis.call("HLEN", KEYS[14])
  for _, record in ipairs(records) do
    if more + #records <= commit.max_records then break end
    if record[2] ~= "" and redis.call("HEXISTS", KEYS[14], record[1]) == 0 then more = more + 1 end
    if more > commit.max_records then return {"full"} end
  end
end
-- The entry's deletion is the acknowledgement, and what a second commit of the same event stumbles over.
if redis.call("XDEL", KEYS[2], entry) == 0 then
  -- A write of this connection, for WAITAOF: the first commit may not be on disk yet.
  redis.call("EXPIRE", KEYS[8], commit.keep)
  return {"duplicate", tonumber(held[3] or 0)}
end

-- A conversation that was ended while this turn ran keeps nothing of what belonged to before.
if (commit.state == "set" or #records > 0) and (redis.call("HGET", KEYS[5], "ends") or "0") ~= commit.ends then
  commit.state = "drop"
  records = {}
end
local number = redis.call("HINCRBY", KEYS[5], "commits", 1)
local rewritten = false
if commit.drop_records and redis.call("DEL", KEYS[14], KEYS[15]) > 0 then rewritten = true end
for _, record in ipairs(records) do
  if record[2] == "" then
    if redis.call("HDEL", KEYS[14], record[1]) == 1 then
      redis.call("ZREM", KEYS[15], record[1])
      rewritten = true
    end
  elseif redis.call("HSET", KEYS[14], record[1], number .. " " .. record[2]) == 1 then
    redis.call("ZADD", KEYS[15], 0, record[1])
  else
    rewritten = true
  end
end
if rewritten then redis.call("HSET", KEYS[5], "rewritten", number) end
if commit.state == "set" then
  redis.call("SET", KEYS[4], commit.blob, "EX", commit.keep)
  redis.call("HSET", KEYS[5], "revision", commit.revision, "schema", commit.schema)
elseif commit.state == "drop" then
  redis.call("DEL", KEYS[4])
else
  redis.call("EXPIRE", KEYS[4], commit.keep)
end

local last = 0
for _, envelope in ipairs(commit.outputs) do
  last = redis.call("HINCRBY", KEYS[5], "outputs", 1)
  redis.call("XADD", KEYS[7], "MAXLEN", "~", commit.cap, last .. "-0", "e", envelope)
  redis.call("PUBLISH", channel, last .. " " .. envelope)
end
if commit.state == "set" then
  redis.call("XADD", KEYS[13], "MAXLEN", "=", commit.versions, "*", "turn", turn, "outputs", last, "commit", number,
    "revision", commit.revision, "schema", commit.schema,
    "state", commit.blob)
  redis.call("EXPIRE", KEYS[13], commit.keep)
end
redis.call("XADD", KEYS[8], "MAXLEN", "~", commit.history_cap, "*", "turn", turn, "record", commit.record)
for _, event in ipairs(commit.events) do
  local here, due = event.here, event.due_ms
  event.here, event.due_ms = nil, nil
  if not here then
    redis.call("XADD", KEYS[11], "*", "due", due, "m", cjson.encode(event))
  elseif due > 0 then
    redis.call("ZADD", KEYS[9], due, cjson.encode(event))
  else
    redis.call("XADD", KEYS[2], "*", "event", event.event, "key", event.key, "kind", event.kind,
      "payload", event.payload, "turn", event.turn, "user", event.user, "at", commit.now)
  end
end
if commit.dead then
  redis.call("XADD", KEYS[12], "MAXLEN", "~", 10000, "*", "record", commit.dead)
end
redis.call("HDEL", KEYS[6], turn)
redis.call("HDEL", KEYS[5], "cancel:" .. turn)
redis.call("HDEL", KEYS[3], entry, entry .. ":crashes", entry .. ":sent", entry .. ":parks", entry .. ":run",
  entry .. ":blamed")
redis.call("DEL", KEYS[10])
for index = 5, 8 do redis.call("EXPIRE", KEYS[index], commit.keep) end
redis.call("EXPIRE", KEYS[14], commit.keep)
redis.call("EXPIRE", KEYS[15], commit.keep)
return {"ok", last, redis.call("HINCRBY", KEYS[1], "commits", 1)}
