public import Postgres
import Schema

/// Recounts what is counted as it happens, and looks for what must never be: `leads-crm check`.
///
/// All but the queue is read from one snapshot, so that traffic meanwhile cannot look like drift. Every statement gives
/// how much it looked at, how many findings there are, and a line for each of the first: ids and numbers only.
public struct Reconciler: Sendable {
    /// What is checked, in this order.
    public enum Subject: String, Sendable, CaseIterable {
        /// Triggers and constraints, which keep the rest true, are there and switched on.
        case guards
        /// `operator_loads.load` is the recount.
        case loads
        /// `operator_loads.ceiling` is the larger of limit and load.
        case ceilings
        /// Nobody has more than the limit but for forced assignments and a limit lowered later.
        case limits
        /// `leads.contact_count` is the recount.
        case counts
        /// The running counts by source and operator are the recount.
        case tallies
        /// The running counts by time are the recount.
        case quarters
        /// Contacts were created within the time on record for their part of the ids; lists of a time rely on it.
        case spans
        /// A lead is found by the keys it has.
        case leads
        /// What was decided is about contacts and candidates that are there.
        case decisions
        /// Every committed event is numbered, or will be.
        case events
        /// Nobody waits beside an operator who could take them.
        case queue

        /// Whether ``Reconciler/repair()`` mends it; the others are for people to decide.
        public var isCounter: Bool {
            switch self {
            case .loads, .ceilings, .counts, .tallies, .quarters, .spans: true
            case .guards, .limits, .leads, .decisions, .events, .queue: false
            }
        }

        /// What its number counts.
        public var things: String {
            switch self {
            case .guards: "triggers and constraints"
            case .loads, .ceilings, .limits: "operators"
            case .counts, .leads: "leads"
            case .tallies: "counts"
            case .quarters: "minutes and quarters of an hour"
            case .spans: "contacts"
            case .decisions: "decisions"
            case .events: "events"
            case .queue: "waiting contacts"
            }
        }
    }

    /// What was found, or mended, about one subject.
    public struct Result: Sendable {
        public let subject: Subject
        public let lookedAt: Int
        public let findings: Int
        /// A line for each of the first findings.
        public let details: [String]
    }

    /// How many findings are described.
    public static let longestList = 20
    private static let lockTimeout: Duration = .seconds(5)
    /// How often those who wait are looked at again, a pause apart, before they count as left behind.
    private static let looksWithoutProgress = 2
    private static let pause: Duration = .seconds(1)
    private static let longestDrain: Duration = .seconds(300)

    private let configuration: ConnectionConfiguration
    private let migrator = Migrator(migrations: LeadStore.migrations, repeatables: LeadStore.repeatables)

    /// - Parameter configuration: leads to the database; a pooler in between does no harm.
    public init(_ configuration: ConnectionConfiguration) {
        var configuration = configuration
        configuration.applicationName = "leads-crm check"
        configuration.statementDeadline = .seconds(86_400)
        self.configuration = configuration
    }

    /// Checks everything.
    /// - Parameter progress: called with each result as it comes.
    /// - Throws: `ReconcilerError`.
    public func check(progress: (Result) -> Void = { _ in }) async throws(ReconcilerError) -> [Result] {
        try await connected { (connection) throws(PostgresError) in
            var results: [Result] = []
            func report(_ result: Result) {
                results.append(result)
                progress(result)
            }
            _ = try await connection.send(["begin isolation level repeatable read read only", Self.settings])
            for (subject, statement) in Self.statements {
                let found = try await connection.execute(statement.plannedAfresh)
                report(try Self.result(subject, found))
            }
            let queue = try Self.look(try await connection.send([Self.stranded.plannedAfresh, "commit"])[0])
            report(try await confirm(queue, connection))
            return results
        }
    }

