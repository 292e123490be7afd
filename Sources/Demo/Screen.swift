import Foundation
import Glibc
import Synchronization

/// Standard output: on a terminal one line that is redrawn, elsewhere a line now and then.
public final class Screen: Sendable {
    private let isTerminal: Bool
    private let style: BarStyle
    private let hasLine = Mutex(false)

    /// Finds out what standard output is.
    public init() {
        let environment = ProcessInfo.processInfo.environment
        isTerminal = isatty(STDOUT_FILENO) == 1 && environment["TERM"] != "dumb"
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        style = locale.lowercased().contains("utf") ? .blocks : .ascii
    }

    /// How often progress is worth showing.
    var interval: Duration { isTerminal ? .milliseconds(200) : .seconds(10) }

    func show(_ progress: Progress) {
        guard isTerminal else { return write(progress.plainLine + "\n") }
        hasLine.withLock { hasLine in
            // Room for the ^C that the terminal adds.
            write("\r" + progress.line(width: Self.columns - 3, style: style) + "\u{1B}[K")
            hasLine = true
        }
    }

    /// Says something that stays.
    public func say(_ text: String) {
        hasLine.withLock { hasLine in
            write((hasLine ? "\r\u{1B}[K" : "") + text + "\n")
            hasLine = false
        }
    }

    /// Says something that is pleasant to know, where there is somebody to read it.
    func remark(_ text: String) {
        if isTerminal { say(text) }
    }

    private func write(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }

    private static var columns: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
