import HTTPTypes

/// The name of a request in logs, in its answer and, where a balancer gave it one, everywhere on its way.
enum RequestID {
    static let header = HTTPField.Name("X-Request-ID")!

    /// The id the request came with, when it is one to be trusted in a log, or a new one.
    static func of(_ headers: HTTPFields) -> String {
        guard let given = headers[header], (1...128).contains(given.utf8.count),
            given.utf8.allSatisfy(isUnsuspicious)
        else { return String(UInt64.random(in: 0...UInt64.max), radix: 16) }
        return given
    }

    private static func isUnsuspicious(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
