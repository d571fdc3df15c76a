-- Prolong a lease that is still ours.
-- KEYS: lease    ARGV: owner, epoch, time to live in ms, commits that its owner knows of
-- Answers 1, 0 when it was lost, or -1 when Redis has an older state than its owner knows: events that were committed may
-- be in the inbox again, before those that the owner has read.
local held = redis.call("HMGET", KEYS[1], "owner", "epoch", "commits")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
if tonumber(held[3] or 0) < tonumber(ARGV[4]) then return -1 end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("HSET", KEYS[1], "until", string.format("%.0f", now + tonumber(ARGV[3])))
return 1
