import HTTPTypes

/// One row of the API: everything the server does, it does because of a row here.
struct Route: Sendable {
    typealias Handler = @Sendable (Call) async throws(Problem) -> Reply

    let method: HTTPRequest.Method
    /// Segments in braces match anything and are given to the handler by name.
    let path: String
    /// The largest body in bytes; a larger one is a 413.
    let bodyLimit: Int
    let handler: Handler

    init(_ method: HTTPRequest.Method, _ path: String, bodyLimit: Int = 262_144, _ handler: @escaping Handler) {
        self.method = method
        self.path = path
        self.bodyLimit = bodyLimit
        self.handler = handler
    }
}

/// The whole API on one screen.
func routes(
    operators: OperatorHandlers, sources: SourceHandlers, contacts: ContactHandlers, leads: LeadHandlers,
    statistics: StatisticsHandlers, service: ServiceHandlers
) -> [Route] {
    let registration = 65_536
    let weights = 33_554_432
    return [
        Route(.get, "/", service.welcome),
        Route(.get, "/health", service.alive),
        Route(.get, "/livez", service.alive),
        Route(.get, "/readyz", service.ready),
        Route(.get, "/metrics", service.metrics),

        Route(.post, "/api/v1/operators", operators.create),
        Route(.get, "/api/v1/operators", operators.list),
        Route(.get, "/api/v1/operators/{operator_id}", operators.show),
        Route(.patch, "/api/v1/operators/{operator_id}", operators.change),
        Route(.put, "/api/v1/operators/{operator_id}", operators.change),
        Route(.delete, "/api/v1/operators/{operator_id}", operators.archive),
        Route(.get, "/api/v1/operators/{operator_id}/stats", operators.statistics),
        Route(.patch, "/api/v1/operators/{operator_id}/activate", operators.activate),
        Route(.patch, "/api/v1/operators/{operator_id}/load-limit", operators.limitLoad),

        Route(.post, "/api/v1/sources", sources.create),
        Route(.get, "/api/v1/sources", sources.list),
        Route(.get, "/api/v1/sources/{source_id}", sources.show),
        Route(.patch, "/api/v1/sources/{source_id}", sources.change),
        Route(.get, "/api/v1/sources/{source_id}/distribution", sources.distribution),
        Route(.post, "/api/v1/sources/{source_id}/distribution", bodyLimit: weights, sources.addWeights),
        Route(.put, "/api/v1/sources/{source_id}/distribution", bodyLimit: weights, sources.replaceWeights),
        Route(.get, "/api/v1/sources/{source_id}/weights", sources.bareWeights),
        Route(.post, "/api/v1/sources/{source_id}/weights", bodyLimit: weights, sources.replaceBareWeights),

        Route(.post, "/api/v1/contacts", bodyLimit: registration, contacts.register),
        Route(.get, "/api/v1/contacts", contacts.list),
        Route(.get, "/api/v1/contacts/stats/distribution", statistics.contactDistribution),
        Route(.get, "/api/v1/contacts/{contact_id}", contacts.show),
        Route(.patch, "/api/v1/contacts/{contact_id}/status", contacts.changeStatus),
        Route(.post, "/api/v1/contacts/{contact_id}/close", contacts.close),
        Route(.post, "/api/v1/contacts/{contact_id}/reopen", contacts.reopen),

        Route(.get, "/api/v1/leads", leads.list),
        Route(.get, "/api/v1/leads/by-external/{external_id}", leads.showByExternalID),
        Route(.get, "/api/v1/leads/{lead_id}", leads.show),
        Route(.get, "/api/v1/leads/{lead_id}/contacts", leads.contacts),

        Route(.get, "/api/v1/stats/distribution", statistics.distribution),
    ]
}
