-- Note that a worker died while it ran these events.
-- KEYS: lease, attempts    ARGV: owner, epoch, entry
-- Answers how often workers died of it by now, or 0 when the lease was lost.
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
return redis.call("HINCRBY", KEYS[2], ARGV[3] .. ":crashes", 1)
