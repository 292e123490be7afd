/// Something learnt of the provider and believed for a while. Those who want it while it is asked for share one call.
actor Learnt<Value: Sendable> {
    private let lifetime: Duration
    private let ask: @Sendable () async -> Result<Value, OpenIDError>
    private var latest: (value: Value, at: ContinuousClock.Instant)?
    private var askedAt: ContinuousClock.Instant?
    private var underWay: Task<Result<Value, OpenIDError>, Never>?

    init(lifetime: Duration, ask: @escaping @Sendable () async -> Result<Value, OpenIDError>) {
        self.lifetime = lifetime
        self.ask = ask
    }

    var value: Value {
        get async throws(OpenIDError) {
            if let latest, ContinuousClock.now - latest.at < lifetime { return latest.value }
            return try await askNow()
        }
    }

    /// What is answered to another question; what is there, when it was asked for and answered a moment ago.
    func newer(atMostEvery pause: Duration) async throws(OpenIDError) -> Value {
        if underWay == nil, let latest, let askedAt, ContinuousClock.now - askedAt < pause { return latest.value }
        return try await askNow()
    }

    private func askNow() async throws(OpenIDError) -> Value {
        let task =
            underWay
            ?? Task {
                askedAt = .now
                let result = await ask()
                if case .success(let value) = result { latest = (value, .now) }
                underWay = nil
                return result
            }
        underWay = task
        return try await task.value.get()
    }
}
