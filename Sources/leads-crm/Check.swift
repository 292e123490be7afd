import ArgumentParser
import Foundation
import LeadStore
import Logging
import Postgres

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Recounts everything and verifies the guarantees.",
        discussion: """
            It looks at one snapshot of the database, so instances may go on serving, and names what is wrong by ids and \
            numbers, without personal data. Exit codes: 0 all is well, 1 something was found, 2 it could not be checked.
            """)

    @Flag(
        help: """
            Also mend the counters, in one transaction, and place contacts left waiting beside free capacity; then check \
            again. Limits, leads and guards are for people to decide. Wants the rights of the schema's owner.
            """)
    var repair = false

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    @Option(help: "Where the PostgreSQL of our own keeps its data.")
    var dataDirectory = Setting.dataDirectory.value

    /// What a monitoring system takes for «unknown», not for «wrong».
    private static let couldNotCheck = ExitCode(2)

    func run() async throws {
        let isClean: Bool
        do {
            let logger = try Logger.leadsCRM()
            let signals = await StopSignals.listen()
            isClean = try await signals.cancelling { [dataDirectory, repair, json] in
                let database = try await Database.existing(dataDirectory: dataDirectory, logger: logger)
                do {
                    let isClean = try await Checking(database: database, repairs: repair, printer: Printer(json: json))
                        .run()
                    await database.close()
                    return isClean
                } catch {
                    await database.close()
                    throw error
                }
            }
        } catch {
            let reason = "\(error)".trimmingCharacters(in: .whitespacesAndNewlines)
            try? FileHandle.standardError.write(contentsOf: Data("leads-crm could not check: \(reason)\n".utf8))
            throw Self.couldNotCheck
        }
        guard isClean else { throw ExitCode.failure }
    }
}

/// One run: check, mend if asked to, check again.
private struct Checking {
    let database: Database
    let repairs: Bool
    let printer: Printer

    /// - Returns: whether nothing is wrong at the end.
    func run() async throws -> Bool {
        let reconciler = database.reconciler
        if repairs { try await reconciler.requireRights() }
        let found = try await reconciler.check { printer.print($0) }
        let wrong = found.filter { $0.findings > 0 }
        let mends = repairs && wrong.contains { $0.subject.isCounter || $0.subject == .queue }
        guard mends else {
            printer.finish(Report(checks: found))
            return wrong.isEmpty
        }
        var report = Report(checks: found)
        if wrong.contains(where: \.subject.isCounter) {
            printer.title("Mended:")
            for mended in try await reconciler.repair() where mended.findings > 0 {
                printer.print(mended, verb: "mended")
                report.mended.append(Report.Entry(mended))
            }
        }
        if wrong.contains(where: { $0.subject == .queue }) {
            report.servedSources = try await serveQueues()
            printer.title("Queues served: \(report.servedSources)")
        }
        printer.title("Checked again:")
        report.foundBefore = report.checks
        let left = try await reconciler.check { printer.print($0) }
        report.checks = left.map(Report.Entry.init)
        printer.finish(report)
        return left.allSatisfy { $0.findings == 0 }
    }

    /// Places who waits, as instances do now and then. Returns in how many sources somebody did.
    private func serveQueues() async throws -> Int {
        let pool = database.pool(size: 2)
        do {
            let sources = try await LeadStore(pool: pool, parallelLongReads: 1).sweep()
            await pool.close()
            return sources
        } catch {
            await pool.close()
            throw error
        }
    }
}

/// What `--json` prints.
private struct Report: Encodable {
    struct Entry: Encodable {
        let name: String
        let things: String
        let lookedAt: Int
        let findings: Int
        let details: [String]

        init(_ result: Reconciler.Result) {
            name = result.subject.rawValue
            things = result.subject.things
            lookedAt = result.lookedAt
            findings = result.findings
            details = result.details
        }
    }

    var checks: [Entry]
    var foundBefore: [Entry]?
    var mended: [Entry] = []
    var servedSources = 0

    init(checks: [Reconciler.Result]) {
        self.checks = checks.map(Entry.init)
    }
}

/// Writes to standard output: text line by line as it comes, or JSON at the end.
private struct Printer: Sendable {
    let json: Bool

    func print(_ result: Reconciler.Result, verb: String? = nil) {
        guard !json else { return }
        let name = result.subject.rawValue.padding(toLength: 10, withPad: " ", startingAt: 0)
        let outcome =
            if let verb { "\(result.findings) \(verb)" } else if result.findings == 0 { "ok" } else {
                "\(result.findings) found"
            }
        Swift.print("\(name)\(outcome) (\(result.subject.things): \(result.lookedAt))")
        for detail in result.details { Swift.print("    \(detail)") }
        let more = result.findings - result.details.count
        if more > 0 { Swift.print("    … and \(more) more") }
        fflush(nil)
    }

    func title(_ text: String) {
        guard !json else { return }
        Swift.print(text)
        fflush(nil)
    }

    func finish(_ report: Report) {
        guard json else { return }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(report) else { return }
        Swift.print(String(decoding: data, as: UTF8.self))
    }
}
