-- Charge a cost that is known only afterwards, such as a tool's, once. It may go beyond a limit: it is spent.
-- KEYS: holds, periods    plan: id, coins, tokens, keep, calendars, charges (as for reserve)
-- Answers {"booked", {account, spent, reserved, limit}…} | {"done"} | {"clock", now}
local key = prefix .. "h:" .. plan.id
if redis.call("EXISTS", key) == 1 then return {"done"} end
local windows = periods_now(plan.calendars)
if not windows then return {"clock", now} end
local answer = {"booked"}
for _, charge in ipairs(plan.charges) do
  local amount = charge[2] == "c" and plan.coins or charge[2] == "t" and plan.tokens or 0
  if charge[2] == "c" or amount > 0 then
    local window = windows[charge[5]]
    local name = full_name(charge[1], window)
    local account = account_key(name)
    local spent = redis.call("HINCRBY", account, "spent", whole(amount))
    if charge[2] == "c" then redis.call("HINCRBY", account, "tools", whole(amount)) end
    local found = redis.call("HMGET", account, "reserved", "granted", "own")
    local limit = limit_of(charge[3], found[3], found[2])
    redis.call("HSET", account, "cap", whole(limit))
    redis.call("PEXPIRE", account, charge[6])
    if window and charge[2] == "c" then redis.call("ZADD", KEYS[2], whole(window[2]), name) end
    answer[#answer + 1] = {name, spent, tonumber(found[1] or 0), limit}
  end
end
redis.call("HSET", key, "state", "booked", "c", whole(plan.coins))
redis.call("PEXPIRE", key, plan.keep)
return answer
