-- Note that an open turn is to be cancelled.
-- KEYS: open turns, conversation    ARGV: turn
-- Answers 1, or 0 when the turn is not open.
if redis.call("HEXISTS", KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call("HSET", KEYS[2], "cancel:" .. ARGV[1], 1)
return 1
