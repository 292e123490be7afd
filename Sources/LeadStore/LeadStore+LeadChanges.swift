public import Leads
import Postgres

extension LeadStore {
    /// Reads the keys out of what a lead shows, in the form in which two are compared.
    public typealias KeyReading =
        @Sendable (_ externalID: String?, _ phone: String?, _ email: String?) -> [LeadIdentity]

    /// Changes what a lead shows, and what it is recognised by along with it: a new key is added, those it had stay, and
    /// what is removed is a key no more. What changes nothing leaves the lead and the events alone.
    ///
    /// Of a lead that was merged, the one it was merged into is changed.
    /// - Throws: `StoreError.leadNotFound`, `.leadErased`, `.leadKeyTaken`, `.notAllowed` and others; nothing is changed
    ///   then.
    public func changeLead(
        id: Int, _ change: LeadChange, for viewer: Viewer, by actor: Actor, keys: @escaping KeyReading
    ) async throws(StoreError) -> LeadWithContacts {
        try viewer.requireMoreThanOwn()
        while true {
            guard let survivor = try await survivors(of: [id], for: viewer)[id] else { throw .leadNotFound }
            guard !survivor.isErased else { throw .leadErased }
            if let changed = try await changeOnce(survivor.id, change, viewer, actor, keys) { return changed }
        }
    }

    /// - Returns: nil when the lead has been merged or erased meanwhile.
    private func changeOnce(
        _ id: Int, _ change: LeadChange, _ viewer: Viewer, _ actor: Actor, _ keys: @escaping KeyReading
    ) async throws(StoreError) -> LeadWithContacts? {
        let wanted = keys(change.externalID, change.phone, change.email)
        let isAsked: Statement = "id = \(id) and merged_into is null and erased_at is null"
        return try await transaction { (transaction) throws(StoreError) -> LeadWithContacts? in
            let found = try await transaction.run([
                Locks.keys(Set(wanted.map { Locks.number(for: $0) })), LeadKeyLocks.share,
                """
                select \(LeadReading.columns(of: "leads", for: viewer)) from leads
                where \(isAsked.and(viewer.leads(withID: "leads.id")))
                for no key update
                """,
                """
                select i.kind::text, i.value, i.lead_id, \(viewer.leads(withID: "i.lead_id") ?? "true")
                from unnest(\(wanted.map(\.kind.rawValue)), \(wanted.map(\.value))) as k (kind, value)
                join lead_identities i on i.kind = k.kind::identity_kind and i.value = k.value
                """,
            ])
            guard let row = found[2].first else { return nil }
            let (lead, owners) = try reading { () throws(PostgresError) in
                var column = row.reader
                return (try ContactReading.lead(&column), try Self.owners(found[3]))
            }
            let edit = LeadEdit(lead, change, wanted: wanted, keys)
            if let owner = edit.added.compactMap({ owners[$0] }).first(where: { $0.leadID != id }) {
                // Whose key it is is nothing for whoever does not see that lead.
                throw owner.isSeen ? .leadKeyTaken(leadID: owner.leadID) : .notAllowed
            }
            let stored = try await transaction.finish(
                with: edit.statements(knowing: owners, by: actor) + LeadReading.lead(where: "id = \(id)", for: viewer))
            return viewer.shown(
                try LeadReading.only(stored[stored.count - 2], contacts: stored[stored.count - 1]))
        }
    }

    private static func owners(_ found: QueryResult) throws(PostgresError) -> [LeadIdentity: LeadEdit.Owner] {
        var owners: [LeadIdentity: LeadEdit.Owner] = [:]
        for row in found {
            let (kind, value, leadID, isSeen) = try row.decode(IdentityKind.self, String.self, Int.self, Bool.self)
            owners[LeadIdentity(kind: kind, value: value)] = LeadEdit.Owner(leadID: leadID, isSeen: isSeen)
        }
        return owners
    }

    /// Merges a lead into another, which gets its contacts, its keys, its possible duplicates and what it lacks itself. The
    /// merged one stays as it was, without any of these, and whoever asks for it is shown the other.
    ///
    /// Leads that were merged before stand for those they were merged into; merging a lead where it is already changes
    /// nothing.
    /// - Throws: `StoreError.leadNotFound`, `.leadErased`, `.notAllowed` and others; nothing is changed then.
    public func mergeLead(
        id: Int, into other: Int, for viewer: Viewer, by actor: Actor
    ) async throws(StoreError) -> LeadWithContacts {
        try viewer.requireMoreThanOwn()
        while true {
            let survivors = try await survivors(of: [id, other], for: viewer)
            guard let merged = survivors[id], let survivor = survivors[other] else { throw .leadNotFound }
            guard merged.id != survivor.id else { return try await lead(id: survivor.id, for: viewer) }
            guard !merged.isErased, !survivor.isErased else { throw .leadErased }
            let merge = LeadMerging(
                merged: merged.id, survivor: survivor.id,
                keys: LeadKeyLocks(try await keys(of: [merged.id, survivor.id])), viewer: viewer, actor: actor)
            if let lead = try await mergeOnce(merge) { return lead }
        }
    }

