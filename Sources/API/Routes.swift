import HTTPTypes

/// One row of the API: everything the server does, it does because of a row here.
///
/// A class, because each request looks some up and none changes any.
final class Route: Sendable {
    typealias Handler = @Sendable (Call) async throws(Problem) -> Reply

    let method: HTTPRequest.Method
    /// Segments in braces match anything and are given to the handler by name.
    let path: String
    /// Who may call it while access is closed.
    let access: Access
    /// The largest body in bytes; a larger one is a 413.
    let bodyLimit: Int
    /// The most values that a document in the body may hold; more are a 413.
    let valueLimit: Int
    let handler: Handler
    /// What the OpenAPI document says of it.
    let operation: Operation?
    /// The path that contacts are registered at.
    static let registration = "/api/v1/contacts"

    /// The path by which one signs in at the company's provider, and below which one comes back.
    static let provider = "/api/v1/session/provider"

    /// Whether reading and writing may take milliseconds: of a list without a bound, or of much at once.
    let isLong: Bool

    /// - Parameter isMassive: whether even a small request may ask for as much as a list has.
    init(
        _ method: HTTPRequest.Method, _ path: String, _ access: Access, bodyLimit: Int = 262_144,
        isMassive: Bool = false,
        _ handler: @escaping Handler, _ operation: Operation?
    ) {
        self.method = method
        self.path = path
        self.access = access
        self.bodyLimit = bodyLimit
        self.valueLimit = max(10_000, bodyLimit / 128)
        self.handler = handler
        self.operation = operation
        let listsMany = operation?.answers.contains { $0.content?.schema.holdsEndlessList ?? false } ?? false
        isLong = isMassive || method == .get && listsMany
    }
}

extension Route {
    func answer(_ call: Call) async -> Result<Reply, Problem> {
        do throws(Problem) { return .success(try await handler(call)) } catch { return .failure(error) }
    }
}