    /// Makes every counter the recount, in one transaction. Operators and leads whose counters are right are not locked.
    /// - Returns: what was changed, in the order of the locks.
    /// - Throws: `ReconcilerError.notAllowed`, `.locked` and others; nothing is changed then.
    public func repair() async throws(ReconcilerError) -> [Result] {
        try await requireRights()
        return try await connected { (connection) throws(PostgresError) in
            let patience = "\(Self.lockTimeout.components.seconds)s"
            let results = try await connection.send(
                [
                    "begin isolation level read committed read write", Self.settings,
                    "select set_config('lock_timeout', \(patience), true)",
                ] + Self.repairs.map(\.statement.plannedAfresh))
            var mended: [Result] = []
            for (repair, found) in zip(Self.repairs, results[3...]) {
                mended.append(try Self.result(repair.subject, found))
            }
            _ = try await connection.send(["commit"], commits: true)
            return mended
        }
    }

    /// Makes sure that the account may repair.
    /// - Throws: `ReconcilerError.notAllowed` and others.
    public func requireRights() async throws(ReconcilerError) {
        let role = try await connected { (connection) throws(PostgresError) -> String? in
            let (mayRepair, role) = try await connection.execute(
                """
                select has_column_privilege('operator_loads', 'load', 'update')
                    and has_column_privilege('operator_loads', 'ceiling', 'update')
                    and has_column_privilege('leads', 'contact_count', 'update')
                    and has_table_privilege('contact_tally_changes', 'insert')
                    and has_table_privilege('contact_spans', 'insert')
                    and has_table_privilege('operator_quarters', 'update')
                    and has_function_privilege('recount_loads()', 'execute'), current_user::text
                """)[0].decode(Bool.self, String.self)
            return mayRepair ? nil : role
        }
        if let role { throw .notAllowed(role: role) }
    }

    private func connected<Value: Sendable>(
        _ body: (Connection) async throws(PostgresError) -> Value
    ) async throws(ReconcilerError) -> Value {
        do throws(PostgresError) {
            let connection = try await Connection.open(configuration)
            do throws(PostgresError) {
                let isUpToDate = try await migrator.isUpToDate(connection)
                let value = isUpToDate ? try await body(connection) : nil
                await connection.close()
                if let value { return value }
            } catch {
                await connection.close()
                throw error
            }
        } catch {
            throw ReconcilerError(error)
        }
        throw .schemaIsOlder
    }

    /// Looks at those who waited beside capacity until they are gone, or until nobody is placed any more: in a queue that
    /// is being drained the last ones may wait for a while.
    private func confirm(_ first: Look, _ connection: Connection) async throws(PostgresError) -> Result {
        var left = Set(first.stranded)
        var looksWithoutProgress = 0
        let end = ContinuousClock.now + Self.longestDrain
        while !left.isEmpty, looksWithoutProgress < Self.looksWithoutProgress, ContinuousClock.now < end {
            try? await Task.sleep(for: Self.pause)
            let still = left.intersection(
                try Self.look(
                    try await connection.send([
                        "begin isolation level repeatable read read only", Self.settings, Self.stranded.plannedAfresh,
                        "commit",
                    ])[2]
                ).stranded)
            looksWithoutProgress = still.count == left.count ? looksWithoutProgress + 1 : 0
            left = still
        }
        let ids = left.sorted()
        let details = ids.prefix(Self.longestList).map { "contact \($0) waits although an operator could take it" }
        return Result(subject: .queue, lookedAt: first.waiting, findings: ids.count, details: details)
    }

    private struct Look {
        let waiting: Int
        let stranded: [Int]
    }

    private static func look(_ found: QueryResult) throws(PostgresError) -> Look {
        let (waiting, stranded) = try found[0].decode(Int.self, [Int].self)
        return Look(waiting: waiting, stranded: stranded)
    }

    private static func result(_ subject: Subject, _ found: QueryResult) throws(PostgresError) -> Result {
        let (lookedAt, findings, details) = try found[0].decode(Int.self, Int.self, [String].self)
        return Result(subject: subject, lookedAt: lookedAt, findings: findings, details: details)
    }
}

