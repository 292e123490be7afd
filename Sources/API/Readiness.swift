import Synchronization

/// Whether this instance wants requests: until it is told to stop.
public final class Readiness: Sendable {
    private let stopping = Atomic(false)

    public init() {}

    /// From now on `/readyz` answers 503 and every answer asks the caller to close the connection; requests are served
    /// as before.
    public func stop() {
        stopping.store(true, ordering: .relaxed)
    }

    var isStopping: Bool { stopping.load(ordering: .relaxed) }
}
