public import Leads

extension JSONValue {
    /// How many bytes of what was sent are sent back.
    private static let echoLimit = 1024

    /// The value, or what stands for one that is too long to be sent back: the beginning of a string, else its brackets.
    fileprivate var excerpt: JSONValue {
        var room = Self.echoLimit
        guard !fits(in: &room) else { return self }
        switch self {
        case .string(let text):
            var room = Self.echoLimit - 16
            var beginning = ""
            for scalar in text.unicodeScalars {
                room -= scalar.utf8.writtenSize
                guard room >= 0 else { break }
                beginning.unicodeScalars.append(scalar)
            }
            return .string(beginning + "…")
        case .array: return .string("[…]")
        case .object: return .string("{…}")
        case .null, .bool, .number: return .string("…")
        }
    }

    /// Whether it takes no more than `room` bytes, of which it takes its part. Stops where there is no room left.
    private func fits(in room: inout Int) -> Bool {
        switch self {
        case .null, .bool: room -= 5
        case .number(let number): room -= number.text.utf8.count
        case .string(let text): room -= text.utf8.count > room ? room + 1 : text.utf8.writtenSize + 2
        case .array(let items):
            room -= 2 + max(0, items.count - 1)
            guard room >= 0 else { return false }
            for item in items where !item.fits(in: &room) { return false }
        case .object(let members):
            room -= 2 + max(0, members.count - 1)
            guard room >= 0 else { return false }
            for member in members {
                room -= member.name.utf8.count > room ? room + 1 : member.name.utf8.writtenSize + 3
                guard room >= 0, member.value.fits(in: &room) else { return false }
            }
        }
        return room >= 0
    }
}

extension Sequence where Element == UInt8 {
    /// How many bytes the text takes inside a JSON string, at most.
    fileprivate var writtenSize: Int {
        reduce(0) { size, byte in
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): size + 2
            case 0..<0x20: size + 6
            default: size + 1
            }
        }
    }
}

extension JSONWriter {
    /// Writes FastAPI's body of a 422: `{"detail":[{"type","loc","msg","input","ctx"?}]}`.
    public mutating func detail(_ faults: [Fault]) {
        object { $0.detailField(faults) }
    }

    /// Writes the field `detail` of such a body.
    public mutating func detailField(_ faults: [Fault]) {
        array("detail", faults) { json, fault in
            json.object {
                $0.field("type", fault.type)
                $0.array("loc", fault.location) { json, step in
                    switch step {
                    case .field(let name): json.value(name)
                    case .index(let index): json.value(index)
                    }
                }
                $0.field("msg", fault.message)
                $0.field("input", fault.input.excerpt)
                if !fault.context.isEmpty { $0.field("ctx", JSONValue.object(fault.context)) }
            }
        }
    }
}
