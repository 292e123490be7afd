import HTTPTypes

/// One row of the API: everything the server does, it does because of a row here.
///
/// A class, because each request looks some up and none changes any.
final class Route: Sendable {
    typealias Handler = @Sendable (Call) async throws(Problem) -> Reply

    let method: HTTPRequest.Method
    /// Segments in braces match anything and are given to the handler by name.
    let path: String
    /// The largest body in bytes; a larger one is a 413.
    let bodyLimit: Int
    let handler: Handler
    /// What the OpenAPI document says of it.
    let operation: Operation?
    /// Whether even a small request may ask for so much that reading and writing it takes milliseconds.
    let isMassive: Bool

    /// The path that contacts are registered at.
    static let registration = "/api/v1/contacts"

    /// Whether it answers with a page of a list.
    let isList: Bool

    init(
        _ method: HTTPRequest.Method, _ path: String, bodyLimit: Int = 262_144, isMassive: Bool = false,
        _ handler: @escaping Handler, _ operation: Operation?
    ) {
        self.method = method
        self.path = path
        self.bodyLimit = bodyLimit
        self.isMassive = isMassive
        self.handler = handler
        self.operation = operation
        isList = operation?.answers.contains(where: \.isPaged) ?? false
    }
}

/// The whole API on one screen.
func routes(
    operators: OperatorHandlers, sources: SourceHandlers, contacts: ContactHandlers, leads: LeadHandlers,
    statistics: StatisticsHandlers, queue: QueueHandlers, events: EventHandlers,
    service: ServiceHandlers
) -> [Route] {
    let registration = 65_536
    let massive = 33_554_432
    return [
        Route(.get, "/", service.welcome, .welcome),
        Route(.get, "/health", service.alive, .health),
        Route(.get, "/livez", service.alive, .livez),
        Route(.get, "/readyz", service.ready, .readyz),
        Route(.get, "/metrics", service.metrics, .metrics),

        Route(.post, "/api/v1/operators", operators.create, .createOperator),
        Route(.get, "/api/v1/operators", operators.list, .listOperators),
        Route(.get, "/api/v1/operators/{operator_id}", operators.show, .showOperator),
        Route(.patch, "/api/v1/operators/{operator_id}", operators.change, .changeOperator),
        Route(.put, "/api/v1/operators/{operator_id}", operators.change, .putOperator),
        Route(.delete, "/api/v1/operators/{operator_id}", operators.archive, .deleteOperator),
        Route(.get, "/api/v1/operators/{operator_id}/stats", operators.statistics, .showOperatorStatistics),
        Route(.patch, "/api/v1/operators/{operator_id}/activate", operators.activate, .activateOperator),
        Route(.patch, "/api/v1/operators/{operator_id}/load-limit", operators.limitLoad, .limitOperatorLoad),

        Route(.post, "/api/v1/sources", sources.create, .createSource),
        Route(.get, "/api/v1/sources", sources.list, .listSources),
        Route(.get, "/api/v1/sources/{source_id}", sources.show, .showSource),
        Route(.patch, "/api/v1/sources/{source_id}", sources.change, .changeSource),
        Route(.get, "/api/v1/sources/{source_id}/distribution", sources.distribution, .showDistribution),
        Route(.post, "/api/v1/sources/{source_id}/distribution", bodyLimit: massive, sources.addWeights, .addWeights),
        Route(
            .put, "/api/v1/sources/{source_id}/distribution", bodyLimit: massive, sources.replaceWeights,
            .replaceWeights),
        Route(.get, "/api/v1/sources/{source_id}/weights", sources.bareWeights, .showWeights),
        Route(
            .post, "/api/v1/sources/{source_id}/weights", bodyLimit: massive, sources.replaceBareWeights, .setWeights),
        Route(.get, "/api/v1/sources/{source_id}/shares", sources.shares, .showShares),

        Route(.post, Route.registration, bodyLimit: registration, contacts.register, .registerContact),
        Route(.get, "/api/v1/contacts", contacts.list, .listContacts),
        Route(.get, "/api/v1/contacts/stats/distribution", statistics.contactDistribution, .showContactDistribution),
        Route(.get, "/api/v1/contacts/{contact_id}", contacts.show, .showContact),
        Route(.patch, "/api/v1/contacts/{contact_id}", contacts.change, .changeContact),
        Route(.patch, "/api/v1/contacts/{contact_id}/status", contacts.changeStatus, .changeContactStatus),
        Route(.post, "/api/v1/contacts/{contact_id}/close", contacts.close, .closeContact),
        Route(.post, "/api/v1/contacts/{contact_id}/reopen", contacts.reopen, .reopenContact),
        Route(.post, "/api/v1/contacts/{contact_id}/assign", contacts.assign, .assignContact),
        Route(.post, "/api/v1/contacts/{contact_id}/transfer", contacts.transfer, .transferContact),
        Route(.post, "/api/v1/contacts/{contact_id}/release", contacts.release, .releaseContact),
        Route(
            .post, "/api/v1/contacts/batch", bodyLimit: massive, isMassive: true, contacts.registerMany,
            .registerContacts),
        Route(.post, "/api/v1/contacts/bulk", isMassive: true, contacts.changeMany, .changeContacts),
        Route(.get, "/api/v1/contacts/{contact_id}/explain", contacts.explain, .explainContact),
        Route(.get, "/api/v1/contacts/{contact_id}/history", events.history, .showContactHistory),

        Route(.get, "/api/v1/leads", leads.list, .listLeads),
        Route(.get, "/api/v1/leads/by-external/{external_id}", leads.showByExternalID, .showLeadByExternalID),
        Route(.get, "/api/v1/leads/duplicates", leads.duplicates, .listDuplicates),
        Route(.get, "/api/v1/leads/{lead_id}", leads.show, .showLead),
        Route(.patch, "/api/v1/leads/{lead_id}", leads.change, .changeLead),
        Route(.delete, "/api/v1/leads/{lead_id}", leads.erase, .eraseLead),
        Route(.post, "/api/v1/leads/{lead_id}/merge", leads.merge, .mergeLead),
        Route(.get, "/api/v1/leads/{lead_id}/contacts", leads.contacts, .listLeadContacts),

        Route(.get, "/api/v1/queue", queue.list, .showQueue),
        Route(.get, "/api/v1/stats/distribution", statistics.distribution, .showStatistics),
        Route(.get, "/api/v1/stats/overview", statistics.overview, .showOverview),

        Route(.get, "/api/v1/events", events.list, .listEvents),
        Route(.get, "/api/v1/events/stream", events.stream, .streamEvents),
    ]
}

/// The documentation of the API, which is made of the routes above.
func documentationRoutes(_ documentation: DocumentationHandlers) -> [Route] {
    [
        Route(.get, "/openapi.json", documentation.document, .undocumented),
        Route(.get, "/api/v1/openapi.json", documentation.document, .undocumented),
        Route(.get, "/docs", documentation.page, .undocumented),
        Route(.get, "/docs/{file}", documentation.file, .undocumented),
        Route(.get, "/redoc", documentation.redoc, .undocumented),
    ]
}