    /// - Returns: nil when one of the leads has been merged, erased or found by another key meanwhile.
    private func mergeOnce(_ merge: LeadMerging) async throws(StoreError) -> LeadWithContacts? {
        try await transaction { (transaction) throws(StoreError) -> LeadWithContacts? in
            let found = try await transaction.run(merge.locks)
            let isAsSeen = try reading { () throws(PostgresError) -> Bool in
                let areAll = try merge.keys.areAll(found[3])
                return areAll && found[2].count == 2
            }
            guard isAsSeen else { return nil }
            while try await transaction.run([merge.moveContacts])[0].affectedRows == LeadMerging.contactBatch {}
            if !found[4].isEmpty { _ = try await transaction.run([LeadMerging.lockDuplicates]) }
            let stored = try await transaction.finish(
                with: merge.statements + LeadReading.lead(where: "id = \(merge.survivor)", for: merge.viewer))
            return merge.viewer.shown(
                try LeadReading.only(stored[stored.count - 2], contacts: stored[stored.count - 1]))
        }
    }

    /// A lead that answers for itself and for those that were merged into it.
    struct Survivor {
        let id: Int
        let isErased: Bool
    }

    /// The leads that answer for others: those themselves, or the ones they were merged into. Unknown ones are left out, as
    /// are those that the viewer does not see.
    func survivors(of ids: [Int], for viewer: Viewer) async throws(StoreError) -> [Int: Survivor] {
        let isAsked: Statement = "l.id = any(\(ids))"
        let found = try await read(
            """
            select l.id, s.id, s.erased_at is not null
            from leads l
            join leads s on s.id = coalesce(l.merged_into, l.id)
            where \(isAsked.and(viewer.leads(withID: "s.id")))
            """)
        return try reading { () throws(PostgresError) in
            var survivors: [Int: Survivor] = [:]
            for row in found {
                let (id, survivor, isErased) = try row.decode(Int.self, Int.self, Bool.self)
                survivors[id] = Survivor(id: survivor, isErased: isErased)
            }
            return survivors
        }
    }

    /// What leads are recognised by; one more than ``LeadKeyLocks/limit`` when there are more than that.
    func keys(of ids: [Int]) async throws(StoreError) -> Set<LeadIdentity> {
        let found = try await read("\(LeadKeyLocks.keys(of: ids)) limit \(LeadKeyLocks.limit + 1)")
        return try reading { () throws(PostgresError) in Set(try LeadKeyLocks.keys(found)) }
    }
}

/// A change of a lead as it stands under its lock, reduced to what it really changes.
private struct LeadEdit {
    private struct Field {
        let name: String
        /// Empty for removing it.
        let value: String
        /// What the lead is recognised by.
        let kind: IdentityKind?
    }

    /// The lead that a key belongs to.
    struct Owner {
        let leadID: Int
        /// Whether whoever wants the change sees it.
        let isSeen: Bool
    }

    private let id: Int
    /// What is different afterwards.
    private let fields: [Field]
    /// Keys the lead is to be recognised by from now on.
    let added: [LeadIdentity]
    /// Keys it is to be recognised by no more.
    private let removed: [LeadIdentity]

    init(_ lead: Lead, _ change: LeadChange, wanted: [LeadIdentity], _ keys: LeadStore.KeyReading) {
        let all: [(name: String, value: String?, before: String?, kind: IdentityKind?)] = [
            ("name", change.name, lead.name, nil), ("phone", change.phone, lead.phone, .phone),
            ("email", change.email, lead.email, .email),
            ("external_id", change.externalID, lead.externalID, .externalID),
        ]
        id = lead.id
        fields = all.compactMap { field in
            // Compared by bytes: Swift's strings are equal in more cases.
            guard let value = field.value, !value.utf8.elementsEqual((field.before ?? "").utf8) else { return nil }
            return Field(name: field.name, value: value, kind: field.kind)
        }
        let changedKinds = fields.filter { !$0.value.isEmpty }.compactMap(\.kind)
        added = wanted.filter { changedKinds.contains($0.kind) }
        let removedKinds = fields.filter(\.value.isEmpty).compactMap(\.kind)
        removed = keys(lead.externalID, lead.phone, lead.email).filter { removedKinds.contains($0.kind) }
    }

