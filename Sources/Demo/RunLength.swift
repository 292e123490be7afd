/// How long a demonstration runs: `60`, `90s`, `5m`, `2h`; `0` or `forever` means until it is stopped.
public struct RunLength: Sendable, Equatable {
    /// Nil when it has no end.
    public let duration: Duration?

    /// Without an end.
    public static let forever = RunLength(duration: nil)

    /// A length of time; nil for no end.
    public init(duration: Duration?) {
        self.duration = duration
    }

    /// Nil when the text is no length.
    public init?(_ text: String) {
        guard text != "forever" else {
            self = .forever
            return
        }
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
        let unit = text.last.flatMap { units[$0] }
        guard let number = Double(unit == nil ? text : String(text.dropLast())), (0...1_000_000).contains(number)
        else { return nil }
        self.init(duration: number == 0 ? nil : .seconds(number * (unit ?? 1)))
    }
}
