import UnixSignals

/// SIGTERM and SIGINT, heard from the first moment on: also while PostgreSQL starts, which would otherwise be left
/// behind.
actor StopSignals {
    private(set) var hasStopped = false
    private var reaction: @Sendable () async -> Void = {}

    /// Listens from now on. A further signal is ignored.
    static func listen() async -> StopSignals {
        let signals = StopSignals()
        let sequence = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        Task { for await _ in sequence { await signals.stop() } }
        return signals
    }

    /// Reacts to a signal, be it still to come or here already, in place of an earlier reaction.
    func react(_ reaction: @escaping @Sendable () async -> Void) async {
        self.reaction = reaction
        if hasStopped { await reaction() }
    }

    /// Runs work that a signal cancels.
    nonisolated func cancelling<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = Task(operation: work)
        await react { task.cancel() }
        return try await task.value
    }

    private func stop() async {
        guard !hasStopped else { return }
        hasStopped = true
        await reaction()
    }
}
