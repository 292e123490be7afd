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
}
