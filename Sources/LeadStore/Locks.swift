import Distribution
import Leads
import Postgres
import StableHash

/// The statements that take locks, in the order of `LeadStore`.
enum Locks {
    /// The class of the two-number advisory locks that stand for sources; keys of requests use the one-number form.
    private static let sourceClass: Int32 = 7105

    /// Locks the keys of a batch. Two batches with keys in common wait for each other here, in sorted order, instead of
    /// deadlocking on the unique indexes.
    static func keys(_ keys: Set<Int>) -> Statement {
        "select pg_advisory_xact_lock(key) from unnest(\(keys.sorted())) as key"
    }

    /// Makes the rest of the transaction wait for a lock only as long as another batch may hold it.
    static let impatience: Statement = "select set_config('lock_timeout', '250ms', true)"

    /// Locks those keys of a batch that nobody holds, and tells which. It waits for nothing, so it cannot deadlock.
    static func keysWithoutWaiting(_ keys: Set<Int>) -> Statement {
        "select key, pg_try_advisory_xact_lock(key) from unnest(\(keys.sorted())) as key"
    }

    /// Shares sources, in order of id: their weights and settings stay as they are until the transaction ends.
    static func shareSources(_ ids: [Int]) -> Statement {
        """
        with wanted as materialized (
            select id from sources where id = any(\(ids)) order by id
        )
        select pg_advisory_xact_lock_shared(\(sourceClass), (id % 2147483647)::integer) from wanted
        """
    }

    /// Takes a source for changing its weights or settings: nobody may conclude «no operator» from the old ones meanwhile.
    static func source(_ id: Int) -> Statement {
        "select pg_advisory_xact_lock(\(sourceClass), (\(id) % 2147483647)::integer)"
    }

    /// Takes the rows of sources in order of id. Their `pool_version` rises with their weights and with their operators' activity:
    /// whoever changes those, or settings, and what strategies remember, begins with the rows.
    static func rows(ofSources ids: Statement) -> Statement {
        "select from sources where id in (\(ids)) order by id for no key update"
    }

    /// Takes sources, in order of id, to put contacts back in their queues.
    static func sources(_ ids: [Int]) -> Statement {
        """
        select pg_advisory_xact_lock(\(sourceClass), (id % 2147483647)::integer)
        from unnest(\(ids.sorted())) as wanted (id)
        """
    }

    /// Locks every operator of the sources, full and inactive ones too, in order of id, and returns them by source.
    ///
    /// All that decides eligibility is on the locked row, which is read as it is once the lock is held; the weights
    /// cannot change because the source is shared. No condition on load or activity may be added to the locking
    /// part: an operator who frees up while we wait would be missed, and an unlocked one could fill up.
    ///
    /// `others` are locked along with them, because a transaction must lock all it may ever want at once. They are
    /// returned only where they are operators of the sources, or of `returned`.
    static func operators(ofSources ids: [Int], and others: [Int] = [], of returned: [Int]? = nil) -> Statement {
        """
        with locked as materialized (
            select l.operator_id, l.is_active, l.max_load, l.load, l.last_assignment
            from operator_loads l
            where l.operator_id in (
                select w.operator_id from weights w where w.source_id = any(\(ids)) union select unnest(\(others)))
            order by l.operator_id
            for update
        )
        select w.source_id, l.operator_id, w.weight, l.load, l.max_load, l.is_active, l.last_assignment
        from locked l
        join weights w on w.operator_id = l.operator_id and w.source_id = any(\(returned ?? ids))
        order by w.source_id, l.operator_id
        """
    }

    /// Locks operators by id, in order; returns id, activity, limit and load.
    static func operators(_ ids: [Int]) -> Statement {
        """
        select operator_id, is_active, max_load, load
        from operator_loads
        where operator_id = any(\(ids))
        order by operator_id
        for update
        """
    }

    /// The key by which a lead is found: whoever registers, changes or merges by it takes it first.
    static func number(for key: LeadIdentity) -> Int {
        number(for: "lead", key.kind.rawValue, key.value)
    }

    /// The event of a source by which a contact is found: whoever registers it takes it first.
    static func number(forEvent eventID: String, ofSource sourceID: Int) -> Int {
        number(for: "event", String(sourceID), eventID)
    }

    /// A number for a key that is the same in every instance.
    static func number(for parts: String...) -> Int {
        var hash = FNV1a<UInt64>()
        for part in parts {
            hash.add(part.utf8)
            hash.add(0xff)
        }
        return Int(bitPattern: UInt(hash.value))
    }
}