/// Why nothing could be said, or mended.
public enum ReconcilerError: Error, Sendable {
    /// The database has not been brought to this program's schema.
    case schemaIsOlder
    /// The account the program connects as may not write counters.
    case notAllowed(role: String)
    /// Others hold what is to be mended.
    case locked
    case database(PostgresError)

    init(_ error: PostgresError) {
        self = error.sqlState == .lockNotAvailable ? .locked : .database(error)
    }
}

extension ReconcilerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .schemaIsOlder:
            "the database's schema is older than this program: run `leads-crm migrate` first"
        case .notAllowed(let role):
            """
            the account \(role) may not write counters: to repair, connect as the schema's owner, \
            as for `leads-crm migrate` (DATABASE_DIRECT_URL, or DATABASE_URL)
            """
        case .locked:
            "others hold what is to be mended and did not let go in time; nothing was changed, try again"
        case .database(let error) where error.sqlState == .insufficientPrivilege:
            "\(error); connect as the schema's owner or as leads_app (DATABASE_DIRECT_URL, or DATABASE_URL)"
        case .database(let error):
            "\(error)"
        }
    }
}

extension Reconciler {
    /// For the rest of the transaction. The sessions of instances, and leads_app's, give up after 3 s and read along
    /// indexes; here nearly everything is read.
    private static let settings: Statement = """
        select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
            set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true),
            set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true),
            set_config('jit', 'off', true), set_config('work_mem', '64MB', true)
        """

    /// - Parameters:
    ///   - total: a query for how much is looked at.
    ///   - findings: a query for an id to order by and a line of text for each finding.
    private static func counting(_ total: Statement, _ findings: Statement) -> Statement {
        """
        with found (id, detail) as materialized (
            \(findings)
        )
        select (\(total)), (select count(*) from found), array(select detail from found order by id limit \(longestList))
        """
    }

    private static let operators: Statement = "select count(*) from operator_loads"

    private static let statements: [(subject: Subject, statement: Statement)] = [
        (
            .guards,
            counting(
                """
                select (
                    select count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid
                    where c.relnamespace = 'public'::regnamespace
                ) + (select count(*) from pg_constraint where connamespace = 'public'::regnamespace)
                """,
                """
                select t.oid::bigint, format(
                    'the trigger %s on %s is switched off',
                    coalesce((select k.conname from pg_constraint k where k.oid = t.tgconstraint), t.tgname), c.relname)
                from pg_trigger t
                join pg_class c on c.oid = t.tgrelid
                where c.relnamespace = 'public'::regnamespace and t.tgenabled not in ('O', 'A')
                union all
                select k.oid::bigint, format('the constraint %s on %s is not validated', k.conname, c.relname)
                from pg_constraint k
                join pg_class c on c.oid = k.conrelid
                where k.connamespace = 'public'::regnamespace and not k.convalidated
                union all
                select 0, format('the constraint %s is missing', name)
                from unnest(\(Guards.constraints)) as made (name)
                where not exists (
                    select from pg_constraint where connamespace = 'public'::regnamespace and conname = name)
                union all
                select 0, format('the trigger %s is missing', name)
                from unnest(\(Guards.triggers)) as made (name)
                where not exists (
                    select from pg_trigger t join pg_class c on c.oid = t.tgrelid
                    where c.relnamespace = 'public'::regnamespace and t.tgname = name)
                """)
        ),
        (
            .loads,
            counting(
                operators,
                """
                select operator_id, format('operator %s: load %s, recount %s', operator_id, stored_load, recount)
                from report.load_drift
                """)
        ),
        (
            .ceilings,
            counting(
                operators,
                """
                select operator_id, format(
                    'operator %s: ceiling %s, load %s, limit %s', operator_id, ceiling, load, max_load)
                from operator_loads
                where ceiling <> greatest(max_load, load)
                """)
        ),
        (.limits, counting(operators, excesses)),
        (
            .counts,
            counting(
                "select count(*) from leads",
                """
                select lead_id, format('lead %s: %s contacts, recount %s', lead_id, stored_count, recount)
                from report.lead_drift
                """)
        ),
        (
            .tallies,
            counting(
                "select count(*) from contact_counts",
                """
                select row_number() over (order by source_id, operator_id), format(
                    '%s (contacts, open, waiting, leads): tallied %s, recount %s',
                    \(tallyName), tallied, recounted)
                from report.tally_drift
                """)
        ),
        (
            .quarters,
            counting(
                quarters,
                """
                select row_number() over (order by starts_at, source_id, operator_id, counted), format(
                    '%s: tallied %s, recount %s', \(quarterName), tallied, recounted)
                from report.quarter_drift
                """)
        ),
        (
            .spans,
            counting(
                "select count(*) from contacts",
                """
                select contact_id, format(
                    'contact %s was created outside the time on record for its part of the ids', contact_id)
                from (\(outsiders)) outside
                """)
        ),
        (.leads, counting("select count(*) from leads", unfindableLeads)),
        (
            .decisions,
            counting(
                "select count(*) from decisions",
                """
                select d.id, format('decision %s is about contact %s, which is gone', d.id, d.contact_id)
                from decisions d
                where not exists (select from contacts c where c.id = d.contact_id)
                union all
                select d.id, format('decision %s was among candidates %s, which are gone', d.id, d.snapshot_id)
                from decisions d
                where not exists (select from decision_snapshots s where s.id = d.snapshot_id)
                """)
        ),
        (
            .events,
            counting(
                "select count(*) from events",
                "select event_id, format('event %s was committed and is in nobody''s order', event_id) from report.event_drift"
            )
        ),
    ]

