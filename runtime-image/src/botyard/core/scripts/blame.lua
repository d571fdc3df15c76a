-- Note that a worker died while it ran these events.
-- KEYS: lease, attempts    ARGV: owner, epoch, entry, attempt
-- Answers how often workers died of it by now, or 0 when the lease was lost.
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
-- One death counts once, also where the answer was lost and the question is asked again.
if redis.call("HGET", KEYS[2], ARGV[3] .. ":blamed") == ARGV[4] then
  return tonumber(redis.call("HGET", KEYS[2], ARGV[3] .. ":crashes") or 0)
end
redis.call("HSET", KEYS[2], ARGV[3] .. ":blamed", ARGV[4])
return redis.call("HINCRBY", KEYS[2], ARGV[3] .. ":crashes", 1)
