import ArgumentParser
import FileImport
import Foundation
import Glibc
import Identity
import LeadStore
import Logging
import Postgres
import Synchronization

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Registers the contacts of a CSV or JSONL file.",
        discussion: """
            The columns of a .csv (comma, semicolon or tab; the first line names them) and the members of the objects of a \
            .jsonl are the fields of POST /contacts: source_id, lead_external_id, lead_phone, lead_email, lead_name, \
            message, priority, source_event_id. Others are not imported. Instances may go on serving.

            It can be stopped and killed at any point: running it again goes on, and makes no contact twice. FILE.progress \
            says how far it has come. Lines that fail are written with number and reason to a file with .errors before \
            its ending, which can be mended and imported itself.

            Both files hold personal data, as FILE does, and only the account that imports can read them. Delete them with FILE \
            once all lines are in, or given up: who is erased comes back with a file that is imported again.

            Exit codes: 0 all lines are in, 1 some have failed, 2 it could not be finished, 64 it was asked for what makes \
            no sense, 130 it was stopped by a signal.
            """)

    @Argument(help: "A file named .csv or .jsonl, in UTF-8.")
    var file: String

    @Option(help: "Name or number of the source of lines that name none.")
    var source: String?

    @Flag(help: "Only look at all lines: nothing is stored, no database is needed.")
    var dryRun = false

    @Flag(help: "Import a file that has changed since it was imported: all its lines count as other ones.")
    var anew = false

    @Option(help: "Where the PostgreSQL of our own keeps its data.")
    var dataDirectory = Setting.dataDirectory.value

    private static let couldNotFinish = ExitCode(2)
    private static let stopped = ExitCode(130)

    func run() async throws {
        let logger = try Logger.leadsCRM()
        guard let region = PhoneRegion(Setting.phoneRegion.value.uppercased()) else {
            throw SettingError("\(Setting.phoneRegion.name) must be a country of ISO 3166, for instance RU")
        }
        let signals = await StopSignals.listen()
        let screen = ImportScreen()
        do {
            let summary =
                dryRun
                ? try await validate(region, signals, screen) : try await register(region, signals, screen, logger)
            screen.say(text(of: summary, screen), to: .standardOutput)
            guard summary.isFinished else { throw Self.stopped }
            guard summary.counts.failed == 0 else { throw ExitCode.failure }
        } catch let code as ExitCode {
            throw code
        } catch {
            if await signals.hasStopped, !(error is ImportError) { throw Self.stopped }
            let reason = "\(error)".trimmingCharacters(in: .whitespacesAndNewlines)
            screen.say("leads-crm could not import: \(reason)", to: .standardError)
            guard (error as? ImportError)?.isMisuse ?? (error is UnknownSource) else {
                let canGoOn = if case .cannotRead? = error as? ImportError { false } else { !dryRun }
                if canGoOn { screen.say("Run it again to go on.", to: .standardError) }
                throw Self.couldNotFinish
            }
            throw ExitCode.validationFailure
        }
    }

    private func validate(
        _ region: PhoneRegion, _ signals: StopSignals, _ screen: ImportScreen
    ) async throws -> FileImport.Summary {
        await signals.react { screen.stop() }
        // Whether the source is there is not looked at.
        return try await FileImport(
            path: file, sourceID: source == nil ? nil : 1, phoneRegion: region, surroundings: screen.surroundings
        ).validate()
    }

    private func register(
        _ region: PhoneRegion, _ signals: StopSignals, _ screen: ImportScreen, _ logger: Logger
    ) async throws -> FileImport.Summary {
        // What is wrong with the file is said before PostgreSQL is started.
        _ = try FileImport(path: file, sourceID: nil, phoneRegion: region, surroundings: screen.surroundings)
        let database = try await signals.cancelling { [dataDirectory] in
            try await Database.existing(dataDirectory: dataDirectory, logger: logger)
        }
        await signals.react { screen.stop() }
        let pool = database.pool(size: 2)
        await pool.start()
        do {
            let store = LeadStore(pool: pool, parallelLongReads: 1)
            let summary = try await FileImport(
                path: file, sourceID: try await sourceID(in: store), phoneRegion: region,
                surroundings: screen.surroundings
            ).run(into: store, anew: anew)
            // Of a queue that was longer than a registration serves, somebody may wait beside capacity.
            _ = try? await store.sweep()
            await pool.close()
            await database.close()
            return summary
        } catch {
            await pool.close()
            await database.close()
            throw error
        }
    }

    private struct UnknownSource: Error, CustomStringConvertible {
        let description = "there is no such source: --source takes the name or the number of one that is there"
    }

    private func sourceID(in store: LeadStore) async throws -> Int? {
        guard let source else { return nil }
        do throws(StoreError) {
            return try await store.sourceID(of: source)
        } catch {
            guard case .sourceNotFound = error else { throw error }
            throw UnknownSource()
        }
    }

    private func text(of summary: FileImport.Summary, _ screen: ImportScreen) -> String {
        let counts = summary.counts
        var lines: [String] = []
        if summary.wasFinished {
            lines.append("\(file) has been imported before, nothing is left to do:")
        }
        if dryRun {
            lines.append(
                "\(counts.lines.grouped) lines: \(counts.registered.grouped) can be imported, "
                    + "\(counts.failed.grouped) would fail.")
        } else {
            lines.append(
                """
                \(counts.lines.grouped) lines: \(counts.registered.grouped) registered (\(counts.placed.grouped) placed, \
                \((counts.registered - counts.placed).grouped) waiting), \(counts.repeated.grouped) there already, \
                \(counts.failed.grouped) failed.
                """)
        }
        if !summary.wasFinished { lines.append(screen.timing(summary.countsOfRun.lines)) }
        if !summary.unusedColumns.isEmpty {
            lines.append("Columns not imported: \(summary.unusedColumns.joined(separator: ", "))")
        }
        for path in summary.setAside {
            lines.append("What somebody else had written where lines that failed belong is \(path) now.")
        }
        if let path = summary.errorsPath { lines.append("Lines that failed are in \(path); mend and import that.") }
        if summary.hasFileChanged { lines.append("\(file) was written to meanwhile.") }
        if !summary.isFinished { lines.append("Stopped. Run it again to go on where it has come to.") }
        return lines.joined(separator: "\n")
    }
}

