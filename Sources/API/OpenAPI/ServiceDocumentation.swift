import JSON

extension Component {
    static let message = answer(
        "Message", "What a command did.", [.init("message", .string, "What was done, in English.")],
        example: { $0.object { $0.field("message", "Operator activated") } })

    static let welcome = answer(
        "Welcome", "What this server is.",
        [
            .init("message", .string, "Name of the server."),
            .init("version", .string, "Version of the program."),
            .init("docs", .string, "Path of this documentation."),
        ],
        example: { $0.welcome(version: "1.0.0") })

    static let health = answer(
        "Health", "How the server is.", [.init("status", .choice(["ok"]), "The process runs.")],
        example: { $0.status("ok") })

    static let readiness = answer(
        "Readiness", "Whether the server takes requests.",
        [
            .init("status", .choice(["ready"]), "The database answers and has the tables this program needs."),
            .init("access", .choice(["open", "closed"]), "Whether anybody may do anything, or says who they are."),
        ],
        example: { $0.readiness(isOpen: true) })
}

extension Operation {
    static let welcome = Operation(
        "show_welcome", .service, "Show what this server is",
        "Who asks for `text/html` is sent to this documentation.", answers: .ok(.one(.welcome), "Name and version."),
        isStored: false)

    static let health = alive("show_health", "Show that the process runs")
    static let livez = alive("show_liveness", "Show that the process runs, as Kubernetes asks")

    static let readyz = Operation(
        "show_readiness", .service, "Show whether requests are welcome",
        answers: .ok(.one(.readiness), "The database answers: requests may be sent here."), problems: [.stopping])

    static let metrics = Operation(
        "show_metrics", .service, "Show what Prometheus reads",
        "Requests by route and status, registrations by outcome, the connections to the database, contacts that wait.",
        answers: .ok(
            .text("text/plain", example: "leads_contacts_waiting 0\n"), "Prometheus' text format, version 0.0.4."),
        isStored: false)

    private static func alive(_ id: String, _ summary: String) -> Operation {
        Operation(
            id, .service, summary, "Says nothing of the database.",
            answers: .ok(.one(.health), "The process runs."), isStored: false)
    }
}
