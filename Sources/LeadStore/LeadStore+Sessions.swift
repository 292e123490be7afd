public import Leads
import Postgres

/// What somebody may do who has typed a login and a password.
public enum SignInAttempt: Sendable {
    /// The password is to be compared; nil where nobody has the login or the person has none.
    case permitted(Person?, password: String?)
    /// Too many have failed; the next may be made in so many seconds.
    case refused(seconds: Int)
}

/// The browsers in which somebody has signed in.
extension LeadStore {
    /// How many attempts may fail for a login within a quarter of an hour.
    public static let failuresPerLogin = 5
    /// The same from an address.
    public static let failuresPerAddress = 20
    private static let failureMinutes = 15

    /// Counts an attempt to sign in as failed, until ``startSession`` says otherwise, and tells what it is about.
    ///
    /// Attempts at one login, and from one address, come one after the other, so that many at once are no more than as many
    /// in turn.
    /// - Parameter loginHash: SHA-256 of what was typed.
    /// - Throws: `StoreError`.
    public func attemptSignIn(
        login: String, loginHash: [UInt8], address: String
    ) async throws(StoreError) -> SignInAttempt {
        let since: Statement = "clock_timestamp() - make_interval(mins => \(Self.failureMinutes)::integer)"
        let numbers = [Locks.number(for: "sign-in", address), Locks.number(for: "sign-in", login)].sorted()
        return try await transaction { (transaction) throws(StoreError) in
            let found = try await transaction.run([
                "select pg_advisory_xact_lock(\(numbers[0]))", "select pg_advisory_xact_lock(\(numbers[1]))",
                "delete from sign_in_failures where at < \(since)",
                """
                select coalesce(max(ceil(extract(epoch from at - (\(since))))), 0)::bigint
                from (
                    (select at from sign_in_failures where login_hash = \(Bytes(loginHash)) and at >= \(since)
                    order by at desc offset \(Self.failuresPerLogin - 1) limit 1)
                    union all
                    (select at from sign_in_failures where address = \(address) and at >= \(since)
                    order by at desc offset \(Self.failuresPerAddress - 1) limit 1)
                ) first
                """,
                """
                select \(unsafe: PersonReading.columns), p.password
                from people p
                where p.login = \(login.lowercased()) and not p.is_disabled
                """,
            ])
            let seconds = try reading { () throws(PostgresError) in try found[3][0].decode(Int.self) }
            guard seconds == 0 else { return .refused(seconds: max(1, seconds)) }
            _ = try await transaction.finish(with: [
                "insert into sign_in_failures (login_hash, address) values (\(Bytes(loginHash)), \(address))"
            ])
            guard let row = found[4].first else { return .permitted(nil, password: nil) }
            return try reading { () throws(PostgresError) in
                var column = row.reader
                return .permitted(try PersonReading.person(&column), password: try column.next())
            }
        }
    }

