-- Drop a document of a bot; its collection goes with its last one.
-- KEYS: collections (name -> version), documents of the collection (name -> text), sizes of the bot's documents
-- ARGV: collection, document
-- Answers 1, or 0 when there is no such document
local field = ARGV[1] .. "/" .. ARGV[2]
if redis.call("HDEL", KEYS[2], ARGV[2]) == 0 then return 0 end
redis.call("HINCRBY", KEYS[3], "total", -tonumber(redis.call("HGET", KEYS[3], field) or "0"))
redis.call("HDEL", KEYS[3], field)
local version = redis.call("HINCRBY", KEYS[3], "version", 1)
if redis.call("EXISTS", KEYS[2]) == 0 then
  redis.call("HDEL", KEYS[1], ARGV[1])
else
  redis.call("HSET", KEYS[1], ARGV[1], version)
end
return 1
