-- Move the timers that are due into the inbox, and say when the next one is.
-- KEYS: lease, inbox, timers    ARGV: owner, epoch, at most
-- Answers {moved, ms until the next or -1} | {-1} when the lease was lost.
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return {-1} end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call("ZRANGEBYSCORE", KEYS[3], "-inf", now, "LIMIT", 0, ARGV[3])
for _, member in ipairs(due) do
  local timer = cjson.decode(member)
  redis.call("XADD", KEYS[2], "*", "event", timer.event, "key", timer.key, "kind", timer.kind,
    "payload", timer.payload, "turn", timer.turn, "user", timer.user, "at", now)
  redis.call("ZREM", KEYS[3], member)
end
local following = redis.call("ZRANGE", KEYS[3], 0, 0, "WITHSCORES")
if #following == 0 then return {#due, -1} end
return {#due, math.max(0, tonumber(following[2]) - now)}
