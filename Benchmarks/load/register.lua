-- wrk script: POST /api/v1/contacts, each with a lead of its own.
-- Arguments: the source, a word that no other run uses, and `close` to close each contact once it is registered.
--
-- The last line of its output counts what was done.
local source, word, closes, number
local registered, closed, refused = 0, 0, 0
local open, first, last = {}, 1, 0
local headers = { ["Content-Type"] = "application/json" }
if os.getenv("BENCH_KEY") then headers["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY") end

local threads = {}
function setup(thread) table.insert(threads, thread) end

function init(arguments)
    source, word, closes, number = arguments[1], arguments[2], arguments[3] == "close", 0
end

function request()
    if closes and first <= last then
        local id = open[first]
        open[first], first = nil, first + 1
        return wrk.format("POST", "/api/v1/contacts/" .. id .. "/close", headers, "{}")
    end
    number = number + 1
    local body = string.format(
        '{"source_id": %s, "lead_external_id": "%s-%d", "lead_name": "Lead %d", "message": "hello"}',
        source, word, number, number)
    return wrk.format("POST", "/api/v1/contacts", headers, body)
end

local function count(status, _, body)
    if status == 201 then
        registered = registered + 1
        if closes then
            last = last + 1
            open[last] = string.match(body, '"id":%s*(%d+)')
        end
    elseif status == 200 then
        closed = closed + 1
    else
        refused = refused + 1
    end
    -- Where the main state finds them.
    counts = registered .. " " .. closed .. " " .. refused
end

-- Looking at every answer costs wrk time, so only where it is needed.
if os.getenv("BENCH_COUNT") then response = count end

function done()
    for _, thread in ipairs(threads) do
        local counted = thread:get("counts")
        if counted then print("counted " .. counted) end
    end
end
