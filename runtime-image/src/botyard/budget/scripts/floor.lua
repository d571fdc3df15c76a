-- Say that at least this much was spent in a period: Redis may have come back with an older state.
-- KEYS: holds, periods    plan: account with its period, start of the period, coins, keep
-- Answers what was missing.
local account = account_key(plan.account)
local spent = tonumber(redis.call("HGET", account, "spent") or 0)
if spent >= plan.coins then return 0 end
redis.call("HSET", account, "spent", whole(plan.coins))
redis.call("HINCRBY", account, "restored", whole(plan.coins - spent))
redis.call("PEXPIRE", account, plan.keep)
redis.call("ZADD", KEYS[2], whole(plan.start), plan.account)
return whole(plan.coins - spent)
