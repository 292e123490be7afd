import Identity
import LeadStore
import Logging
import NIOCore
import NIOEmbedded
import Postgres
import Testing

@testable import API

/// What a connection does while its answer has no end: on an event loop whose time is made here. The database is away.
struct StreamingTests {
    private struct Connection {
        let channel = NIOAsyncTestingChannel()

        init(_ request: String, _ field: String = "") async throws {
            let pool = Pool(Pool.Configuration(connection: ConnectionConfiguration(connectionString: "host=/nowhere")))
            let logger = Logger(label: "connection") { _ in SwiftLogNoOpLogHandler() }
            let server = Server(
                store: LeadStore(pool: pool),
                Server.Configuration(
                    language: .english, phoneRegion: .russia, version: "0", schemaVersion: 0,
                    observation: Observation(logger: logger), readiness: Readiness(), idleSeconds: 5))
            let channel = channel
            try await channel.testingEventLoop.executeInContext {
                _ = server.setup(channel: channel, logger: logger)
            }
            try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
            try await send("\(request)\r\nHost: localhost\r\n\(field)\r\n")
        }

        func send(_ text: String) async throws {
            try await channel.writeInbound(ByteBuffer(string: text))
        }

        /// What is said until it ends like this.
        func said(until end: String) async throws -> String {
            var text = ""
            while !text.hasSuffix(end) {
                text += String(buffer: try await channel.waitForOutboundWrite(as: ByteBuffer.self))
            }
            return text
        }

        /// What was said since the last time.
        func said() async throws -> String {
            var text = ""
            while let piece = try await channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: piece) }
            return text
        }

        func wait(_ seconds: Int) async {
            for _ in 0..<seconds { await channel.testingEventLoop.advanceTime(by: .seconds(1)) }
        }

        func fire(_ event: any Sendable) async throws {
            let channel = channel
            try await channel.testingEventLoop.executeInContext {
                channel.pipeline.fireUserInboundEventTriggered(event)
            }
        }
    }

    private static let request = "GET /api/v1/events/stream?after=7 HTTP/1.1"
    private static let opening = ": events after 7\nretry: 1000\nid: 7\n\n"
    private static let chunk = "24\r\n\(opening)\r\n"

    @Test func `a stream begins with its head and what the caller is to do when it breaks, in a chunk`() async throws {
        let connection = try await Connection(Self.request)
        let said = try await connection.said(until: Self.chunk)
        #expect(said.hasPrefix("HTTP/1.1 200 OK\r\n") && said.hasSuffix("\r\n\r\n" + Self.chunk))
        for field in ["Content-Type: text/event-stream", "Transfer-Encoding: chunked", "Connection: close"] {
            #expect(said.contains("\r\n\(field)\r\n"))
        }
        #expect(!said.contains("Content-Length"))
    }

    @Test func `HTTP 1.0 hears no chunks`() async throws {
        let connection = try await Connection("GET /api/v1/events/stream?after=7 HTTP/1.0")
        let said = try await connection.said(until: Self.opening)
        #expect(said.hasSuffix("\r\n\r\n" + Self.opening) && !said.contains("chunked"))
        await connection.wait(16)
        #expect(try await connection.said() == ": heartbeat\n\n")
    }

    @Test func `a head is all that HEAD gets`() async throws {
        let connection = try await Connection(Self.request.replacing("GET", with: "HEAD"))
        let said = try await connection.said(until: "\r\n\r\n")
        #expect(said.contains("\r\nContent-Type: text/event-stream\r\n"))
        await connection.wait(4)
        #expect(try await connection.said() == "")
        try await connection.send("GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try await connection.said().hasPrefix("HTTP/1.1 404 "))
    }

    @Test func `every 15 seconds something is said, for as long as it is silent`() async throws {
        let connection = try await Connection(Self.request)
        _ = try await connection.said(until: Self.chunk)
        for _ in 0..<20 {
            await connection.wait(14)
            #expect(try await connection.said() == "")
            await connection.wait(1)
            #expect(try await connection.said() == "d\r\n: heartbeat\n\n\r\n")
        }
        #expect(connection.channel.isActive)
    }

    @Test func `a stop ends the answer and the connection`() async throws {
        let connection = try await Connection(Self.request)
        _ = try await connection.said(until: Self.chunk)
        try await connection.fire(ChannelShouldQuiesceEvent())
        #expect(try await connection.said() == "0\r\n\r\n")
        #expect(!connection.channel.isActive)
    }

    @Test func `whoever has nothing more to say has left`() async throws {
        let connection = try await Connection(Self.request)
        _ = try await connection.said(until: Self.chunk)
        try await connection.fire(ChannelEvent.inputClosed)
        #expect(try await connection.said() == "0\r\n\r\n")
        #expect(!connection.channel.isActive)
    }

    @Test func `further requests are not answered, and what is no HTTP ends the stream`() async throws {
        let connection = try await Connection(Self.request)
        _ = try await connection.said(until: Self.chunk)
        try await connection.send(
            "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await connection.wait(5)
        #expect(try await connection.said() == "" && connection.channel.isActive)
        try await connection.send("no http at all\r\n\r\n")
        #expect(try await connection.said() == "0\r\n\r\n")
        await connection.wait(4)
        #expect(!connection.channel.isActive)
    }

    /// Stands where the socket is and lets nothing through.
    private final class Dam: ChannelOutboundHandler, Sendable {
        typealias OutboundIn = ByteBuffer
        func flush(context: ChannelHandlerContext) {}
    }

    @Test func `who takes nothing for a minute is left, and at a stop at once`() async throws {
        for isStopped in [false, true] {
            let connection = try await Connection(Self.request)
            _ = try await connection.said(until: Self.chunk)
            try await connection.channel.pipeline.addHandler(Dam(), position: .first)
            await connection.wait(60)
            #expect(connection.channel.isActive)
            if isStopped {
                try await connection.fire(ChannelShouldQuiesceEvent())
            } else {
                await connection.wait(20)
            }
            #expect(!connection.channel.isActive)
        }
    }
}
