-- wrk script: POST /api/v1/contacts/batch, 500 contacts each, every contact with a lead of its own.
-- Arguments: the source and a word that no other run uses.
local source, word, number
local headers = { ["Content-Type"] = "application/json" }
-- Several threads, as several connections, must not make the same leads.
local threads = 0
function setup(thread)
    threads = threads + 1
    thread:set("place", threads)
end

function init(arguments)
    source, word, number = arguments[1], arguments[2], 0
end

function request()
    local items = {}
    for n = 1, 500 do
        number = number + 1
        items[n] = string.format(
            '{"source_id": %s, "lead_external_id": "%s-%d-%d", "lead_name": "Lead %d", "message": "hello"}',
            source, word, place, number, number)
    end
    return wrk.format("POST", "/api/v1/contacts/batch", headers, "[" .. table.concat(items, ",") .. "]")
end
