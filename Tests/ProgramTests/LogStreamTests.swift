import Foundation
import Glibc
import Logging
import TestSupport
import Testing

@testable import leads_crm

struct LogStreamTests {
    /// A pipe that nobody reads before `text()` does.
    private final class UnreadPipe: Sendable {
        let pipe = Pipe()
        let stream: LogStream

        init(capacity: Int) {
            stream = LogStream(descriptor: pipe.fileHandleForWriting.fileDescriptor, capacity: capacity) {
                "dropped \($0)\n"
            }
        }

        /// Fills the pipe, so that the stream's thread waits in `write`.
        func fill() {
            let descriptor = pipe.fileHandleForWriting.fileDescriptor
            let flags = fcntl(descriptor, F_GETFL)
            _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
            while Glibc.write(descriptor, "-\n", 2) > 0 {}
            _ = fcntl(descriptor, F_SETFL, flags)
        }

        /// All that is written until the stream has nothing more; it cannot be written to afterwards.
        func text() async throws -> String {
            let reading = Task.detached { [pipe] in try pipe.fileHandleForReading.readToEnd() ?? Data() }
            try #require(await eventually { self.stream.flush() })
            try pipe.fileHandleForWriting.close()
            return String(decoding: try await reading.value, as: UTF8.self)
        }
    }

    @Test func `records are written in the order of one writer and none is lost`() async throws {
        let pipe = UnreadPipe(capacity: 1_048_576)
        for number in 0..<1_000 { pipe.stream.write("\(number)\n") }
        #expect(try await pipe.text() == (0..<1_000).map { "\($0)\n" }.joined())
    }

    @Test func `beyond the capacity records are dropped and counted, and nobody waits`() async throws {
        let pipe = UnreadPipe(capacity: 100_000)
        pipe.fill()
        let record = String(repeating: "x", count: 99) + "\n"
        let began = ContinuousClock.now
        for _ in 0..<2_500 { pipe.stream.write(record) }
        #expect(ContinuousClock.now - began < .seconds(1))
        let lines = try await pipe.text().split(separator: "\n").filter { $0 != "-" }
        let kept = lines.count { $0.hasPrefix("x") }
        // As much as may wait, and what the thread had taken before.
        #expect((1_000...2_000).contains(kept))
        #expect(lines.last == "dropped \(2_500 - kept)" && lines.count == kept + 1)
    }

    @Test func `a flush gives up when nobody reads`() {
        let pipe = UnreadPipe(capacity: 100_000)
        pipe.fill()
        pipe.stream.write("x\n")
        let began = ContinuousClock.now
        #expect(!pipe.stream.flush())
        #expect((.milliseconds(900)..<(.seconds(5))).contains(ContinuousClock.now - began))
    }

    @Test func `a reader that has gone ends nothing`() throws {
        let pipe = UnreadPipe(capacity: 100_000)
        try pipe.pipe.fileHandleForReading.close()
        pipe.stream.write("x\n")
        #expect(pipe.stream.flush())
    }

    @Test func `a record has its error and what the provider knows, and the call's own metadata wins`() async throws {
        struct Broken: Error {}
        let pipe = UnreadPipe(capacity: 100_000)
        var logger = Logger(label: "x") { _ in
            JSONLogHandler(
                stream: pipe.stream, metadataProvider: .init { ["request": "7", "both": "provider"] })
        }
        logger[metadataKey: "own"] = "handler"
        logger.error("it broke", error: Broken(), metadata: ["both": "call"])
        let record = try JSONDecoder().decode([String: String].self, from: Data(try await pipe.text().utf8))
        #expect(record["message"] == "it broke" && record["level"] == "error")
        #expect(record["request"] == "7" && record["own"] == "handler" && record["both"] == "call")
        #expect(record["error.message"] == "Broken()" && record["error.type"]?.hasSuffix("Broken") == true)
    }
}
