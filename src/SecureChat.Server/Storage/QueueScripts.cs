namespace SecureChat.Server.Storage;

/// <summary>The Lua scripts of <see cref="RedisMessageQueue"/>; its remarks draw the keys.</summary>
/// <remarks>Sent as text, so that they also run on every primary of a cluster and after a restart.</remarks>
internal static class QueueScripts
{
    // Removes members whose deadline has passed from queue `q`, and their bytes from state `s`. Returns how many.
    private const string Sweep = """
        local function be(text, from, to)
          local number = 0
          for i = from, to do number = number * 256 + string.byte(text, i) end
          return number
        end
        local function sweep(q, s, now)
          local removed, bytes = 0, 0
          for _, member in ipairs(redis.call('ZRANGE', q, 0, -1)) do
            if be(member, 1, 8) <= now then
              removed = removed + 1
              redis.call('ZREM', q, member)
            else
              bytes = bytes + be(member, 25, 28)
            end
          end
          if removed > 0 then redis.call('HSET', s, 'n', bytes) end
          return removed
        end

        """;

    /// <summary>
    /// KEYS: per mail queue, state, tombstones, message. ARGV: most envelopes, most bytes, now (ms); per mail deadline (ms), member, envelope.
    /// Returns per mail its position (0: known already; negative: the queue was empty before; else a slash and the position before
    /// it), or nil when a queue is full.
    /// </summary>
    public const string Append = Sweep + """
        local most, mostBytes, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local mails = #KEYS / 4
        local fresh, count, bytes, seen = {}, {}, {}, {}
        for i = 1, mails do
          local q, s, t, m = KEYS[i * 4 - 3], KEYS[i * 4 - 2], KEYS[i * 4 - 1], KEYS[i * 4]
          local size = be(ARGV[i * 3 + 2], 25, 28)
          fresh[i] = not seen[m] and tonumber(ARGV[i * 3 + 1]) > now and redis.call('EXISTS', m) == 0
            and tonumber(redis.call('ZSCORE', t, string.sub(ARGV[i * 3 + 2], 9, 24)) or 0) <= now
          seen[m] = true
          if fresh[i] then
            local function fits()
              return redis.call('ZCARD', q) + (count[q] or 0) < most
                and tonumber(redis.call('HGET', s, 'n') or 0) + (bytes[q] or 0) + size <= mostBytes
            end
            if not fits() then
              sweep(q, s, now)
              if not fits() then return false end
            end
            count[q] = (count[q] or 0) + 1
            bytes[q] = (bytes[q] or 0) + size
          end
        end
        local time = redis.call('TIME')
        local clock = time[1] * 1000000 + time[2]
        local answer = {}
        for i = 1, mails do
          answer[i] = '0'
          if fresh[i] then
            local q, s, m = KEYS[i * 4 - 3], KEYS[i * 4 - 2], KEYS[i * 4]
            local life = tonumber(ARGV[i * 3 + 1]) - now
            local last = tonumber(redis.call('HGET', s, 'p') or 0)
            local position = string.format('%.0f', math.max(clock, last + 1))
            local empty = redis.call('ZCARD', q) == 0
            redis.call('SET', m, ARGV[i * 3 + 3], 'PX', life)
            redis.call('ZADD', q, position, ARGV[i * 3 + 2])
            redis.call('HINCRBY', s, 'n', be(ARGV[i * 3 + 2], 25, 28))
            redis.call('HSET', s, 'p', position)
            if redis.call('PTTL', q) < life then redis.call('PEXPIRE', q, life + 60000) end
            if redis.call('PTTL', s) < life + 60000 then redis.call('PEXPIRE', s, life + 120000) end
            answer[i] = empty and '-' .. position or position .. '/' .. string.format('%.0f', last)
          end
        end
        return answer
        """;

    /// <summary>
    /// KEYS: queue, state, tombstones. ARGV: message prefix, now (ms), positions. Leaves tombstones, so that a repeated send stays
    /// known. Returns the names of shared bodies, once for each mail that needs one no more.
    /// </summary>
    public const string Ack = """
        local function be(text, from, to)
          local number = 0
          for i = from, to do number = number * 256 + string.byte(text, i) end
          return number
        end
        local shared, size, last, now = {}, 0, 0, tonumber(ARGV[2])
        for i = 3, #ARGV do
          for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[i], ARGV[i])) do
            local deadline = be(member, 1, 8)
            redis.call('ZREM', KEYS[1], member)
            redis.call('DEL', ARGV[1] .. string.sub(member, 9, 24))
            redis.call('ZADD', KEYS[3], deadline, string.sub(member, 9, 24))
            size = size + be(member, 25, 28)
            last = math.max(last, deadline)
            if #member > 28 then shared[#shared + 1] = string.sub(member, 29) end
          end
        end
        if size > 0 then redis.call('HINCRBY', KEYS[2], 'n', -size) end
        if last > now then
          redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
          if redis.call('PTTL', KEYS[3]) < last - now then redis.call('PEXPIRE', KEYS[3], last - now + 60000) end
        end
        return shared
        """;

    /// <summary>KEYS: queue, state, tombstones. ARGV: message prefix. Returns names as <see cref="Ack"/> does.</summary>
    public const string Clear = """
        local shared = {}
        for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
          if #member > 28 then shared[#shared + 1] = string.sub(member, 29) end
          redis.call('DEL', ARGV[1] .. string.sub(member, 9, 24))
        end
        redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
        return shared
        """;

    /// <summary>KEYS: shared body. ARGV: body, how many mails will end with it, life (ms).</summary>
    public const string Share = """
        redis.call('HSET', KEYS[1], 'd', ARGV[1], 'n', ARGV[2])
        return redis.call('PEXPIRE', KEYS[1], ARGV[3])
        """;

    /// <summary>KEYS: shared body. ARGV: how many mails need it no more. One that expired is not made anew.</summary>
    public const string Release = """
        if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HINCRBY', KEYS[1], 'n', -ARGV[1]) <= 0 then
          redis.call('DEL', KEYS[1])
        end
        return 0
        """;

    /// <summary>KEYS: queue, state. ARGV: now (ms). Returns how many expired and how many still wait.</summary>
    public const string Expire = Sweep + """
        local removed = sweep(KEYS[1], KEYS[2], tonumber(ARGV[1]))
        return {removed, redis.call('ZCARD', KEYS[1])}
        """;
}
