import Identity
import LeadStore
import Logging
import NIOCore
import NIOEmbedded
import Postgres
import Testing

@testable import API

/// What a connection waits for, and for how long: on an event loop whose time is made here.
struct ConversationTests {
    /// A connection to a server that has no database: everything here is refused by its head.
    private struct Connection {
        let channel = EmbeddedChannel()
        static let idleSeconds = 60

        init() throws {
            let pool = Pool(Pool.Configuration(connection: ConnectionConfiguration(connectionString: "host=/nowhere")))
            let logger = Logger(label: "connection") { _ in SwiftLogNoOpLogHandler() }
            let server = Server(
                store: LeadStore(pool: pool),
                Server.Configuration(
                    language: .english, phoneRegion: .russia, version: "0", schemaVersion: 0,
                    observation: Observation(logger: logger), readiness: Readiness(), idleSeconds: Self.idleSeconds))
            _ = try server.setup(channel: channel, logger: logger).wait()
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        func send(_ text: String) throws {
            try channel.writeInbound(ByteBuffer(string: text))
        }

        /// What was answered since the last time.
        func answers() throws -> String {
            var text = ""
            while let piece = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: piece) }
            return text
        }

        func wait(_ seconds: Int) { channel.embeddedEventLoop.advanceTime(by: .seconds(Int64(seconds))) }

        /// How many seconds it takes to be closed, when the other side closes nothing; nil when it never is.
        func secondsToClose(atMost most: Int = 1000) -> Int? {
            (0..<most).first { _ in
                guard channel.isActive else { return true }
                wait(1)
                return false
            }
        }
    }

    private static let refused = "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"

    @Test func `a connection on which nothing is asked is closed in silence`() throws {
        for requests in 0...2 {
            let connection = try Connection()
            for _ in 0..<requests {
                connection.wait(Connection.idleSeconds)
                try connection.send(Self.refused)
                #expect(try connection.answers().hasPrefix("HTTP/1.1 404 "))
            }
            let seconds = try #require(connection.secondsToClose())
            #expect((Connection.idleSeconds...Connection.idleSeconds + 1).contains(seconds))
            #expect(try connection.answers() == "")
        }
    }

    @Test(arguments: ["GET /li", "GET /livez HTTP/1.1\r\nHost: localhost\r\n", "GET "], [false, true])
    func `half a head has ten seconds, however its bytes come`(head: String, isFirst: Bool) throws {
        let connection = try Connection()
        if !isFirst {
            try connection.send(Self.refused)
            _ = try connection.answers()
        }
        connection.wait(Connection.idleSeconds / 2)
        try connection.send(head)
        for _ in 0..<9 {
            connection.wait(1)
            #expect(connection.channel.isActive)
            try connection.send("x")
        }
        #expect(try #require(connection.secondsToClose()) <= 2)
        #expect(try connection.answers() == "")
    }

    @Test func `a head that comes in pieces in time is answered, and the connection is idle afterwards`() throws {
        let connection = try Connection()
        for byte in Self.refused {
            try connection.send(String(byte))
            if byte == "/" { connection.wait(4) }
        }
        #expect(try connection.answers().hasPrefix("HTTP/1.1 404 "))
        #expect(try #require(connection.secondsToClose()) >= Connection.idleSeconds)
    }

    @Test(arguments: [("/api/v1/operators", 10), ("/api/v1/contacts/batch", 42)])
    func `half a body is told so after its time, which does not begin anew with each byte`(
        path: String, patience: Int
    ) throws {
        let connection = try Connection()
        try connection.send("POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n[")
        for _ in 0..<patience - 1 {
            connection.wait(1)
            #expect(try connection.answers() == "")
            try connection.send("1")
        }
        connection.wait(2)
        let answer = try connection.answers()
        #expect(answer.hasPrefix("HTTP/1.1 408 ") && answer.contains("\r\nConnection: close\r\n"))
        #expect(try #require(connection.secondsToClose()) <= 3)
    }

    @Test func `the body of what is refused may take as long, and is thrown away up to a point`() throws {
        let head = "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
        let slow = try Connection()
        try slow.send(head)
        #expect(try slow.answers().hasPrefix("HTTP/1.1 404 "))
        for _ in 0..<9 {
            slow.wait(1)
            try slow.send("x")
            #expect(slow.channel.isActive)
        }
        #expect(try #require(slow.secondsToClose()) <= 5)

        let quick = try Connection()
        try quick.send(head)
        let piece = String(repeating: "x", count: 1 << 20)
        for _ in 0..<64 { try quick.send(piece) }
        quick.wait(5)
        #expect(quick.channel.isActive, "64 MiB are thrown away")
        for _ in 0..<2 { try quick.send(piece) }
        #expect(try #require(quick.secondsToClose()) <= 3)
    }

    /// Stands where the socket is and lets nothing through.
    private final class Dam: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var isOpen = false

        func flush(context: ChannelHandlerContext) {
            if isOpen { context.flush() }
        }
    }

    @Test(arguments: ["", "Connection: close\r\n"])
    func `who takes nothing of an answer for a minute loses the connection, who takes something does not`(
        field: String
    ) throws {
        let request = "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\(field)\r\n"
        let stalled = try Connection()
        try stalled.channel.pipeline.syncOperations.addHandler(Dam(), position: .first)
        try stalled.send(request)
        let seconds = try #require(stalled.secondsToClose())
        #expect((60...62).contains(seconds))

        let slow = try Connection()
        let dam = Dam()
        try slow.channel.pipeline.syncOperations.addHandler(dam, position: .first)
        try slow.send(request)
        slow.wait(59)
        #expect(slow.channel.isActive)
        dam.isOpen = true
        slow.channel.flush()
        #expect(try slow.answers().hasPrefix("HTTP/1.1 404 "))
    }

    @Test func `what is no HTTP is refused like everything else`() throws {
        let connection = try Connection()
        try connection.send(Self.refused + "no http at all\r\n\r\n")
        let answers = try connection.answers()
        let refusal = answers[try #require(answers.firstRange(of: "HTTP/1.1 400 ")).lowerBound...]
        for part in ["\r\nX-Request-ID: ", "\r\nDate: ", "\r\nConnection: close\r\n", #""code":"not_http""#] {
            #expect(refusal.contains(part))
        }
        #expect(try #require(connection.secondsToClose()) <= 3)
    }
}