/// The whole API on one screen.
func routes(
    operators: OperatorHandlers, sources: SourceHandlers, contacts: ContactHandlers, leads: LeadHandlers,
    statistics: StatisticsHandlers, queue: QueueHandlers, events: EventHandlers,
    service: ServiceHandlers, sessions: SessionHandlers, people: PeopleHandlers, keys: KeyHandlers
) -> [Route] {
    let registration = 65_536
    let massive = 33_554_432
    return [
        Route(.get, "/", .everybody, service.welcome, .welcome),
        Route(.get, "/health", .everybody, service.alive, .health),
        Route(.get, "/livez", .everybody, service.alive, .livez),
        Route(.get, "/readyz", .everybody, service.ready, .readyz),
        Route(.get, "/metrics", service.metricsAccess, service.metrics, .metrics),

        Route(.post, "/api/v1/operators", .supervision, operators.create, .createOperator),
        Route(.get, "/api/v1/operators", .ownContacts, operators.list, .listOperators),
        Route(.get, "/api/v1/operators/{operator_id}", .ownContacts, operators.show, .showOperator),
        Route(.patch, "/api/v1/operators/{operator_id}", .supervision, operators.change, .changeOperator),
        Route(.put, "/api/v1/operators/{operator_id}", .supervision, operators.change, .putOperator),
        Route(.delete, "/api/v1/operators/{operator_id}", .supervision, operators.archive, .deleteOperator),
        Route(
            .get, "/api/v1/operators/{operator_id}/stats", .ownContacts, operators.statistics, .showOperatorStatistics),
        Route(.patch, "/api/v1/operators/{operator_id}/activate", .work, operators.activate, .activateOperator),
        Route(
            .patch, "/api/v1/operators/{operator_id}/load-limit", .supervision, operators.limitLoad, .limitOperatorLoad),

        Route(.post, "/api/v1/sources", .supervision, sources.create, .createSource),
        Route(.get, "/api/v1/sources", .reading, sources.list, .listSources),
        Route(.get, "/api/v1/sources/{source_id}", .reading, sources.show, .showSource),
        Route(.patch, "/api/v1/sources/{source_id}", .supervision, sources.change, .changeSource),
        Route(.get, "/api/v1/sources/{source_id}/distribution", .reading, sources.distribution, .showDistribution),
        Route(
            .post, "/api/v1/sources/{source_id}/distribution", .supervision, bodyLimit: massive, sources.addWeights,
            .addWeights),
        Route(
            .put, "/api/v1/sources/{source_id}/distribution", .supervision, bodyLimit: massive, sources.replaceWeights,
            .replaceWeights),
        Route(.get, "/api/v1/sources/{source_id}/weights", .reading, sources.bareWeights, .showWeights),
        Route(
            .post, "/api/v1/sources/{source_id}/weights", .supervision, bodyLimit: massive, sources.replaceBareWeights,
            .setWeights),
        Route(.get, "/api/v1/sources/{source_id}/shares", .reading, sources.shares, .showShares),

        Route(.post, Route.registration, .registration, bodyLimit: registration, contacts.register, .registerContact),
        Route(.get, "/api/v1/contacts", .ownContacts, contacts.list, .listContacts),
        Route(
            .get, "/api/v1/contacts/stats/distribution", .reading, statistics.contactDistribution,
            .showContactDistribution),
        Route(.get, "/api/v1/contacts/{contact_id}", .ownContact, contacts.show, .showContact),
        Route(.patch, "/api/v1/contacts/{contact_id}", .work, contacts.change, .changeContact),
        Route(.patch, "/api/v1/contacts/{contact_id}/status", .work, contacts.changeStatus, .changeContactStatus),
        Route(.post, "/api/v1/contacts/{contact_id}/close", .work, contacts.close, .closeContact),
        Route(.post, "/api/v1/contacts/{contact_id}/reopen", .work, contacts.reopen, .reopenContact),
        Route(.post, "/api/v1/contacts/{contact_id}/assign", .supervision, contacts.assign, .assignContact),
        Route(.post, "/api/v1/contacts/{contact_id}/transfer", .work, contacts.transfer, .transferContact),
        Route(.post, "/api/v1/contacts/{contact_id}/release", .work, contacts.release, .releaseContact),
        Route(
            .post, "/api/v1/contacts/batch", .registration, bodyLimit: massive, isMassive: true, contacts.registerMany,
            .registerContacts),
        Route(.post, "/api/v1/contacts/bulk", .work, isMassive: true, contacts.changeMany, .changeContacts),
        Route(.get, "/api/v1/contacts/{contact_id}/explain", .ownContacts, contacts.explain, .explainContact),
        Route(.get, "/api/v1/contacts/{contact_id}/history", .ownContacts, events.history, .showContactHistory),

        Route(.get, "/api/v1/leads", .ownContacts, leads.list, .listLeads),
        Route(
            .get, "/api/v1/leads/by-external/{external_id}", .work, leads.showByExternalID, .showLeadByExternalID),
        Route(.get, "/api/v1/leads/duplicates", .reading, leads.duplicates, .listDuplicates),
        Route(.get, "/api/v1/leads/{lead_id}", .ownContacts, leads.show, .showLead),
        Route(.patch, "/api/v1/leads/{lead_id}", .supervision, leads.change, .changeLead),
        Route(.delete, "/api/v1/leads/{lead_id}", .administration, leads.erase, .eraseLead),
        Route(.post, "/api/v1/leads/{lead_id}/merge", .supervision, leads.merge, .mergeLead),
        Route(.get, "/api/v1/leads/{lead_id}/contacts", .ownContacts, leads.contacts, .listLeadContacts),

        Route(.get, "/api/v1/queue", .reading, queue.list, .showQueue),
        Route(.get, "/api/v1/stats/distribution", .reading, statistics.distribution, .showStatistics),
        Route(.get, "/api/v1/stats/overview", .reading, statistics.overview, .showOverview),

        Route(.post, "/api/v1/session", .everybody, bodyLimit: Conversation.smallBody, sessions.signIn, .signIn),
        Route(.get, Route.provider, .everybody, sessions.beginAtProvider, .beginAtProvider),
        Route(.get, Route.provider + "/back", .everybody, sessions.endAtProvider, .endAtProvider),
        Route(.delete, "/api/v1/session", .everybody, sessions.signOut, .signOut),
        Route(
            .post, "/api/v1/session/link", .everybody, bodyLimit: Conversation.smallBody, sessions.showLink, .showLink),
        Route(
            .post, "/api/v1/session/password", .everybody, bodyLimit: Conversation.smallBody, sessions.acceptLink,
            .acceptLink),
        Route(.get, "/api/v1/me", .anyRole, sessions.me, .showMe),
        Route(.put, "/api/v1/me/password", .ownContacts, sessions.changePassword, .changePassword),
        Route(.get, "/api/v1/sessions", .ownContacts, sessions.list, .listSessions),
        Route(.delete, "/api/v1/sessions", .ownContacts, sessions.endAll, .endSessions),
        Route(.delete, "/api/v1/sessions/{session_id}", .ownContacts, sessions.end, .endSession),

        Route(.get, "/api/v1/people", .administration, people.list, .listPeople),
        Route(.post, "/api/v1/people", .administration, people.invite, .invitePerson),
        Route(
            .post, "/api/v1/people/first", .everybody, bodyLimit: Conversation.smallBody, people.protect,
            .inviteFirstAdmin),
        Route(.get, "/api/v1/people/{person_id}", .administration, people.show, .showPerson),
        Route(.patch, "/api/v1/people/{person_id}", .administration, people.change, .changePerson),
        Route(.post, "/api/v1/people/{person_id}/link", .administration, people.link, .linkPerson),
        Route(.get, "/api/v1/keys", .administration, keys.list, .listKeys),
        Route(.post, "/api/v1/keys", .administration, keys.create, .createKey),
        Route(.get, "/api/v1/keys/{key_id}", .administration, keys.show, .showKey),
        Route(.post, "/api/v1/keys/{key_id}/rotate", .administration, keys.rotate, .rotateKey),
        Route(.delete, "/api/v1/keys/{key_id}", .administration, keys.revoke, .revokeKey),

        Route(.get, "/api/v1/audit", .administration, events.audit, .listAudit),
        Route(.get, "/api/v1/events", .ownContacts, events.list, .listEvents),
        Route(.get, "/api/v1/events/stream", .ownContacts, events.stream, .streamEvents),
    ]
}

/// The documentation of the API, which is made of the routes above.
func documentationRoutes(_ documentation: DocumentationHandlers) -> [Route] {
    [
        Route(.get, "/openapi.json", .anyRole, documentation.document, .undocumented),
        Route(.get, "/api/v1/openapi.json", .anyRole, documentation.document, .undocumented),
        Route(.get, "/docs", .anyRole, documentation.page, .undocumented),
        Route(.get, "/docs/{file}", .anyRole, documentation.file, .undocumented),
        Route(.get, "/redoc", .anyRole, documentation.redoc, .undocumented),
    ]
}
