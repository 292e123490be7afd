import Leads
import Testing

struct FieldDescriptionTests {
    @Test func `describing yields what the fields may hold, in the order of reading`() {
        let text = FieldDescription.Kind.string(length: 1...200, bytes: .max, isTrimmed: true)
        #expect(
            Fields.describe { NewOperator(&$0) } == [
                FieldDescription(name: "name", kind: text, presence: .required),
                FieldDescription(name: "is_active", kind: .boolean, presence: .absentable(default: .bool(true))),
                FieldDescription(
                    name: "max_load", kind: .integer(1...1_000_000), presence: .absentable(default: .integer(10))),
            ])
        #expect(
            Fields.describe { OperatorChange(&$0) }.map(\.presence) == [
                .nullable(default: nil), .nullable(default: nil), .nullable(default: nil),
                .nullable(default: .bool(false)),
            ])
        #expect(
            Fields.describe { Page(&$0) } == [
                FieldDescription(
                    name: "skip", kind: .integer(0...Int.max), presence: .nullable(default: .integer(0))),
                FieldDescription(
                    name: "limit", kind: .integer(1...1000), presence: .nullable(default: .integer(100))),
                FieldDescription(
                    name: "order", kind: .choice(["asc", "desc"]), presence: .nullable(default: .string("asc"))),
                FieldDescription(
                    name: "cursor", kind: .integer(Int.min...Int.max), presence: .nullable(default: nil)),
            ])
    }

    @Test func `lists are described with what is in them`() {
        let fields = Fields.describe { ($0.integers("ids", atMost: 7, in: 1...9), NewWeight.distribution(&$0)) }
        let weight = Fields.describe { NewWeight(distribution: &$0) }
        #expect(weight.map(\.name) == ["operator_id", "source_id", "weight"])
        #expect(
            fields == [
                FieldDescription(name: "ids", kind: .integers(1...9, atLeast: 0, atMost: 7), presence: .required),
                FieldDescription(name: "operator_weights", kind: .objects(weight, atMost: .max), presence: .required),
            ])
    }

    @Test func `of two readings both are described, as alternatives`() {
        #expect(
            Fields.describe { ContactChange(status: &$0) } == [
                FieldDescription(name: "status", kind: .choice(["active", "closed"]), presence: .alternative),
                FieldDescription(name: "is_active", kind: .boolean, presence: .alternative),
            ])
    }

    @Test func `of two readings the first goes first, unless it is null beside the other`() throws {
        func isActive(_ members: JSONValue.Member...) throws -> Bool {
            try Fields.decode(.object(members)) { ContactChange(status: &$0) }.move == .reopen
        }
        #expect(try isActive(.init("status", .string("closed")), .init("is_active", .bool(true))) == false)
        #expect(try isActive(.init("status", .null), .init("is_active", .bool(true))))
        let failure = #expect(throws: ValidationFailure.self) { _ = try isActive(.init("status", .null)) }
        #expect(failure?.faults.map(\.location) == [[.field("body"), .field("status")]])
    }
}
