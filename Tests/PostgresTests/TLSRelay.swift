import Foundation
import TestSupport

/// A TLS end in front of a PostgreSQL's socket, as poolers and balancers are.
///
/// Its records are as long as TLS has them, 16 KiB; PostgreSQL's own, up to version 16, are of 8. Each connection has
/// an `openssl s_server` of its own, which cannot speak first as PostgreSQL's clients want it: that is done here.
final class TLSRelay: Sendable {
    let port: Int
    private let listener: Int32
    private let socket: String
    private let authority: TestAuthority

    static func with(
        _ database: TestDatabase, _ authority: TestAuthority, _ body: (TLSRelay) async throws -> Void
    ) async throws {
        let relay = try TLSRelay(to: database.socket, authority)
        defer { relay.stop() }
        try await body(relay)
    }

    private init(to socket: String, _ authority: TestAuthority) throws {
        self.socket = socket
        self.authority = authority
        listener = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isListening = withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return bind(listener, pointer, length) == 0 && listen(listener, 16) == 0
                && getsockname(listener, pointer, &length) == 0
        }
        guard isListening else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in acceptAll() }
    }

    private func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
    }

    private func acceptAll() {
        while case let client = accept(listener, nil, nil), client >= 0 {
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            Thread.detachNewThread { [self] in
                serve(client)
                close(client)
            }
        }
        close(listener)
    }

    private func serve(_ client: Int32) {
        var request = [UInt8](repeating: 0, count: 8)
        guard recv(client, &request, request.count, Int32(MSG_WAITALL)) == request.count,
            request == [0, 0, 0, 8, 4, 210, 22, 47],  // SSLRequest
            send(client, "S", 1, Int32(MSG_NOSIGNAL)) == 1
        else { return }
        let path = "/tmp/tls-\(UInt32.random(in: 0 ... .max))"  // `s_server` takes up to 31 characters
        defer { unlink(path) }
        let database = FileHandle(fileDescriptor: Self.connect(to: socket), closeOnDealloc: true)
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "s_server", "-quiet", "-naccept", "1", "-unix", path, "-cert", authority.certificate, "-key",
            authority.key,
        ]
        openssl.standardInput = database
        openssl.standardOutput = database
        openssl.standardError = FileHandle.nullDevice
        guard (try? openssl.run()) != nil else { return }
        try? database.close()
        let deadline = Date().addingTimeInterval(30)
        var tls = Self.connect(to: path)
        while tls < 0, Date() < deadline {
            usleep(2_000)
            tls = Self.connect(to: path)
        }
        let hasEnded = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [tls] in
            Self.pump(from: client, to: tls)
            hasEnded.signal()
        }
        Self.pump(from: tls, to: client)
        hasEnded.wait()
        close(tls)
        openssl.waitUntilExit()
    }

    private static func pump(from source: Int32, to sink: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = read(source, &buffer, buffer.count), count > 0 {
            var sent = 0
            while sent < count {
                let more = buffer.withUnsafeBytes {
                    send(sink, $0.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL))
                }
                guard more > 0 else { break }
                sent += more
            }
            if sent < count { break }
        }
        // The one tells the other that it has ended, whichever ended first.
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(sink, Int32(SHUT_RDWR))
    }

    /// - Returns: -1 when nobody listens there.
    private static func connect(to path: String) -> Int32 {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let status = withUnsafeBytes(of: &address) {
            Glibc.connect(
                descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard status == 0 else {
            close(descriptor)
            return -1
        }
        return descriptor
    }
}
