-- Allow an account a further amount, once for each id.
-- KEYS: holds, periods, asks, grants    plan: id, account, coins, calendar windows in calendars (one or none), keep, record
-- Answers {"granted", account, granted in all, spent} | {"done", account} | {"clock", now}
local windows = periods_now(plan.calendars)
if not windows then return {"clock", now} end
local name = full_name(plan.account, windows[1])
local key, account = prefix .. "g:" .. plan.id, account_key(name)
if redis.call("EXISTS", key) == 1 then return {"done", name} end
local granted = redis.call("HINCRBY", account, "granted", whole(plan.coins))
redis.call("HDEL", account, "need", "warned")
redis.call("PEXPIRE", account, plan.keep)
if windows[1] then redis.call("ZADD", KEYS[2], whole(windows[1][2]), name) end
redis.call("SET", key, name, "PX", plan.keep)
redis.call("HDEL", KEYS[3], name)
redis.call("XADD", KEYS[4], "MAXLEN", "~", 10000, "*", "account", name, "coins", whole(plan.coins), "record", plan.record)
return {"granted", name, granted, tonumber(redis.call("HGET", account, "spent") or 0)}
