import ArgumentParser
import Demo
import Foundation
import UnixSignals

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fills a running instance with invented customers and operators at work.",
        discussion: """
            It adds operators and sources whose names say that they are a demonstration's, or uses those that are \
            there, then sends contacts and closes them again as busy operators would. Phone numbers are from ranges \
            set aside for fiction, e-mail addresses at example domains. Ctrl-C ends it with a summary.
            """)

    @Option(help: "Where the instance is.")
    var url = "http://127.0.0.1:\(Setting.port.value)"

    /// Not the setting's value by default: help shows defaults.
    @Option(
        help: """
            A key with the role supervisor, where the instance is closed. Whoever lists processes sees it here; LEADS_KEY \
            keeps it to yourself.
            """)
    var key: String?

    @Option(help: "Contacts per second, on average, up to 1000.")
    var rate = 5.0

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp(
            "How long: 90, 90s, 5m, 2h; 0 or forever for until Ctrl-C. (default: 60)", valueName: "length"),
        transform: { text in
            guard let length = RunLength(text) else {
                throw ValidationError("it must be like 90, 90s, 5m, 2h, 0 or forever")
            }
            return length
        })
    var length = RunLength(duration: .seconds(60))

    @Option(help: "Sends the same again. (default: a new one, which is printed)")
    var seed: UInt64?

    func validate() throws {
        guard (0.01...1000).contains(rate) else { throw ValidationError("--rate must be from 0.01 to 1000") }
        guard address != nil else { throw ValidationError("--url must be like http://127.0.0.1:8000") }
        guard (presentedKey ?? "").utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ValidationError("--key must be a key as an instance has printed it")
        }
    }

    private var presentedKey: String? {
        let key = key ?? Setting.key.value
        return key.isEmpty ? nil : key
    }

    /// Without a slash at the end.
    private var address: URL? {
        let text = url.hasSuffix("/") ? String(url.dropLast()) : url
        guard let address = URL(string: text), ["http", "https"].contains(address.scheme), address.host() != nil
        else { return nil }
        return address
    }

    func run() async throws {
        guard let address else { return }
        let scenario = Scenario(seed: seed ?? .random(in: 0..<1_000_000), rate: rate)
        let screen = Screen()
        let demonstration = Demonstration(
            url: address, key: presentedKey, scenario: scenario, length: length, screen: screen)
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let stopping = Task {
            var isFirst = true
            for await _ in signals {
                guard isFirst else { Foundation.exit(130) }
                isFirst = false
                await demonstration.stop()
            }
        }
        defer { stopping.cancel() }
        let summary: Summary
        do throws(DemoError) {
            summary = try await demonstration.run()
        } catch {
            guard error != .stopped else { return }
            throw error
        }
        screen.say("\n\(summary)")
        if summary.isFailure { throw ExitCode.failure }
    }
}
