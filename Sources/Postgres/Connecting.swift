internal import CLibPQ
import Glibc

/// A connection as the connecting thread made it.
///
/// `@unchecked Sendable`: that thread gives the pointer up when it hands it over, and the actor that takes it is the
/// only one to use it from then on.
struct FreshHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Connects on a thread of its own, because looking up a host name blocks; `connect_timeout` bounds the rest.
    static func connect(_ configuration: ConnectionConfiguration) async -> Result<FreshHandle, PostgresError> {
        await withCheckedContinuation { continuation in
            let hasBegun = runOnOwnThread { continuation.resume(returning: connectBlocking(configuration)) }
            if !hasBegun {
                continuation.resume(returning: .failure(PostgresError(.connectionFailed, note: "there is no thread")))
            }
        }
    }

    private static func connectBlocking(
        _ configuration: ConnectionConfiguration
    ) -> Result<FreshHandle, PostgresError> {
        let keywords: [(String, String)]
        do throws(PostgresError) { keywords = try configuration.keywords() } catch { return .failure(error) }
        let pointer = withCStringArrays(keywords) { PQconnectdbParams($0, $1, 1) }
        guard let pointer else { return .failure(PostgresError(.connectionFailed, serverMessage: "out of memory")) }
        guard PQstatus(pointer) == CONNECTION_OK else {
            let message = String(cString: PQerrorMessage(pointer))
            PQfinish(pointer)
            return .failure(PostgresError(.connectionFailed, serverMessage: message))
        }
        return .success(FreshHandle(pointer: pointer))
    }
}

/// A request to stop what a connection is doing.
///
/// `@unchecked Sendable`: libpq makes `PGcancel` for exactly this, use from another thread; one closure owns it.
struct Cancellation: @unchecked Sendable {
    private let pointer: OpaquePointer

    /// - Parameter handle: an open connection.
    init?(_ handle: OpaquePointer) {
        guard let pointer = PQgetCancel(handle) else { return nil }
        self.pointer = pointer
    }

    /// Sends it, once, on a thread of its own: `PQcancel` blocks, for as long as a network that swallows packets has it.
    func send() {
        let hasBegun = runOnOwnThread {
            var reason = [CChar](repeating: 0, count: 256)
            PQcancel(pointer, &reason, Int32(reason.count))
            PQfreeCancel(pointer)
        }
        if !hasBegun { PQfreeCancel(pointer) }
    }
}

/// Calls `body` with the arrays libpq wants: names and values, each with a null at its end. They are valid only during
/// the call.
func withCStringArrays<Result>(
    _ pairs: [(String, String)],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
    let names = pairs.map { strdup($0.0) }
    let values = pairs.map { strdup($0.1) }
    defer { for copy in names + values { free(copy) } }
    return body(names.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil])
}

/// Runs what blocks. The system's shared threads are as many as there are processors: two that wait for a host that does
/// not answer would keep everybody else from connecting.
/// - Returns: whether there was a thread to be had.
private func runOnOwnThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let work = Unmanaged.passRetained(Work(body))
    var thread = pthread_t()
    let status = pthread_create(
        &thread, nil,
        { context in
            Unmanaged<Work>.fromOpaque(context!).takeRetainedValue().body()
            return nil
        }, work.toOpaque())
    guard status == 0 else {
        work.release()
        return false
    }
    pthread_detach(thread)
    return true
}
