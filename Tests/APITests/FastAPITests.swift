import API
import JSON
import Leads
import Testing

/// Our answers beside those that FastAPI and pydantic gave in faults.json; make_fixtures.py has the models.
struct FastAPITests {
    @Test func `every fault and every value is the one that FastAPI answers`() throws {
        let cases = try JSONParser.parse(PackageResources.faults_json).items
        #expect(cases.count > 200)
        for row in cases {
            let (call, text, detail) = (row.items[0].text, row.items[1].text, row.items[2])
            switch answer(to: call, text) {
            case .success(let value):
                #expect(detail == .null && value == row.items.last, "\(call) \(text): \(value)")
            case .failure(let failure):
                var json = JSONWriter()
                json.detail(failure.faults)
                let ours = try JSONParser.parse(json.bytes)
                #expect(ours == .object([.init("detail", detail)]), "\(call) \(text)")
            }
        }
    }

    @Test func `every document is accepted or refused as Python's json does`() throws {
        let cases = try JSONParser.parse(PackageResources.documents_json).items
        #expect(cases.count > 200)
        for row in cases {
            let document = row.items[0].text
            do throws(JSONParser.Failure) {
                _ = try JSONParser.parse(Array(document.utf8))
                #expect(row.items.count == 1, "accepted \(document)")
            } catch {
                let ours: [JSONValue] = [.string(error.reason.rawValue), .integer(error.position)]
                #expect(ours == Array(row.items.dropFirst()), "\(document)")
            }
        }
    }

    private func answer(to call: String, _ text: String) -> Result<JSONValue, ValidationFailure> {
        Result { () throws(ValidationFailure) in
            switch call {
            case "query": try contactList(text.split(separator: "&").map(parameter))
            case "moment": try contactList([("created_from", text)])
            default: try value(of: call, json(text))
            }
        }
    }

    private func json(_ text: String) throws(ValidationFailure) -> JSONValue? {
        if text.isEmpty { return nil }
        do throws(JSONParser.Failure) {
            return try JSONParser.parse(Array(text.utf8))
        } catch {
            throw ValidationFailure([error.fault])
        }
    }

    private func value(of call: String, _ json: JSONValue?) throws(ValidationFailure) -> JSONValue {
        switch call {
        case "operator": return try Fields.decode(json, operatorCreate)
        case "contact": return try Fields.decode(json, contactCreate)
        case "weights": return .array(try Fields.decodeList(json, weight))
        case "distribution":
            return try Fields.decode(json) {
                .object([.init("operator_weights", .array($0.list("operator_weights", weight)))])
            }
        default:
            let id = String(call.dropFirst("path:".count).replacing("%20", with: " "))
            var path = Fields(path: [("operator_id", id)])
            let operatorID = path.integer("operator_id")
            return .array([.integer(operatorID), try Fields.decode(json, after: path.faults, operatorCreate)])
        }
    }

    private func operatorCreate(_ fields: inout Fields) -> JSONValue {
        .object([
            .init("name", .string(fields.string("name", length: 1...200, trimmed: true))),
            .init("is_active", .bool(fields.bool("is_active", default: true))),
            .init("max_load", .integer(fields.integer("max_load", default: 10, in: 1...1_000_000))),
        ])
    }

    private func weight(_ fields: inout Fields) -> JSONValue {
        .object([
            .init("operator_id", .integer(fields.integer("operator_id"))),
            .init("weight", .integer(fields.integer("weight", default: 1, in: 1...1_000_000))),
        ])
    }

    private func contactCreate(_ fields: inout Fields) -> JSONValue {
        .array([
            .integer(fields.integer("source_id")),
            fields.optionalString("lead_phone").map(JSONValue.string) ?? .null,
            fields.optionalString("message", length: 0...5).map(JSONValue.string) ?? .null,
            fields.optionalInteger("priority", in: 0...9).map(JSONValue.integer) ?? .null,
            fields.optionalBool("is_active").map(JSONValue.bool) ?? .null,
            fields.optionalChoice("status", of: Status.allCases).map { .string($0.rawValue) } ?? .null,
            .array(fields.has("ids") ? fields.integers("ids", atMost: 2).map(JSONValue.integer) : []),
        ])
    }

    private func contactList(_ parameters: [(name: String, value: String)]) throws(ValidationFailure) -> JSONValue {
        var fields = Fields(query: parameters)
        let values: [JSONValue] = [
            .integer(fields.integer("skip", default: 0, in: 0...Int.max)),
            .integer(fields.integer("limit", default: 100, in: 1...1000)),
            fields.optionalBool("is_active").map(JSONValue.bool) ?? .null,
            fields.optionalTimestamp("created_from").map { .string($0.description) } ?? .null,
            .string(fields.choice("order", of: Order.allCases, default: .asc).rawValue),
        ]
        try fields.check()
        return .array(values)
    }

    private func parameter(_ text: Substring) -> (name: String, value: String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        let value = String(parts[1]).replacing("%2B", with: "+").replacing("%00", with: "\0")
        return (String(parts[0]), value)
    }

    private enum Status: String, CaseIterable {
        case active, waiting, closed
    }

    private enum Order: String, CaseIterable {
        case asc, desc
    }
}

extension JSONValue {
    fileprivate var items: [JSONValue] {
        if case .array(let items) = self { items } else { [] }
    }

    fileprivate var text: String {
        if case .string(let text) = self { text } else { "" }
    }
}