    private static let tallyName: Statement = """
        case when source_id is null then 'leads' else
            format('source %s, operator %s', source_id, coalesce(operator_id::text, 'none')) end
        """

    private static let quarters: Statement = """
        select (
            select count(*) from (select distinct quarter, source_id from registered_quarters) registered
        ) + (
            select count(*) from (select distinct quarter, source_id, operator_id from assigned_quarters) assigned
        ) + (
            select count(*) from (
                select distinct minute, source_id from registered_minutes where minute >= now() - interval '1 hour'
            ) minutes
        )
        """

    private static let quarterName: Statement = """
        format(
            'source %s%s, %s from %s', source_id, ', operator ' || operator_id, counted,
            to_char(starts_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"'))
        """

    private static let outsiders: Statement = """
        select c.id as contact_id, c.id / 4096 as part, c.created_at
        from contacts c
        left join (
            select part, min(first_created_at) as first_created_at, max(last_created_at) as last_created_at
            from contact_spans
            group by part
        ) s on s.part = c.id / 4096
        where s.part is null or c.created_at < s.first_created_at or c.created_at > s.last_created_at
        """

    /// Without its forced contacts nobody has more than the limit: an ordinary assignment needs load < max_load, and a
    /// forced one raises both sides. A limit lowered later explains more for as long as nothing ordinary was given
    /// since. Both write an event under the operator's lock, so that their ids tell which came first. A limit that was
    /// lowered by SQL left no event and cannot be told from a breach.
    private static let excesses: Statement = """
        with over as materialized (
            select l.operator_id, l.max_load, a.contacts, a.forced
            from operator_loads l
            join (
                select operator_id, count(*) as contacts, count(*) filter (where is_forced) as forced
                from contacts
                where status = 'active'
                group by operator_id
            ) a on a.operator_id = l.operator_id
            where a.contacts - a.forced > l.max_load
        ),
        lowered as materialized (
            select to_operator_id as operator_id, max(id) as last_id
            from events
            where kind = 'operator_changed'
                and to_operator_id in (select operator_id from over)
                and (data -> 'max_load' ->> 'from')::numeric > (data -> 'max_load' ->> 'to')::numeric
            group by to_operator_id
        ),
        judged as (
            select o.*, lo.last_id, (
                select count(*)
                from contacts c
                where c.operator_id = o.operator_id and c.status = 'active' and not c.is_forced
                    and (
                        select max(e.id) from events e
                        where e.contact_id = c.id and e.to_operator_id = o.operator_id
                    ) > lo.last_id
            ) as given_since
            from over o
            left join lowered lo on lo.operator_id = o.operator_id
        )
        select operator_id, format(
            'operator %s: %s active contacts, limit %s, forced %s, %s', operator_id, contacts, max_load, forced,
            case when last_id is null then 'no lowering of the limit on record'
                else format('%s given after the limit was last lowered', given_since) end)
        from judged
        where last_id is null or given_since > 0
        """

