-- What all scripts of the ledger share; put before each of them.
-- KEYS[1] is the sorted set of open holds; ARGV[1] is the prefix of the bot's keys; ARGV[2] is a msgpack of the rest.
-- Amounts are below 2^53, so doubles hold them exactly; `whole` keeps them from being written with an exponent.
local holds, prefix, plan = KEYS[1], ARGV[1], cmsgpack.unpack(ARGV[2])
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function whole(number) return string.format("%.0f", number) end

local function account_key(name) return prefix .. "a:" .. name end

-- What is left in an account of a unit when `amount` was set aside and `used` was used of it.
local function settled_amount(unit, amount, coins, tokens)
  if unit == "c" then return math.min(amount, coins) end
  if unit == "t" then return math.min(amount, tokens) end
  if unit == "r" then return amount end
  return 0
end

-- Move what a hold set aside in one account to what is spent there.
local function move(name, amount, used)
  local key = account_key(name)
  local reserved = tonumber(redis.call("HGET", key, "reserved") or 0)
  redis.call("HSET", key, "reserved", whole(math.max(0, reserved - amount)))
  if used > 0 then redis.call("HINCRBY", key, "spent", whole(used)) end
end

-- Settle holds whose lease is over at their worst case: their worker is lost, and so is what it knew.
local function lapse(limit)
  local lost = {}
  for _, call in ipairs(redis.call("ZRANGEBYSCORE", holds, "-inf", whole(now), "LIMIT", 0, limit)) do
    local key = prefix .. "h:" .. call
    local held = redis.call("HMGET", key, "state", "charges", "keep")
    if held[1] == "open" then
      for _, charge in ipairs(cmsgpack.unpack(held[2])) do
        local name, unit, amount = charge[1], charge[2], charge[3]
        move(name, amount, settled_amount(unit, amount, amount, amount))
        redis.call("HINCRBY", account_key(name), "lost", 1)
      end
      redis.call("HSET", key, "state", "lapsed")
      redis.call("PEXPIRE", key, held[3])
      lost[#lost + 1] = call
    end
    redis.call("ZREM", holds, call)
  end
  return lost
end

-- The period of each calendar that Redis' clock is in; nil when the asker's clock is too far away to have it.
local function periods_now(calendars)
  local found = {}
  for number, windows in ipairs(calendars) do
    for _, window in ipairs(windows) do
      if now >= window[2] and now < window[3] then found[number] = window end
    end
    if not found[number] then return nil end
  end
  return found
end

-- Most that may be spent in an account: what is declared, or less where its own bound is lower, and what was granted.
-- Arguments are as stored, false where nothing is; -1: without a limit.
local function limit_of(declared, own, granted)
  local limit = declared
  if own and (limit < 0 or tonumber(own) < limit) then limit = tonumber(own) end
  if limit >= 0 then limit = limit + tonumber(granted or 0) end
  return limit
end

-- Name of an account with its period.
local function full_name(name, window)
  if window then return name .. ":" .. window[1] end
  return name
end
