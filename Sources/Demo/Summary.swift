/// What a demonstration came to.
public struct Summary: Sendable, CustomStringConvertible {
    /// One operator's part of one source's contacts.
    struct Share: Sendable {
        let name: String
        let weight: Int
        let contacts: Int
        let highestLoad: Int
        let maxLoad: Int
    }

    let scenario: Scenario
    let elapsed: Duration
    let tally: Tally
    let closed: Int
    let reopened: Int
    let active: Int
    let waiting: Int
    /// By status; nil when no answer came.
    let errors: [Int?: Int]
    let source: String
    let shares: [Share]

    /// Whether there were contacts and the instance took none of them.
    public var isFailure: Bool { tally.sent == 0 && tally.leftOut + tally.unanswered + errors.count > 0 }

    public var description: String {
        (figures + [""] + table).joined(separator: "\n")
    }

    private var figures: [String] {
        let milliseconds = { (fraction: Double) in
            (tally.answers.quantile(fraction) ?? 0) * 1000
        }
        let rate = Double(tally.sent) / max(elapsed.inSeconds, 0.001)
        var lines = [
            "Sent \(tally.sent) contacts in \(elapsed.clock), \(rate.rounded(to: 1)) per second; seed \(scenario.seed)",
            row("placed at once", "\(tally.placedAtOnce)"),
            row("had to wait", "\(tally.waited)"),
            row("closed", "\(closed), of which \(reopened) were opened again"),
            row("still open", "\(active) at operators, \(waiting) waiting"),
        ]
        if tally.answers.count > 0 {
            lines.append(
                row(
                    "answer time",
                    "median \(milliseconds(0.5).rounded(to: 1)) ms, p95 \(milliseconds(0.95).rounded(to: 1)) ms"))
        }
        lines.append(row("errors", errorList))
        if tally.leftOut > 0 {
            lines.append(row("left out", "\(tally.leftOut) contacts: the instance was away or did not keep up"))
        }
        if tally.unanswered > 0 {
            lines.append(row("unanswered", "\(tally.unanswered) contacts: whether they were stored is not known"))
        }
        return lines
    }

    private var errorList: String {
        guard !errors.isEmpty else { return "none" }
        return errors.sorted { ($0.key ?? 0) < ($1.key ?? 0) }
            .map { "\($0.key.map(String.init) ?? "no answer"): \($0.value)" }
            .joined(separator: ", ")
    }

    private func row(_ name: String, _ value: String) -> String {
        "  \(name.extended(to: 16))\(value)"
    }

    private var table: [String] {
        let placed = shares.reduce(0) { $0 + $1.contacts }
        guard placed > 0 else { return [] }
        let weights = shares.reduce(0) { $0 + $1.weight }
        let percent = { (part: Int, whole: Int) in
            "\((100 * Double(part) / Double(whole)).rounded(to: 0)) %"
        }
        let lines = shares.map { share in
            line(
                share.name, "\(share.weight)", percent(share.weight, weights), percent(share.contacts, placed),
                "\(share.contacts)", "\(share.highestLoad) of \(share.maxLoad)")
        }
        return ["\(source): who got the \(placed) contacts placed at once"]
            + [line("", "weight", "due", "got", "contacts", "highest load")] + lines
            + ["  (Who is full or on a break gets nothing meanwhile, and the others more.)"]
    }

    private func line(
        _ name: String, _ weight: String, _ due: String, _ got: String, _ contacts: String, _ load: String
    ) -> String {
        "  " + name.extended(to: 16) + weight.padded(to: 6) + due.padded(to: 8) + got.padded(to: 8)
            + contacts.padded(to: 10) + load.padded(to: 14)
    }
}
