-- Prolong a lease that is still ours.
-- KEYS: lease    ARGV: owner, epoch, time to live in ms
-- Answers 1, or 0 when it was lost.
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("HSET", KEYS[1], "until", string.format("%.0f", now + tonumber(ARGV[3])))
return 1
