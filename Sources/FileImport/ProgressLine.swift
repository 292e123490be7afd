/// Progress on one line.
public struct ProgressLine: Sendable {
    private let progress: FileImport.Progress
    private let elapsed: Double

    /// - Parameter elapsed: the seconds of this run.
    public init(_ progress: FileImport.Progress, elapsed: Double) {
        self.progress = progress
        self.elapsed = max(elapsed, 0.001)
    }

    /// Without a bar: `45 %, 225 000 lines, 18 400/s, 0:15 left, 3 failed`.
    public var plain: String {
        var parts = [
            "\(percent) %", "\(progress.counts.lines.grouped) lines",
            "\(Int(Double(progress.counts.lines - progress.countsBefore.lines) / elapsed).grouped)/s",
        ]
        if let left { parts.append("\(left.clock) left") }
        if progress.counts.failed > 0 { parts.append("\(progress.counts.failed.grouped) failed") }
        return parts.joined(separator: ", ")
    }

    /// With one, as far as there is room.
    public func bar(width: Int) -> String {
        let figures = plain
        let cells = min(width - figures.count - 3, 30)
        guard cells >= 5 else { return String(figures.prefix(max(width, 0))) }
        let filled = progress.size > 0 ? min(cells, cells * progress.done / progress.size) : cells
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: cells - filled)
        return "[\(bar)] \(figures)"
    }

    private var percent: Int { progress.size > 0 ? 100 * progress.done / progress.size : 100 }

    /// Seconds, if the rest goes as quickly; nil before that can be said.
    private var left: Double? {
        let done = progress.done - progress.doneBefore
        guard done > 0 else { return nil }
        return elapsed * Double(progress.size - progress.done) / Double(done)
    }
}

extension Int {
    /// `1 000 000`
    public var grouped: String {
        guard self >= 1000 else { return String(self) }
        let rest = String(self % 1000)
        return (self / 1000).grouped + " " + String(repeating: "0", count: 3 - rest.count) + rest
    }
}

extension Double {
    /// Seconds as `0:05`, `12:34` or `1:02:03`.
    public var clock: String {
        let seconds = Int(rounded())
        func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        let rest = twoDigits(seconds % 60)
        return hours == 0 ? "\(minutes):\(rest)" : "\(hours):\(twoDigits(minutes)):\(rest)"
    }
}
