public import Leads
import Postgres

/// The staff who sign in.
extension LeadStore {
    /// Adds a person, with a link by which to choose a password.
    /// - Parameter tokenHash: SHA-256 of what the link carries.
    /// - Throws: `StoreError.loginTaken`, `.operatorNotFound` and others.
    public func invitePerson(_ new: NewPerson, tokenHash: [UInt8], by actor: Actor) async throws(StoreError)
        -> PersonLink
    {
        try await transaction { (transaction) throws(StoreError) in
            try await Self.insert(new, tokenHash: tokenHash, by: actor, transaction)
        }
    }

    /// Adds the first admin, by whom access is closed.
    /// - Throws: `StoreError.accessClosed` when there is a person or a key already, and others.
    public func inviteFirstAdmin(
        login: String, name: String, tokenHash: [UInt8], by actor: Actor
    ) async throws(StoreError) -> PersonLink {
        try await transaction { (transaction) throws(StoreError) in
            let found = try await transaction.run([
                "select pg_advisory_xact_lock(\(Self.administration))",
                "select exists (select from people) or exists (select from access_keys)",
            ])
            guard try reading({ () throws(PostgresError) in try !found[1][0].decode(Bool.self) }) else {
                throw .accessClosed
            }
            return try await Self.insert(
                NewPerson(login: login, name: name, role: .admin), tokenHash: tokenHash, by: actor, transaction)
        }
    }

    /// Who changes who may administer does so one after the other.
    private static let administration = Locks.number(for: "access", "administration")

    private static func insert(
        _ new: NewPerson, tokenHash: [UInt8], by actor: Actor, _ transaction: Transaction
    ) async throws(StoreError) -> PersonLink {
        let made = try await transaction.finish(with: [
            """
            with made as (
                insert into people (login, name, role, operator_id)
                values (\(new.login), \(new.name), \(new.role.rawValue), \(new.operatorID))
                returning *
            ),
            linked as (
                \(Self.link(tokenHash, from: "made"))
            ),
            told as (
                \(AccessEvents.record(.personInvited, by: actor, """
                    jsonb_build_object(
                        'person_id', id, 'login', login, 'name', name, 'role', role, 'operator_id', operator_id)
                    """, from: "made"))
            )
            select \(unsafe: PersonReading.columns), linked.expires_at from made p, linked
            """
        ])
        return try PersonReading.link(made[0])
    }

    /// Gives the one person in `people` a link; returns when it ends.
    private static func link(_ tokenHash: [UInt8], from people: Statement) -> Statement {
        """
        insert into person_links (token_hash, person_id, expires_at)
        select \(Bytes(tokenHash)), id, clock_timestamp() + make_interval(hours => \(PersonLink.hours)::integer)
        from \(people)
        returning expires_at
        """
    }

    /// - Throws: `StoreError`.
    public func people(_ page: Page) async throws(StoreError) -> Listing<Person> {
        let found = try await readPage([
            "select \(unsafe: PersonReading.columns) from people p \(page.rows(where: "true", by: "p.id"))"
        ])[0]
        return try page.listing(found, id: \.id) { (row) throws(PostgresError) in
            var column = row.reader
            return try PersonReading.person(&column)
        }
    }

    /// - Throws: `StoreError.personNotFound` and others.
    public func person(id: Int) async throws(StoreError) -> Person {
        try PersonReading.only(
            try await read("select \(unsafe: PersonReading.columns) from people p where p.id = \(id)"))
    }

    /// - Throws: `StoreError.personNotFound` and others.
    public func person(login: String) async throws(StoreError) -> Person {
        try PersonReading.only(
            try await read(
                "select \(unsafe: PersonReading.columns) from people p where p.login = \(login.lowercased())"))
    }

