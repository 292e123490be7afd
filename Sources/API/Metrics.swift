import LeadStore

/// The state of an instance in the text format of Prometheus, version 0.0.4.
///
/// Written by hand: none of the packages at hand exports metrics.
struct Metrics {
    private var text = ""

    init(
        version: String, totals: Observation.Totals, pool: PoolUse, intake: LaneUse, closings: LaneUse,
        streams: Int, isDatabaseUp: Bool, gauges: LeadStore.Gauges?
    ) {
        gauge("leads_build_info", "Always 1; the label tells the version.", [([("version", version)], 1)])
        gauge(
            "leads_database_up", "Whether the database answered this scrape.", [([], isDatabaseUp ? 1 : 0)])
        if let gauges {
            gauge("leads_contacts_waiting", "Contacts that wait for an operator.", [([], gauges.waitingContacts)])
            gauge(
                "leads_oldest_snapshot_seconds",
                "Age of the oldest transaction of any session: what it can still see keeps dead rows in every table.",
                [([], gauges.oldestSnapshotSeconds)])
        }
        counter(
            "leads_registrations_total", "Contacts sent to be registered, by what became of them.",
            Observation.RegistrationOutcome.allCases.map {
                ([("outcome", $0.rawValue)], totals.registrations[$0] ?? 0)
            } + [
                ([("outcome", "refused")], totals.registrations(answered: 400..<500) + totals.refusedInBatches),
                ([("outcome", "failed")], totals.registrations(answered: 500..<600) + totals.failedInBatches),
            ])
        counter(
            "leads_stranded_sources_total",
            "Sources the sweep found contacts waiting in beside capacity; 0 is expected.",
            [([], totals.strandedSources)])
        counter(
            "leads_background_faults_total",
            "Times that waiting contacts could not be placed in the background through a fault; 0 is expected.",
            [([], totals.faultsInBackground)])
        gauge(
            "leads_pool_connections", "Database connections by state.",
            [
                ([("state", "idle")], pool.idle), ([("state", "leased")], pool.leased),
                ([("state", "opening")], pool.opening),
            ]
        )
        gauge("leads_pool_requests_waiting", "Requests that wait for a database connection.", [([], pool.waiting)])
        transactions("intake", "registrations", intake)
        transactions("closings", "closings", closings)
        gauge("leads_http_requests_in_flight", "Requests being answered.", [([], totals.inFlight)])
        counter(
            "leads_http_connections_refused_total", "Connections closed at once because too many were open.",
            [([], totals.refusedConnections)])
        gauge("leads_event_streams", "Streams of events that are open.", [([], streams)])
        counter(
            "leads_http_requests_total", "Requests answered.",
            totals.requests.sorted { $0.key < $1.key }.map { series, count in
                (Self.labels(series) + [("status", String(series.status))], count)
            })
        durations(totals.durations.sorted { $0.key < $1.key })
    }

    var bytes: [UInt8] { Array(text.utf8) }

    private typealias Labels = [(name: String, value: String)]

    private static func labels(_ series: Observation.Series) -> Labels {
        [("method", series.method), ("route", series.route)]
    }

    /// What shares transactions with others of its kind.
    private mutating func transactions(_ name: String, _ members: String, _ use: LaneUse) {
        gauge("leads_\(name)_requests_waiting", "What waits for a transaction of \(members).", [([], use.waiting)])
        gauge("leads_\(name)_lanes_busy", "Transactions of \(members) under way.", [([], use.busyLanes)])
        counter(
            "leads_\(name)_batches_total",
            "Transactions of \(members) begun, but for those of requests that are lists themselves.",
            [([], use.batches)])
        counter(
            "leads_\(name)_members_total", "The \(members) in these transactions: by batches, how many share one.",
            [([], use.members)])
        counter(
            "leads_\(name)_refused_total", "The \(members) turned away because too many waited, or for too long.",
            [([], use.refused)])
    }

    private mutating func gauge(_ name: String, _ help: String, _ samples: [(Labels, Int)]) {
        metric(name, "gauge", help, samples)
    }

    private mutating func counter(_ name: String, _ help: String, _ samples: [(Labels, Int)]) {
        metric(name, "counter", help, samples)
    }

    private mutating func metric(_ name: String, _ type: String, _ help: String, _ samples: [(Labels, Int)]) {
        head(name, type, help)
        for (labels, value) in samples { sample(name, labels, String(value)) }
    }

    private mutating func durations(_ histograms: [(Observation.Series, Observation.Histogram)]) {
        let name = "leads_http_request_duration_seconds"
        head(name, "histogram", "Time from a request's head to its answer.")
        for (series, histogram) in histograms {
            let labels = Self.labels(series)
            var below = 0
            for (bound, count) in zip(Observation.Histogram.bounds.map { "\($0)" } + ["+Inf"], histogram.counts) {
                below += count
                sample(name + "_bucket", labels + [("le", bound)], String(below))
            }
            sample(name + "_sum", labels, String(histogram.sum))
            sample(name + "_count", labels, String(below))
        }
    }

    private mutating func head(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    /// Label values are methods, routes and words of our own: none needs escaping.
    private mutating func sample(_ name: String, _ labels: Labels, _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{\(labels.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ","))}"
        }
        text += " \(value)\n"
    }
}

extension Observation.Series: Comparable {
    static func < (left: Self, right: Self) -> Bool {
        (left.route, left.method, left.status) < (right.route, right.method, right.status)
    }
}

extension Observation.Totals {
    /// Registrations that were answered with an error: the request's fault, or the database's and this program's.
    fileprivate func registrations(answered statuses: Range<Int>) -> Int {
        requests.reduce(0) { sum, entry in
            let isOne = entry.key.method == "POST" && entry.key.route == Route.registration
            return isOne && statuses.contains(entry.key.status) ? sum + entry.value : sum
        }
    }
}
