import API
import ArgumentParser
import Credentials
import LeadStore
import Leads

/// The staff who sign in.
struct People: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Invites people, and says what they may do.",
        subcommands: [Invite.self, List.self, ChangeRole.self, Disable.self, Reset.self])

    /// Prints the link that a person is to be given. This command does not know of a server that listens elsewhere.
    private static func show(_ token: Secret) {
        print("The link is good for 24 hours and one use:\n\n  \(PersonLink.url(Setting.home(), token))\n")
        guard Setting.publicURL.list.isEmpty else { return }
        print("Where the server is reached otherwise, say so in \(Setting.publicURL.name) or \(Setting.port.name).")
    }

    private static func role(_ text: String) throws -> Role {
        guard let role = Role(rawValue: text), Role.ofPeople.contains(role) else {
            throw ValidationError("the role must be one of \(Role.ofPeople.map(\.rawValue).joined(separator: ", "))")
        }
        return role
    }

    struct Invite: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Adds a person and prints the link by which to choose a password; it is good for 24 hours and one use.")

        @OptionGroup var database: DatabaseOptions

        @Option(help: "What the person is to sign in with.")
        var login: String

        @Option(help: "The person's name. (default: the login)")
        var name: String?

        @Option(help: "What the person may do: operator, analyst, supervisor or admin.")
        var role = "supervisor"

        @Option(help: "Number of the operator that the person is.")
        var `operator`: Int?

        func run() async throws {
            let new = NewPerson(
                login: login, name: name ?? login, role: try People.role(role), operatorID: `operator`)
            guard Person.loginLength.contains(login.unicodeScalars.count),
                Person.nameLength.contains(new.name.unicodeScalars.count)
            else { throw ValidationError("--login and --name have 1 to 200 characters") }
            guard new.role != .operator || `operator` != nil else {
                throw ValidationError("--role operator needs --operator, the number of the operator that the person is")
            }
            let token = Secret()
            let link = try await database.administering { (store) throws(StoreError) in
                try await store.invitePerson(new, tokenHash: token.digest.bytes, by: .command)
            }
            print("Invited \(link.person.login) (\(link.person.role.rawValue)).", terminator: " ")
            People.show(token)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the people.")

        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let people = try await database.administering { (store) throws(StoreError) in
                var people: [Person] = []
                var cursor: Int?
                repeat {
                    let page = try await store.people(Page(limit: 1000, cursor: cursor))
                    people += page.elements
                    cursor = page.nextCursor
                } while cursor != nil
                return people
            }
            for person in people {
                let state = person.isDisabled ? "  disabled" : person.hasSignedUp ? "" : "  invited"
                print("\(person.id)  \(person.login)  \(person.role.rawValue)\(state)  \(person.name)")
            }
            if people.isEmpty { print("There is nobody.") }
        }
    }

    struct ChangeRole: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "role", abstract: "Says what a person may do from now on.")

        @OptionGroup var database: DatabaseOptions

        @Argument(help: "The person's login.")
        var login: String

        @Argument(help: "operator, analyst, supervisor or admin.")
        var role: String

        @Option(help: "Number of the operator that the person is.")
        var `operator`: Int?

        func run() async throws {
            let change = PersonChange(role: try People.role(role), operatorID: `operator`)
            try await database.change(login, change)
            print("\(login) is \(role) from now on.")
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Signs a person out everywhere, for good; --enable takes it back.")

        @OptionGroup var database: DatabaseOptions

        @Argument(help: "The person's login.")
        var login: String

        @Flag(help: "Lets the person sign in again.")
        var enable = false

        func run() async throws {
            try await database.change(login, PersonChange(isDisabled: !enable))
            print("\(login) may \(enable ? "sign in again" : "not sign in any more").")
        }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints another link by which a person chooses a password; earlier ones end.")

        @OptionGroup var database: DatabaseOptions

        @Argument(help: "The person's login.")
        var login: String

        func run() async throws {
            let token = Secret()
            _ = try await database.administering { (store) throws(StoreError) in
                let person = try await store.person(login: login)
                return try await store.linkPerson(id: person.id, tokenHash: token.digest.bytes, by: .command)
            }
            People.show(token)
        }
    }
}

extension DatabaseOptions {
    fileprivate func change(_ login: String, _ change: PersonChange) async throws {
        _ = try await administering { (store) throws(StoreError) in
            let person = try await store.person(login: login)
            return try await store.changePerson(id: person.id, change, by: .command)
        }
    }
}