    /// Changes a person. Whoever may not sign in any more is signed out everywhere.
    /// - Throws: `StoreError.personNotFound`, `.lastAdmin`, `.operatorNotFound`, `.operatorUnnamed` and others.
    public func changePerson(id: Int, _ change: PersonChange, by actor: Actor) async throws(StoreError) -> Person {
        try await transaction { (transaction) throws(StoreError) in
            let changed = try await transaction.run([
                "select pg_advisory_xact_lock(\(Self.administration))",
                """
                with before as materialized (
                    select * from people where id = \(id) for update
                ),
                changed as (
                    update people p
                    set name = coalesce(\(change.name), p.name),
                        role = coalesce(\(change.role?.rawValue), p.role),
                        operator_id = coalesce(\(change.operatorID), p.operator_id),
                        is_disabled = coalesce(\(change.isDisabled), p.is_disabled),
                        updated_at = clock_timestamp()
                    from before b
                    where p.id = b.id
                    returning p.*
                ),
                told as (
                    \(AccessEvents.record(.personChanged, by: actor, """
                        jsonb_build_object('person_id', c.id, 'login', c.login)
                        || case when c.name <> b.name
                            then jsonb_build_object('name', jsonb_build_object('from', b.name, 'to', c.name))
                            else '{}' end
                        || case when c.role <> b.role
                            then jsonb_build_object('role', jsonb_build_object('from', b.role, 'to', c.role))
                            else '{}' end
                        || case when c.operator_id is distinct from b.operator_id
                            then jsonb_build_object(
                                'operator_id', jsonb_build_object('from', b.operator_id, 'to', c.operator_id))
                            else '{}' end
                        || case when c.is_disabled <> b.is_disabled
                            then jsonb_build_object(
                                'is_disabled', jsonb_build_object('from', b.is_disabled, 'to', c.is_disabled))
                            else '{}' end
                        """, from: """
                        changed c join before b using (id)
                        where (c.name, c.role, c.is_disabled) <> (b.name, b.role, b.is_disabled)
                            or c.operator_id is distinct from b.operator_id
                        """))
                )
                select \(unsafe: PersonReading.columns) from changed p
                """,
                """
                delete from sessions s using people p where p.id = s.person_id and s.person_id = \(id) and p.is_disabled
                """,
                "delete from person_links l using people p where p.id = l.person_id and l.person_id = \(id) and p.is_disabled",
                "select exists (select from people where role = 'admin' and not is_disabled)",
            ])
            let person = try PersonReading.only(changed[1])
            guard try reading({ () throws(PostgresError) in try changed[4][0].decode(Bool.self) }) else {
                throw .lastAdmin
            }
            return person
        }
    }

    /// Gives a person a link by which to choose a password, in place of earlier ones. The present password stays until then.
    /// - Throws: `StoreError.personNotFound`, also for one who is disabled, and others.
    public func linkPerson(id: Int, tokenHash: [UInt8], by actor: Actor) async throws(StoreError) -> PersonLink {
        let made = try await transaction { (transaction) throws(StoreError) in
            try await transaction.finish(with: [
                "delete from person_links where person_id = \(id)",
                """
                with p as (
                    select * from people where id = \(id) and not is_disabled
                ),
                linked as (
                    \(Self.link(tokenHash, from: "p"))
                ),
                told as (
                    \(AccessEvents.record(.personReset, by: actor, """
                        jsonb_build_object('person_id', id, 'login', login)
                        """, from: "p"))
                )
                select \(unsafe: PersonReading.columns), linked.expires_at from p, linked
                """,
            ])
        }
        return try PersonReading.link(made[1])
    }

    /// Whom a link was given to, as long as it is good.
    /// - Throws: `StoreError.linkInvalid` and others.
    public func person(linkedBy tokenHash: [UInt8]) async throws(StoreError) -> Person {
        let found = try await read(
            """
            select \(unsafe: PersonReading.columns)
            from person_links l
            join people p on p.id = l.person_id
            where l.token_hash = \(Bytes(tokenHash)) and l.expires_at > clock_timestamp() and not p.is_disabled
            """)
        guard !found.isEmpty else { throw .linkInvalid }
        return try PersonReading.only(found)
    }

    /// Sets the password of whoever has a link, which is used up, and signs the person out everywhere.
    /// - Throws: `StoreError.linkInvalid` and others.
    public func setPassword(_ password: String, linkedBy tokenHash: [UInt8]) async throws(StoreError) -> Person {
        try await transaction { (transaction) throws(StoreError) in
            let used = try await transaction.run([
                """
                delete from person_links l using people p
                where l.token_hash = \(Bytes(tokenHash)) and l.expires_at > clock_timestamp()
                    and p.id = l.person_id and not p.is_disabled
                returning p.id, p.name
                """
            ])
            guard let row = used[0].first else { throw .linkInvalid }
            let (id, name) = try reading { () throws(PostgresError) in try row.decode(Int.self, String.self) }
            return try await Self.setPassword(
                password, of: id, keeping: nil, by: Actor(kind: .person, id: String(id), name: name), transaction)
        }
    }

    /// Sets a person's password and ends the person's other sessions.
    /// - Throws: `StoreError.personNotFound` and others.
    public func setPassword(
        _ password: String, of id: Int, keeping session: Int?, forgetting loginHash: [UInt8], by actor: Actor
    ) async throws(StoreError) {
        _ = try await transaction { (transaction) throws(StoreError) in
            _ = try await transaction.run(["delete from sign_in_failures where login_hash = \(Bytes(loginHash))"])
            return try await Self.setPassword(
                password, of: id, keeping: session, by: actor, transaction)
        }
    }

    private static func setPassword(
        _ password: String, of id: Int, keeping session: Int?, by actor: Actor, _ transaction: Transaction
    ) async throws(StoreError) -> Person {
        let changed = try await transaction.finish(with: [
            """
            with changed as (
                update people set password = \(password), updated_at = clock_timestamp() where id = \(id) returning *
            ),
            told as (
                \(AccessEvents.record(.personSignedUp, by: actor, """
                    jsonb_build_object('person_id', id, 'login', login)
                    """, from: "changed"))
            )
            select \(unsafe: PersonReading.columns) from changed p
            """,
            "delete from sessions where person_id = \(id) and id is distinct from \(session)",
            "delete from person_links where person_id = \(id)",
        ])
        return try PersonReading.only(changed[0])
    }