    /// - Parameter owners: the leads that the keys wanted belong to already.
    func statements(knowing owners: [LeadIdentity: Owner], by actor: Actor) -> [Statement] {
        guard !fields.isEmpty else { return [] }
        func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }
        var statements: [Statement] = [
            """
            update leads
            set name = nullif(coalesce(\(value("name")), name), ''), phone = nullif(coalesce(\(value("phone")), phone), ''),
                email = nullif(coalesce(\(value("email")), email), ''),
                external_id = nullif(coalesce(\(value("external_id")), external_id), ''), updated_at = clock_timestamp()
            where id = \(id)
            """
        ]
        let fresh = added.filter { owners[$0] == nil }
        if !fresh.isEmpty {
            statements.append(
                """
                insert into lead_identities (kind, value, lead_id)
                select k.kind::identity_kind, k.value, \(id)
                from unnest(\(fresh.map(\.kind.rawValue)), \(fresh.map(\.value))) as k (kind, value)
                """)
        }
        if !removed.isEmpty {
            statements.append(
                """
                delete from lead_identities i
                using unnest(\(removed.map(\.kind.rawValue)), \(removed.map(\.value))) as k (kind, value)
                where i.kind = k.kind::identity_kind and i.value = k.value and i.lead_id = \(id)
                """)
        }
        let names = fields.map { "\"\($0.name)\"" }.joined(separator: ", ")
        statements.append(
            Events.record([
                Events.New(.leadChanged, by: actor, data: #"{"lead_id": \#(id), "fields": [\#(names)]}"#)
            ]))
        return statements
    }
}

/// What merging one lead into another takes.
private struct LeadMerging: Sendable {
    /// How many contacts one statement moves: what stays well within the time a statement has.
    static let contactBatch = 5000

    let merged: Int
    let survivor: Int
    /// Of both leads.
    let keys: LeadKeyLocks
    let viewer: Viewer
    let actor: Actor

    private var both: [Int] { [merged, survivor] }

    /// Takes every key by which one of the leads is found, so that no registration is about to find it, then the leads.
    /// The last two statements tell whether the keys were all, and whether the merged lead is of a possible duplicate.
    ///
    /// The leads' keys in the foreign keys' sense stay, so that two merges at once may point to each other's leads.
    var locks: [Statement] {
        let areAsked: Statement = "id = any(\(both)) and merged_into is null and erased_at is null"
        return keys.locks() + [
            """
            select id from leads where \(areAsked.and(viewer.leads(withID: "leads.id"))) order by id for no key update
            """,
            keys.check(both),
            "select from possible_duplicates where lead_id = \(merged) or other_lead_id = \(merged) limit 1",
        ]
    }

    /// Another merge may be about the other lead of a pair, and two must not each write a pair with a lead that the other
    /// takes away. Registrations write pairs with waiting contacts in their hands, so this comes after the contacts.
    ///
    /// Whether the merged lead has a pair is known before: who could find a new one needs its keys, and other merges
    /// only put one lead of a pair in the place of another.
    static let lockDuplicates: Statement = "lock table possible_duplicates in share row exclusive mode"

    /// Moves some of the contacts, in order of id as everybody locks them. A contact's version stays: nothing changes about
    /// the work it stands for.
    var moveContacts: Statement {
        """
        with moved as materialized (
            select id from contacts where lead_id = \(merged) order by id limit \(Self.contactBatch) for no key update
        )
        update contacts c set lead_id = \(survivor) from moved where c.id = moved.id
        """
    }

    /// Everything but the contacts.
    var statements: [Statement] {
        [
            "update lead_identities set lead_id = \(survivor) where lead_id = \(merged)",
            """
            insert into possible_duplicates (lead_id, other_lead_id, kind, found_at)
            select least(other_id, \(survivor)), greatest(other_id, \(survivor)), kind, found_at
            from (
                select case when lead_id = \(merged) then other_lead_id else lead_id end as other_id, kind, found_at
                from possible_duplicates
                where lead_id = \(merged) or other_lead_id = \(merged)
                order by id
            ) pairs
            where other_id <> \(survivor)
            on conflict on constraint possible_duplicates_pkey do nothing
            """,
            "delete from possible_duplicates where lead_id = \(merged) or other_lead_id = \(merged)",
            """
            update leads s
            set external_id = coalesce(nullif(s.external_id, ''), m.external_id, s.external_id),
                phone = coalesce(nullif(s.phone, ''), m.phone, s.phone),
                email = coalesce(nullif(s.email, ''), m.email, s.email),
                name = coalesce(nullif(s.name, ''), m.name, s.name), updated_at = clock_timestamp()
            from leads m
            where s.id = \(survivor) and m.id = \(merged)
            """,
            "update leads set merged_into = \(survivor), updated_at = clock_timestamp() where id = \(merged)",
            // Whoever had been merged into the merged one: to find the survivor takes one look, always.
            "update leads set merged_into = \(survivor) where merged_into = \(merged)",
            Events.record([
                Events.New(.leadMerged, by: actor, data: #"{"lead_id": \#(merged), "into": \#(survivor)}"#)
            ]),
        ]
    }
}
