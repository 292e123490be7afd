public import Leads
public import Postgres

/// Keys as those see them who check them: what proves them, too.
public struct CheckedKey: Sendable {
    public let key: AccessKey
    /// SHA-256 of the secret.
    public let secretHash: [UInt8]
    /// The same of the secret before, and for how long that is good, in seconds from now.
    public let former: (secretHash: [UInt8], seconds: Double)?
}

/// What programs prove themselves by.
extension LeadStore {
    /// Adds a key whose secret somebody else has made.
    /// - Throws: `StoreError.sourceNotFound` and others.
    public func createKey(
        id: String, secretHash: [UInt8], _ new: NewAccessKey, by actor: Actor
    ) async throws(StoreError) -> AccessKey {
        try await transaction { (transaction) throws(StoreError) in
            try await Self.requireSources(new.sourceIDs ?? [], transaction)
            let made = try await transaction.finish(with: [
                """
                with made as (
                    insert into access_keys (id, name, role, source_ids, secret_hash, rate)
                    values (
                        \(id), \(new.name), \(new.role.rawValue), \(new.sourceIDs), \(Bytes(secretHash)),
                        \(new.rate)::integer)
                    returning *
                ),
                told as (
                    \(AccessEvents.record(.keyCreated, by: actor, """
                        jsonb_build_object(
                            'key_id', id, 'name', name, 'role', role, 'source_ids', source_ids, 'rate', rate)
                        """, from: "made"))
                )
                select \(unsafe: AccessKeyReading.columns) from made
                """
            ])
            return try AccessKeyReading.only(made[0])
        }
    }

    private static func requireSources(_ ids: [Int], _ transaction: Transaction) async throws(StoreError) {
        guard !ids.isEmpty else { return }
        let found = try await transaction.run(["select count(*) from sources where id = any(\(ids))"])
        let count = try reading { () throws(PostgresError) in try found[0][0].decode(Int.self) }
        guard count == Set(ids).count else { throw .sourceNotFound }
    }

    /// All keys, revoked ones too, the latest first.
    /// - Throws: `StoreError`.
    public func keys() async throws(StoreError) -> [AccessKey] {
        let found = try await readPage([
            "select \(unsafe: AccessKeyReading.columns) from access_keys order by created_at desc, id limit 10000"
        ])[0]
        return try AccessKeyReading.all(found)
    }

    /// - Throws: `StoreError.keyNotFound` and others.
    public func key(id: String) async throws(StoreError) -> AccessKey {
        try AccessKeyReading.only(
            try await read("select \(unsafe: AccessKeyReading.columns) from access_keys where id = \(id)"))
    }

    /// Gives a key another secret.
    /// - Throws: `StoreError.keyNotFound`, also for one that was revoked, and others.
    public func rotateKey(
        id: String, secretHash: [UInt8], _ rotation: KeyRotation, by actor: Actor
    ) async throws(StoreError) -> AccessKey {
        let changed = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: [
                """
                with changed as (
                    update access_keys
                    set former_secret_hash = case when \(rotation.graceSeconds) > 0 then secret_hash end,
                        former_expires_at = case when \(rotation.graceSeconds) > 0
                            then clock_timestamp() + make_interval(secs => \(rotation.graceSeconds)::double precision) end,
                        secret_hash = \(Bytes(secretHash)),
                        rotated_at = clock_timestamp()
                    where id = \(id) and revoked_at is null
                    returning *
                ),
                told as (
                    \(AccessEvents.record(.keyRotated, by: actor, """
                        jsonb_build_object('key_id', id, 'name', name, 'grace_seconds', \(rotation.graceSeconds))
                        """, from: "changed"))
                )
                select \(unsafe: AccessKeyReading.columns) from changed
                """
            ])
        }
        return try AccessKeyReading.only(changed[0])
    }

    /// Ends a key for good; one that has ended stays so.
    /// - Throws: `StoreError.keyNotFound` and others.
    public func revokeKey(id: String, by actor: Actor) async throws(StoreError) -> AccessKey {
        let changed = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: [
                """
                with changed as (
                    update access_keys
                    set revoked_at = clock_timestamp(), former_secret_hash = null, former_expires_at = null
                    where id = \(id) and revoked_at is null
                    returning *
                ),
                told as (
                    \(AccessEvents.record(.keyRevoked, by: actor, """
                        jsonb_build_object('key_id', id, 'name', name)
                        """, from: "changed"))
                )
                select \(unsafe: AccessKeyReading.columns) from changed
                """,
                "select \(unsafe: AccessKeyReading.columns) from access_keys where id = \(id)",
            ])
        }
        return try AccessKeyReading.only(changed[1])
    }

    /// Everything that keys are checked by: those that are not revoked.
    /// - Throws: `StoreError`.
    public func checkedKeys() async throws(StoreError) -> [CheckedKey] {
        let found = try await read(
            """
            select
                \(unsafe: AccessKeyReading.columns), secret_hash, former_secret_hash,
                extract(epoch from former_expires_at - clock_timestamp())::double precision
            from access_keys
            where revoked_at is null
            """)
        return try reading { () throws(PostgresError) in
            var keys: [CheckedKey] = []
            for row in found {
                var column = row.reader
                let key = try AccessKeyReading.key(&column)
                let secretHash: Bytes = try column.next()
                let former: Bytes? = try column.next()
                let seconds: Double? = try column.next()
                keys.append(
                    CheckedKey(
                        key: key, secretHash: secretHash.bytes,
                        former: former.flatMap { former in seconds.map { (former.bytes, $0) } }))
            }
            return keys
        }
    }
}

private enum AccessKeyReading {
    static let columns = "id, name, role, source_ids, rate, created_at, rotated_at, revoked_at"

    static func key(_ column: inout RowReader) throws(PostgresError) -> AccessKey {
        AccessKey(
            id: try column.next(), name: try column.next(), role: try column.next(), sourceIDs: try column.next(),
            rate: try column.next(), createdAt: try column.next(), rotatedAt: try column.next(),
            revokedAt: try column.next())
    }

    static func all(_ found: QueryResult) throws(StoreError) -> [AccessKey] {
        try reading { () throws(PostgresError) in
            var keys: [AccessKey] = []
            for row in found {
                var column = row.reader
                keys.append(try key(&column))
            }
            return keys
        }
    }

    static func only(_ found: QueryResult) throws(StoreError) -> AccessKey {
        guard let key = try all(found).first else { throw .keyNotFound }
        return key
    }
}

/// What is told of keys, people and sessions: who did what to whom, and never a secret.
enum AccessEvents {
    /// An insert that tells one event for each row of `rows`, with `data` made of its columns.
    static func record(_ kind: Event.Kind, by actor: Actor, _ data: Statement, from rows: Statement) -> Statement {
        """
        insert into events (kind, actor_kind, actor_id, actor_name, data)
        select \(kind.rawValue), \(actor.kind.rawValue), \(actor.id), \(actor.name), \(data) from \(rows)
        """
    }
}

extension Role: ColumnDecodable {
    public init?(_ field: UnsafeRawBufferPointer?, of dataType: DataType) {
        guard let text = String(field, of: dataType) else { return nil }
        self.init(rawValue: text)
    }
}
