-- One write: found, decided, stored and counted in one step. It decides as caching/writes.py, conditions.py and limits.py
-- do, and changes nothing before it has decided. Keys are those of keys.py, fields those of records.py.
--
-- KEYS  usage of the owner, set of all owners
-- ARGV  what, base (what the owner's keys begin with), now (ms), and what each below says
-- Returns a list: a word, and what goes with it.

local usage_key, owners_key = KEYS[1], KEYS[2]
local what, base, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
local AT_ONCE = 500

-- What the owner uses: entries, items, bytes, and the number of its last write. Stored again by `count`.
local used = redis.call('HMGET', usage_key, 'e', 'i', 'b', 'r')
for n = 1, 4 do used[n] = tonumber(used[n] or 0) end

local function text(number) return string.format('%.0f', number) end

local function count()
    redis.call('HSET', usage_key, 'e', text(used[1]), 'i', text(used[2]), 'b', text(used[3]), 'r', text(used[4]))
end

-- The entry or item there is, expired or not.
local function find(member)
    local got = redis.call('HMGET', base .. member, 'r', 'w', 'x', 's')
    if not got[1] then
        if got[2] or got[4] then error('DAMAGED') end
        return nil
    end
    local expires = tonumber(got[3])
    return {
        member = member, etag = got[1] .. '.' .. (got[2] or ''), write_id = got[2], expires = expires,
        size = tonumber(got[4] or 0), expired = expires ~= nil and expires <= now,
    }
end

local function readable(member)
    local ok, found = pcall(find, member)
    return ok and found or nil
end

-- Of a member: which index its key stands in, the key, and the list's own name with its length (nil: an entry).
local function place(member)
    if string.sub(member, 1, 1) == 'e' then return base .. 'k', string.sub(member, 2), nil end
    local colon = string.find(member, ':', 2, true)
    local ends = colon + tonumber(string.sub(member, 2, colon - 1))
    local map = string.sub(member, 2, ends)
    return base .. 'l' .. map, string.sub(member, ends + 1), map
end

local function name_of(map) return string.sub(map, string.find(map, ':', 1, true) + 1) end

local function remove(entry)
    local index, key, map = place(entry.member)
    redis.call('DEL', base .. entry.member)
    redis.call('ZREM', index, key)
    if entry.expires then redis.call('ZREM', base .. 'x', entry.member) end
    if map == nil then
        redis.call('ZREM', base .. 'a', key)
        used[1] = used[1] - 1
    else
        if redis.call('EXISTS', index) == 0 then redis.call('ZREM', base .. 'm', name_of(map)) end
        used[2] = used[2] - 1
    end
    used[3] = used[3] - entry.size
end

-- What the condition refuses: nil, or what is to be answered. ARGV: kind, number of etags, etags …
local function refused(live, at)
    local kind = ARGV[at]
    if kind == 'absent' and live then return {'exists', live.etag} end
    if kind == 'present' and not live then return {'missing'} end
    if kind == 'match' then
        for n = at + 2, at + 1 + tonumber(ARGV[at + 1]) do
            if live and live.etag == ARGV[n] then return nil end
        end
        return {'changed', live and live.etag or ''}
    end
    return nil
end

-- Who gives way so that the write fits; or nil, and what is lacking. Nothing is removed yet.
local function room(member, item, replaced, size, most, most_bytes, oldest)
    if replaced and size <= replaced.size then return {} end
    local more = not replaced
    local held = used[item and 2 or 1] + (more and 1 or 0)
    local bytes = used[3] + size - (replaced and replaced.size or 0)
    local function lacking()
        if more and most and held > most then return 'entries' end
        if bytes > most_bytes then return 'bytes' end
        return nil
    end
    local victims, chosen = {}, {[member] = true}
    local function give(entry)
        chosen[entry.member] = true
        victims[#victims + 1] = entry
        bytes = bytes - entry.size
        if (string.sub(entry.member, 1, 1) == 'i') == item then held = held - 1 end
    end
    local function walk(index, last, prefix)
        local start = 0
        while lacking() do
            local names = redis.call('ZRANGEBYSCORE', index, '-inf', last, 'LIMIT', start, AT_ONCE)
            for _, name in ipairs(names) do
                if not lacking() then return end
                local entry = not chosen[prefix .. name] and readable(prefix .. name)
                if entry then give(entry) end
            end
            if #names < AT_ONCE then return end
            start = start + AT_ONCE
        end
    end
    walk(base .. 'x', text(now), '')
    if oldest then walk(base .. 'a', '+inf', 'e') end
    local short = lacking()
    if short then return nil, short end
    return victims
end

-- ARGV: member, value, type, write id, expires (ms or empty), size, longest value, most entries (or empty), most bytes,
-- whether the oldest give way (1), condition
local function put()
    local member, value, write_id, expires = ARGV[4], ARGV[5], ARGV[7], ARGV[8]
    local size, item = tonumber(ARGV[9]), string.sub(member, 1, 1) == 'i'
    local found = find(member)
    local live = found and not found.expired and found or nil
    if live and live.write_id == write_id then
        return {'again', redis.call('HMGET', base .. member, 'v', 't', 'r', 'w', 'c', 'x', 'f')}
    end
    local refusal = refused(live, 14)
    if refusal then return refusal end
    if size > tonumber(ARGV[10]) then return {'long'} end
    local victims, short = room(member, item, found, size, tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13] == '1')
    if not victims then return {'full', short} end

    for _, each in ipairs(victims) do remove(each) end
    used[4] = used[4] + 1
    local rev, first = text(used[4]), live and '0' or '1'
    redis.call('HSET', base .. member, 'v', value, 't', ARGV[6], 'r', rev, 'w', write_id, 'c', ARGV[3], 'x', expires,
        'f', first, 's', ARGV[9])
    local index, key, map = place(member)
    if not found then
        redis.call('ZADD', index, '0', key)
        if map then redis.call('ZADD', base .. 'm', '0', name_of(map)) end
        used[item and 2 or 1] = used[item and 2 or 1] + 1
    end
    used[3] = used[3] + size - (found and found.size or 0)
    if not item then redis.call('ZADD', base .. 'a', rev, key) end
    if expires ~= '' then
        redis.call('ZADD', base .. 'x', expires, member)
    elseif found and found.expires then
        redis.call('ZREM', base .. 'x', member)
    end
    count()
    if used[4] == 1 then redis.call('SADD', owners_key, ARGV[2]) end
    return {'stored', rev, first}
end

-- ARGV: member, condition
local function delete()
    local found = find(ARGV[4])
    local live = found and not found.expired and found or nil
    local refusal = refused(live, 5)
    if refusal then return refusal end
    if not live then return {'missing'} end
    remove(live)
    count()
    return {'removed', 1}
end

-- Every entry, damaged ones too; no items.
local function clear()
    local gone = 0
    while true do
        local keys = redis.call('ZRANGE', base .. 'k', 0, AT_ONCE - 1)
        if #keys == 0 then break end
        local members, entries = {}, {}
        for n, key in ipairs(keys) do
            members[n], entries[n] = 'e' .. key, base .. 'e' .. key
            local size = redis.pcall('HGET', entries[n], 's')
            used[3] = used[3] - (type(size) == 'string' and tonumber(size) or 0)
        end
        redis.call('DEL', unpack(entries))
        redis.call('ZREM', base .. 'x', unpack(members))
        redis.call('ZREM', base .. 'a', unpack(keys))
        redis.call('ZREM', base .. 'k', unpack(keys))
        gone = gone + #keys
    end
    if gone > 0 then
        used[1] = 0
        if used[2] == 0 then used[3] = 0 end
        count()
    end
    return {'removed', gone}
end

-- Those that are still the ones seen, expired or not. ARGV: pairs of a member and its number and write id (etag).
local function drop()
    local gone = 0
    for n = 4, #ARGV, 2 do
        local found = readable(ARGV[n])
        if found and found.etag == ARGV[n + 1] then
            remove(found)
            gone = gone + 1
        end
    end
    if gone > 0 then count() end
    return {'removed', gone}
end

-- What has expired. ARGV: how many at most.
local function sweep()
    local members = redis.call('ZRANGEBYSCORE', base .. 'x', '-inf', text(now), 'LIMIT', 0, ARGV[4])
    for _, member in ipairs(members) do
        local found = readable(member)
        if found and found.expired then remove(found) else redis.call('ZREM', base .. 'x', member) end
    end
    if #members > 0 then count() end
    return {'removed', #members}
end

return ({put = put, delete = delete, clear = clear, drop = drop, sweep = sweep})[what]()
