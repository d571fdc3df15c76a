-- Put an event aside that has begun and is not committed; everything of its key waits behind it.
-- KEYS: lease, inbox, attempts, parked
-- ARGV: owner, epoch, entry, key, until in ms (0: until told), JSON {entry, turn, event, reason, data}
-- Answers ms until it goes on by itself or -1, or false when the lease or the event is gone.
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return false end
if #redis.call("XRANGE", KEYS[2], ARGV[3], ARGV[3]) == 0 then return false end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Text stays text: decoding and encoding would change numbers and empty lists of `data`.
local about = string.sub(ARGV[6], 1, -2) .. string.format(', "since": %.0f, "until": %.0f}', now, tonumber(ARGV[5]))
redis.call("HSET", KEYS[4], ARGV[4], about)
-- A run that was put aside is none that failed.
redis.call("HINCRBY", KEYS[3], ARGV[3] .. ":parks", 1)
if tonumber(ARGV[5]) == 0 then return -1 end
return math.max(0, tonumber(ARGV[5]) - now)
