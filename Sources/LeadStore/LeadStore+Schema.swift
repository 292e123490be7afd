public import Postgres
import Schema

extension LeadStore {
    /// The migrations this program was built with.
    public static let migrations = Schema.migrations.enumerated().map { index, file in
        Migrator.Migration(version: index + 1, name: file.name, sql: file.sql)
    }

    /// The functions and views this program was built with.
    public static let repeatables = Schema.repeatables.map {
        Migrator.Repeatable(name: $0.name, sql: $0.sql, isAlone: $0.isAlone)
    }

    /// Asks whether the roles of a production database have been created.
    public static let rolesExist: Statement = "select exists (select from pg_roles where rolname = 'leads_app')"

    /// Lets the schema's owner log in: for a server that only the account can reach which runs it.
    public static let ownerMayLogIn: Statement = "alter role leads_owner login"

    /// What everybody may still do although `roles.sql` takes it from them, because whoever ran it was no superuser: an
    /// array of what is wrong, in plain words.
    public static let rightsLeftOpen: Statement = """
        select array_remove(array[
            case when has_function_privilege('public', 'pg_advisory_lock(bigint)', 'execute')
                then 'every account may take the product''s advisory locks' end,
            case when has_function_privilege('public', 'lo_create(oid)', 'execute')
                then 'every account may store large objects' end,
            case when has_database_privilege('public', current_database(), 'temporary')
                then 'every account may make temporary tables' end,
            case when has_schema_privilege('public', 'public', 'create')
                then 'every account may create in the schema public' end,
            case when not exists (
                select from pg_db_role_setting s
                where s.setrole = 'leads_report'::regrole and 'temp_file_limit=1GB' = any (s.setconfig))
                then 'leads_report may fill the disk with temporary files' end,
            case when not exists (
                select from pg_db_role_setting s
                where s.setrole = 'leads_app'::regrole and 'log_min_error_statement=panic' = any (s.setconfig))
                then 'the server''s log may hold statements of leads_app, and details of errors' end,
            case when not pg_has_role('leads_owner', 'pg_read_all_stats', 'usage')
                then 'leads_oldest_snapshot_seconds sees the sessions of leads_owner and leads_report alone' end
        ], null)
        """
}
