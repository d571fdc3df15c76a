-- Keep a document of a bot.
-- KEYS: collections (name -> version), documents of the collection (name -> text), sizes of the bot's documents
-- ARGV: collection, document, text, bytes, most bytes together, most documents
-- Answers the collection's version, -1 when there is no room, -2 when there are too many documents
local field = ARGV[1] .. "/" .. ARGV[2]
local size = tonumber(ARGV[4])
local before = tonumber(redis.call("HGET", KEYS[3], field) or "-1")
local total = tonumber(redis.call("HGET", KEYS[3], "total") or "0")
if total - math.max(before, 0) + size > tonumber(ARGV[5]) then return -1 end
if before < 0 and redis.call("HLEN", KEYS[3]) - 2 >= tonumber(ARGV[6]) then return -2 end
redis.call("HSET", KEYS[2], ARGV[2], ARGV[3])
redis.call("HSET", KEYS[3], field, size)
redis.call("HINCRBY", KEYS[3], "total", size - math.max(before, 0))
local version = redis.call("HINCRBY", KEYS[3], "version", 1)
redis.call("HSET", KEYS[1], ARGV[1], version)
return version