    /// Begins a session of a person who has proved to be that one, and forgets failures before.
    /// - Parameter former: the session the browser had until now, which ends.
    /// - Throws: `StoreError.personNotFound`, also for one who is disabled, and others.
    public func startSession(
        ofPerson id: Int, tokenHash: [UInt8], agent: String?, insteadOf former: Int? = nil,
        forgetting loginHash: [UInt8]? = nil
    ) async throws(StoreError) -> Session {
        let made = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: [
                "delete from sign_in_failures where login_hash = \(loginHash.map { Bytes($0) })",
                """
                with p as (
                    select * from people where id = \(id) and not is_disabled for share
                ),
                made as (
                    insert into sessions (token_hash, person_id, agent)
                    select \(Bytes(tokenHash)), id, \(agent) from p
                    returning *
                ),
                ended as (
                    delete from sessions where id = \(former) and exists (select from p)
                    returning *
                ),
                told as (
                    insert into events (kind, actor_kind, actor_id, actor_name, data)
                    select kind, 'person', p.id::text, p.name, data
                    from p, (
                        select
                            \(Event.Kind.sessionEnded.rawValue) as kind,
                            jsonb_build_object('session_id', ended.id, 'person_id', ended.person_id) as data
                        from ended
                        union all
                        select \(Event.Kind.sessionStarted.rawValue), jsonb_build_object('session_id', made.id) from made
                    ) happened
                )
                select \(unsafe: SessionReading.columns) from made s
                """,
            ])
        }
        return try SessionReading.only(made[1])
    }

    /// Ends sessions of a person.
    /// - Parameter which: one of them; nil for all.
    /// - Returns: how many there were.
    /// - Throws: `StoreError`.
    @discardableResult
    public func endSessions(
        ofPerson id: Int?, _ which: Int?, except kept: Int? = nil, by actor: Actor
    ) async throws(StoreError) -> Int {
        let ended = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: [
                """
                with ended as (
                    delete from sessions
                    where person_id = coalesce(\(id), person_id) and id = coalesce(\(which), id)
                        and id is distinct from \(kept)
                    returning *
                ),
                told as (
                    \(AccessEvents.record(.sessionEnded, by: actor, """
                        jsonb_build_object('session_id', id, 'person_id', person_id)
                        """, from: "ended"))
                )
                select count(*) from ended
                """
            ])
        }
        return try reading { () throws(PostgresError) in try ended[0][0].decode(Int.self) }
    }

    /// The sessions of a person that have not run out, the latest used first.
    /// - Throws: `StoreError`.
    public func sessions(ofPerson id: Int) async throws(StoreError) -> [Session] {
        let found = try await readPage([
            """
            select \(unsafe: SessionReading.columns)
            from sessions s
            where s.person_id = \(id) and \(SessionReading.isLive)
            order by s.used_at desc, s.id
            limit 1000
            """
        ])[0]
        return try reading { () throws(PostgresError) in
            var sessions: [Session] = []
            for row in found {
                var column = row.reader
                sessions.append(try SessionReading.session(&column))
            }
            return sessions
        }
    }

    /// Whose sessions these are, those that have not run out, and notes that they are used.
    /// - Parameter tokenHashes: SHA-256 of what was shown.
    /// - Throws: `StoreError`.
    public func checkedSessions(_ tokenHashes: [[UInt8]]) async throws(StoreError) -> [[UInt8]: (Session, Person)] {
        let hashes = tokenHashes.map { Bytes($0) }
        let found = try await storing { () throws(PostgresError) in
            try await pool.withConnection { (connection) throws(PostgresError) in
                try await connection.send([
                    """
                    update sessions s
                    set used_at = clock_timestamp()
                    where s.token_hash = any(\(hashes)) and \(SessionReading.isLive)
                        and s.used_at < clock_timestamp() - interval '1 minute'
                    """,
                    """
                    select s.token_hash, \(unsafe: SessionReading.columns), \(unsafe: PersonReading.columns)
                    from sessions s
                    join people p on p.id = s.person_id
                    where s.token_hash = any(\(hashes)) and \(SessionReading.isLive) and not p.is_disabled
                    """,
                ])
            }
        }
        return try reading { () throws(PostgresError) in
            var sessions: [[UInt8]: (Session, Person)] = [:]
            for row in found[1] {
                var column = row.reader
                let hash: Bytes = try column.next()
                sessions[hash.bytes] = (try SessionReading.session(&column), try PersonReading.person(&column))
            }
            return sessions
        }
    }

    /// Goes up when a right is given or taken away.
    /// - Throws: `StoreError`.
    public func accessVersion() async throws(StoreError) -> Int {
        let found = try await read("select version from access_version")
        return try reading { () throws(PostgresError) in try found[0].decode(Int.self) }
    }

    /// Removes sessions and links that have run out. Of very many it leaves some to the next call.
    /// - Throws: `StoreError`.
    public func removeOldSessions() async throws(StoreError) {
        _ = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: [
                """
                delete from sessions where id in (
                    select s.id from sessions s where not (\(SessionReading.isLive)) limit 1000 for update skip locked)
                """,
                "delete from person_links where expires_at < clock_timestamp()",
            ])
        }
    }
}

private enum SessionReading {
    static let columns = "s.id, s.person_id, s.agent, s.created_at, s.used_at"

    static let isLive: Statement = """
        (s.used_at > clock_timestamp() - make_interval(hours => \(Session.idleHours)::integer)
        and s.created_at > clock_timestamp() - make_interval(days => \(Session.days)::integer))
        """

    static func session(_ column: inout RowReader) throws(PostgresError) -> Session {
        Session(
            id: try column.next(), personID: try column.next(), agent: try column.next(), createdAt: try column.next(),
            usedAt: try column.next())
    }

    static func only(_ found: QueryResult) throws(StoreError) -> Session {
        guard let row = found.first else { throw .personNotFound }
        return try reading { () throws(PostgresError) in
            var column = row.reader
            return try session(&column)
        }
    }
}