    /// Whom the company's provider says somebody is: the person who came by it before, or who was invited by this address, or
    /// one who is new here and may come by what the provider says of roles.
    ///
    /// Who has chosen a password is not taken over by an address alone.
    /// - Parameters:
    ///   - subject: what tells one person from all others, for ever.
    ///   - email: an address that the provider has made sure of; nil without one.
    ///   - role: what the provider says that the person may do; nil where it does not say.
    /// - Throws: `StoreError.notAllowed` for somebody who was not invited and has no role, or who is disabled, and others.
    public func person(
        subject: String, email: String?, name: String?, role: Role?
    ) async throws(StoreError) -> Person {
        let email = email.flatMap { Person.loginLength.contains($0.unicodeScalars.count) ? $0 : nil }
        let login =
            email?.lowercased() ?? String(subject.unicodeScalars.suffix(Person.loginLength.upperBound)).lowercased()
        let name = String(
            (name ?? email ?? "?").unicodeScalars.filter { $0 != "\0" }.prefix(Person.nameLength.upperBound))
        // Of an operator it has to be known which one that is.
        let given = role == .operator ? nil : role
        return try await transaction { (transaction) throws(StoreError) in
            let found = try await transaction.run([
                "select pg_advisory_xact_lock(\(Self.administration))",
                """
                update people
                set subject = \(subject), updated_at = clock_timestamp()
                where login = \(email?.lowercased()) and subject is null and password is null and not is_disabled
                    and not exists (select from people where subject = \(subject))
                """,
                """
                insert into people (login, name, role, subject)
                select \(login), \(name.isEmpty ? "?" : name), \(given?.rawValue), \(subject)
                where \(given?.rawValue) is not null and not exists (
                    select from people where subject = \(subject) or login = \(login))
                """,
                "select \(unsafe: PersonReading.columns) from people p where p.subject = \(subject) and not p.is_disabled",
            ])
            guard !found[3].isEmpty else { throw .notAllowed }
            let person = try PersonReading.only(found[3])
            let isNew = found[2].affectedRows > 0
            // What the provider says of roles holds, but the last who may administer stays one.
            let changed = try await transaction.finish(with: [
                """
                with before as (
                    select id, role from people where id = \(person.id)
                ),
                changed as (
                    update people p
                    set role = coalesce(\(given?.rawValue), p.role)
                    from before b
                    where p.id = b.id and p.role is distinct from coalesce(\(given?.rawValue), p.role)
                        and (p.role <> 'admin' or exists (
                            select from people o where o.role = 'admin' and o.id <> p.id and not o.is_disabled))
                    returning p.id, p.login, b.role as former, p.role
                ),
                told as (
                    \(AccessEvents.record(.personChanged, by: .system, """
                        jsonb_build_object(
                            'person_id', id, 'login', login, 'role', jsonb_build_object('from', former, 'to', role))
                        """, from: "changed"))
                ),
                met as (
                    \(AccessEvents.record(.personSignedUp, by: .system, """
                        jsonb_build_object('person_id', id, 'login', login)
                        """, from: "people where id = \(person.id) and \(isNew)"))
                )
                select count(*) from changed
                """,
                "select \(unsafe: PersonReading.columns) from people p where p.id = \(person.id)",
            ])
            return try PersonReading.only(changed[1])
        }
    }

    /// Whether anybody may have been told who may ask: from then on access is closed.
    /// - Throws: `StoreError`.
    public func hasPeopleOrKeys() async throws(StoreError) -> Bool {
        let found = try await read("select exists (select from people) or exists (select from access_keys)")
        return try reading { () throws(PostgresError) in try found[0].decode(Bool.self) }
    }

    /// - Throws: `StoreError`.
    public func hasAdmin() async throws(StoreError) -> Bool {
        let found = try await read("select exists (select from people where role = 'admin' and not is_disabled)")
        return try reading { () throws(PostgresError) in try found[0].decode(Bool.self) }
    }
}

enum PersonReading {
    static let columns = """
        p.id, p.login, p.name, p.role, p.operator_id, p.is_disabled, p.password is not null or p.subject is not null, \
        p.created_at, p.updated_at
        """

    static func person(_ column: inout RowReader) throws(PostgresError) -> Person {
        Person(
            id: try column.next(), login: try column.next(), name: try column.next(), role: try column.next(),
            operatorID: try column.next(), isDisabled: try column.next(), hasSignedUp: try column.next(),
            createdAt: try column.next(), updatedAt: try column.next())
    }

    static func only(_ found: QueryResult) throws(StoreError) -> Person {
        guard let row = found.first else { throw .personNotFound }
        return try reading { () throws(PostgresError) in
            var column = row.reader
            return try person(&column)
        }
    }

    static func link(_ found: QueryResult) throws(StoreError) -> PersonLink {
        guard let row = found.first else { throw .personNotFound }
        return try reading { () throws(PostgresError) in
            var column = row.reader
            return PersonLink(person: try person(&column), expiresAt: try column.next())
        }
    }
}
