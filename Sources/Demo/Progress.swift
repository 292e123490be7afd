/// Where a demonstration stands.
struct Progress: Sendable {
    let elapsed: Duration
    let length: RunLength
    let rateWanted: Double
    let sent: Int
    let active: Int
    let places: Int
    let waiting: Int
    let closed: Int
    /// Contacts per second, over the last seconds.
    let rate: Double
    let errors: Int

    /// Without a bar.
    var plainLine: String {
        let total = length.duration.map { "/\($0.clock)" } ?? ""
        return "\(elapsed.clock)\(total)  \(figures)"
    }

    /// As much of everything as fits.
    func line(width: Int, style: BarStyle) -> String {
        guard let total = length.duration else { return String(plainLine.prefix(width)) }
        let start = "\(elapsed.clock)/\(total.clock) "
        let cells = min(width - start.count - figures.count - 2, 40)
        guard cells >= 4 else { return String(plainLine.prefix(width)) }
        let filled = min(cells, Int(Double(cells) * elapsed.inSeconds / total.inSeconds))
        return start + style.bar(filled: filled, of: cells) + "  " + figures
    }

    /// Of a constant width, as far as can be foreseen, lest everything jump to and fro.
    private var figures: String {
        let expected = Int(1.1 * rateWanted * (length.duration ?? elapsed).inSeconds)
        let width = max(3, String(expected).count)
        let load = String(active).padded(to: String(places).count)
        let fields = [
            "sent \(String(sent).padded(to: width))", "active \(load)/\(places)",
            "waiting \(String(waiting).padded(to: 2))", "closed \(String(closed).padded(to: width))",
            "\(rate.rounded(to: 1).padded(to: rateWanted.rounded(to: 1).count))/s", "errors \(errors)",
        ]
        return fields.joined(separator: "  ")
    }
}

/// What bars are drawn with.
enum BarStyle: Sendable {
    case blocks, ascii

    func bar(filled: Int, of cells: Int) -> String {
        let (full, empty) = self == .blocks ? ("█", "░") : ("#", "-")
        return String(repeating: full, count: filled) + String(repeating: empty, count: cells - filled)
    }
}

extension Duration {
    /// `0:05`, `12:34` or `1:02:03`.
    var clock: String {
        let seconds = Int(inSeconds)
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        let rest = String(seconds % 60).padded(to: 2, with: "0")
        return hours == 0 ? "\(minutes):\(rest)" : "\(hours):\(String(minutes).padded(to: 2, with: "0")):\(rest)"
    }
}

extension Double {
    /// The number with so many digits after the point.
    func rounded(to digits: Int) -> String {
        let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
        let scaled = Int((self * Double(scale)).rounded())
        return digits == 0 ? "\(scaled)" : "\(scaled / scale).\(String(scaled % scale).padded(to: digits, with: "0"))"
    }
}

extension String {
    /// Filled up on the left.
    func padded(to width: Int, with filling: String = " ") -> String {
        String(repeating: filling, count: Swift.max(width - count, 0)) + self
    }

    /// Filled up on the right.
    func extended(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(width - count, 0))
    }
}
