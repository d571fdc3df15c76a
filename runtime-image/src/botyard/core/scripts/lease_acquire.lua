-- Take a partition's lease if nobody holds it.
-- KEYS: lease    ARGV: owner, time to live in ms
-- Answers {epoch, commits that there were in the partition} when taken, {0, owner, ms left} when somebody else holds it.
-- The epoch never repeats, even when Redis comes back with an older file: it is at least the clock in microseconds.
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call("HMGET", KEYS[1], "owner", "epoch", "until")
if held[1] and held[1] ~= ARGV[1] and tonumber(held[3]) > now then
  return {0, held[1], tonumber(held[3]) - now}
end
local epoch = math.max((tonumber(held[2]) or 0) + 1, time[1] * 1000000 + time[2])
redis.call("HSET", KEYS[1], "owner", ARGV[1], "epoch", string.format("%.0f", epoch),
  "until", string.format("%.0f", now + tonumber(ARGV[2])))
return {epoch, tonumber(redis.call("HGET", KEYS[1], "commits") or 0)}
