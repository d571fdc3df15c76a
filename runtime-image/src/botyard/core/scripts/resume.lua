-- Let the parked turn of a key go on.
-- KEYS: parked    ARGV: key, turn (empty: whichever it is)
-- Answers 1, or 0 when there is none.
local parked = redis.call("HGET", KEYS[1], ARGV[1])
if not parked or (ARGV[2] ~= "" and cjson.decode(parked).turn ~= ARGV[2]) then return 0 end
return redis.call("HDEL", KEYS[1], ARGV[1])