    /// An external id is compared trimmed and in a normal form PostgreSQL does not know, so only those are looked at that
    /// are a key in any case: with a letter or digit, and too short to outgrow a key when composed.
    private static let unfindableLeads: Statement = """
        select l.id, format('lead %s was merged and still owns keys', l.id)
        from leads l
        where l.merged_into is not null and exists (select from lead_identities i where i.lead_id = l.id)
        union all
        select l.id, format('lead %s was merged and still has contacts', l.id)
        from leads l
        where l.merged_into is not null and exists (select from contacts c where c.lead_id = l.id)
        union all
        select l.id, format('lead %s was merged into lead %s, which was merged itself', l.id, l.merged_into)
        from leads l
        join leads s on s.id = l.merged_into
        where s.merged_into is not null
        union all
        select l.id, format('lead %s was erased and still owns keys', l.id)
        from leads l
        where l.erased_at is not null and exists (select from lead_identities i where i.lead_id = l.id)
        union all
        select l.id, format('lead %s was merged into lead %s, which was erased without it', l.id, l.merged_into)
        from leads l
        join leads s on s.id = l.merged_into
        where s.erased_at is not null and l.erased_at is null
        union all
        select l.id, format('lead %s has an external id by which it is not found', l.id)
        from leads l
        where l.merged_into is null
            and l.external_id ~ '[[:alnum:]]'
            and octet_length(l.external_id) <= 340
            and not exists (
                select from lead_identities i where i.lead_id = l.id and i.kind = 'external_id')
        """

    private static let stranded: Statement = """
        select
            (select count(*) from contacts where status = 'new'),
            array(select contact_id from report.stranded)
        """

    private static let repairs: [(subject: Subject, statement: Statement)] = [
        (
            .counts,
            counting(
                "select count(*) from leads",
                """
                select lead_id, format('lead %s: %s contacts → %s', lead_id, stored_count, recount)
                from recount_lead_contacts()
                """)
        ),
        (
            .loads,
            counting(
                operators,
                """
                select operator_id, format(
                    'operator %s: load %s → %s, ceiling %s → %s', operator_id, stored_load, recount, stored_ceiling,
                    ceiling)
                from recount_loads()
                """)
        ),
        (
            .tallies,
            counting(
                "select count(*) from contact_counts",
                """
                select row_number() over (order by source_id, operator_id), format(
                    '%s (contacts, open, waiting, leads): %s → %s', \(tallyName), tallied, recounted)
                from correct_contact_tallies()
                """)
        ),
        (
            .quarters,
            counting(
                quarters,
                """
                select row_number() over (order by starts_at, source_id, operator_id, counted), format(
                    '%s: %s → %s', \(quarterName), tallied, recounted)
                from correct_contact_quarters()
                """)
        ),
        (
            .spans,
            counting(
                "select count(*) from contacts",
                """
                insert into contact_spans (part, first_created_at, last_created_at)
                select part, min(created_at), max(created_at)
                from (\(outsiders)) outside
                group by part
                returning part, format(
                    'contacts %s to %s: created %s to %s', part * 4096, part * 4096 + 4095, first_created_at,
                    last_created_at)
                """)
        ),
    ]
}
