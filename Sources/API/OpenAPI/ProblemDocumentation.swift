import JSON
import Leads

extension Component {
    static let problem = answer(
        "Problem", "Why a request was refused.",
        [
            .init("detail", .string, "What is wrong, for people, in the language of `Accept-Language`."),
            .init("code", .string, "What is wrong, for programs."),
        ],
        example: { $0.value(JSONValue.parsed(Problem.contactNotFound.reply(in: .english).body)) })

    static let validationFailure = answer(
        "HTTPValidationError", "Everything that is wrong with a request.",
        [
            .init("detail", .array(of: .reference(validationFault)), "The faults, in the order of the fields.")
        ],
        example: { $0.detail(faults) })

    static let validationFault = answer(
        "ValidationError", "One thing that is wrong, in the form of pydantic v2.",
        [
            .init("type", .string, "What is wrong, for programs: `missing`, `int_parsing`."),
            .init(
                "loc", .array(of: .anyOf(.string, .integer(0...Int.max))),
                "Where: first `body`, `query` or `path`, then names and indexes. For broken JSON, the position."),
            .init("msg", .string, "What is wrong, for people, in English."),
            .init("input", .anything, "What was sent there; for a missing field, the object in which it is missing."),
            .init(
                "ctx", .anyObject, "The bounds or the cause that `msg` mentions, where there are any.",
                isRequired: false),
        ],
        examples: [])

    private static var faults: [Fault] {
        let sent = JSONValue.object([.init("max_load", .integer(0))])
        do throws(ValidationFailure) {
            _ = try Fields.decode(sent) { NewOperator(&$0) }
            return []
        } catch {
            return error.faults
        }
    }
}
