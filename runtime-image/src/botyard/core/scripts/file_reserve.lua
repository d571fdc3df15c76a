-- Set room aside for a file, after what expired gave its room back.
-- KEYS: files, total
-- ARGV: file, size, milliseconds to keep, most bytes together
-- Answers the total, or -1 when there is no room
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, member in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now, "LIMIT", 0, 1000)) do
  redis.call("ZREM", KEYS[1], member)
  redis.call("DECRBY", KEYS[2], string.match(member, " (%d+)$"))
end
local member = ARGV[1] .. " " .. ARGV[2]
local total = tonumber(redis.call("GET", KEYS[2]) or "0")
if redis.call("ZSCORE", KEYS[1], member) then return total end
if total + tonumber(ARGV[2]) > tonumber(ARGV[4]) then return -1 end
redis.call("ZADD", KEYS[1], now + ARGV[3], member)
return redis.call("INCRBY", KEYS[2], ARGV[2])