/// What an import shows: on a terminal one line that is redrawn, elsewhere a line now and then.
private final class ImportScreen: Sendable {
    private struct State {
        var shownAt: ContinuousClock.Instant?
        var hasLine = false
        var rejected = 0
    }

    private let isStopping = Atomic(false)
    private let began = ContinuousClock.now
    private let state = Mutex(State())
    private let isTerminal = isatty(STDERR_FILENO) == 1
    /// How many lines that would fail are named.
    private static let longestList = 20

    var surroundings: FileImport.Surroundings {
        FileImport.Surroundings(
            isStopping: { self.isStopping.load(ordering: .relaxed) },
            progress: { self.show($0) },
            isWaiting: {
                self.say("The database does not take the lines, they are sent again: \($0)", to: .standardError)
            },
            rejected: { self.reject($0, $1) })
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
    }

    func timing(_ lines: Int) -> String {
        let seconds = elapsed
        return "\(lines.grouped) of them in \(seconds.clock), \(Int(Double(lines) / max(seconds, 0.001)).grouped)/s."
    }

    private var elapsed: Double { (ContinuousClock.now - began) / .seconds(1) }

    private func show(_ progress: FileImport.Progress) {
        let now = ContinuousClock.now
        let elapsed = elapsed
        state.withLock { state in
            let interval: Duration = isTerminal ? .milliseconds(200) : .seconds(10)
            guard now - (state.shownAt ?? began) >= interval else { return }
            state.shownAt = now
            let line = ProgressLine(progress, elapsed: elapsed)
            guard isTerminal else {
                return Self.write(line.plain + "\n", to: .standardError)
            }
            Self.write("\r" + line.bar(width: Self.columns - 3) + "\u{1B}[K", to: .standardError)
            state.hasLine = true
        }
    }

    private func reject(_ line: Int, _ reason: String) {
        let number = state.withLock { state in
            state.rejected += 1
            return state.rejected
        }
        if number <= Self.longestList { say("line \(line): \(reason)", to: .standardOutput) }
        if number == Self.longestList { say("… and so on", to: .standardOutput) }
    }

    func say(_ text: String, to handle: FileHandle) {
        state.withLock { state in
            if state.hasLine { Self.write("\r\u{1B}[K", to: .standardError) }
            state.hasLine = false
            Self.write(text + "\n", to: handle)
        }
    }

    private static func write(_ text: String, to handle: FileHandle) {
        try? handle.write(contentsOf: Data(text.utf8))
    }

    private static var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
