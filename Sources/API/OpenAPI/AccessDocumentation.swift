import JSON
import Leads

extension Component {
    private static let time = Timestamp(microseconds: 1_795_000_000_123_456)

    private static let examplePerson = Person(
        id: 1, login: "anna", name: "Anna Petrova", role: .supervisor, operatorID: nil, isDisabled: false,
        hasSignedUp: true, createdAt: time, updatedAt: nil)

    private static let exampleKey = AccessKey(
        id: "k3x9a0bq", name: "Telegram bot", role: .intake, sourceIDs: [1], rate: 50, createdAt: time, rotatedAt: nil,
        revokedAt: nil)

    private static let exampleCredential = "crm_k3x9a0bq_\(String(repeating: "x", count: 43))"

    static let person = answer(
        "Person", "Somebody of the staff who signs in.",
        [
            .init("id", .id, "Number of the person."),
            .init("login", .string, "What the person signs in with, in lower case."),
            .init("name", .string, "The person's name."),
            .init("role", .choice(Role.ofPeople.map(\.rawValue)), "What the person may do."),
            .init("operator_id", .id.orNull, "Whom of the operators the person is."),
            .init("is_disabled", .boolean, "Whether the person may not sign in."),
            .init(
                "has_signed_up", .boolean,
                "Whether the person has chosen a password, or come by the company's provider."),
            .init("created_at", .timestamp, "When the person was invited."),
            .init("updated_at", .timestamp.orNull, "When something of it was changed last."),
        ],
        example: { $0.person(examplePerson) })

    static let personLink = answer(
        "PersonLink", "A way in that is good for one use. It is shown once.",
        [
            .init("person", .reference(person), "Whom it is for."),
            .init("url", .string, "The address at which the person chooses a password."),
            .init("expires_at", .timestamp, "Until when it is good."),
        ],
        example: {
            $0.link(
                PersonLink(person: examplePerson, expiresAt: time),
                url: "https://crm.example/sign-in#\(String(repeating: "x", count: 43))")
        })

    static let linkedPerson = answer(
        "LinkedPerson", "Whom a link was given to.",
        [.init("login", .string, "What the person signs in with."), .init("name", .string, "The person's name.")],
        example: { json in
            json.object {
                $0.field("login", "anna")
                $0.field("name", "Anna Petrova")
            }
        })

    private static let keyProperties: [JSONSchema.Property] = [
        .init("id", .string, "What the key is found by; no secret."),
        .init("name", .string, "What it is for."),
        .init("role", .choice(Role.ofKeys.map(\.rawValue)), "What whoever has it may do."),
        .init("source_ids", .array(of: .id).orNull, "The sources it is for; null for all."),
        .init(
            "rate", .integer(AccessKey.rateRange).orNull,
            "How many requests a second each instance answers; null without a limit."),
        .init("created_at", .timestamp, "When it was made."),
        .init("rotated_at", .timestamp.orNull, "When it got its present secret, where that is not its first."),
        .init("revoked_at", .timestamp.orNull, "When it ended."),
    ]

    static let accessKey = answer(
        "Key", "What a program proves itself by, without the secret.", keyProperties, example: { $0.key(exampleKey) })

    static let accessKeyWithSecret = answer(
        "KeyWithSecret", "The same with what the program sends. That is shown once.",
        keyProperties + [.init("key", .string, "To be sent as `Authorization: Bearer …`.")],
        example: { $0.key(exampleKey, credential: exampleCredential) })

    static let session = answer(
        "Session", "A browser in which somebody has signed in.",
        [
            .init("id", .id, "Number of the session."),
            .init("person_id", .id, "Whose it is."),
            .init("agent", .string.orNull, "What the browser calls itself."),
            .init("is_current", .boolean, "Whether it is the one that asks."),
            .init("created_at", .timestamp, "When somebody signed in."),
            .init("used_at", .timestamp, "When it was used last, to the minute."),
        ],
        example: {
            $0.session(
                Session(id: 3, personID: 1, agent: "Mozilla/5.0", createdAt: time, usedAt: time), current: 3)
        })

    static let me = answer(
        "Me", "Who asks.",
        [
            .init("access", .choice(["open", "closed"]), "Whether anybody may do anything."),
            .init("is_about_to_close", .boolean, "Whether the first person or key closes access."),
            .init("kind", .choice(["api", "key", "person"]), "What one is; `api` while access is open."),
            .init("id", .string.orNull, "Number of the person, or id of the key."),
            .init("name", .string.orNull, "What one is called in the log."),
            .init("role", .choice(Role.allCases.map(\.rawValue)).orNull, "What one may do."),
            .init("login", .string.orNull, "What a person signs in with."),
            .init("operator_id", .id.orNull, "Whom of the operators a person is."),
            .init("session_id", .id.orNull, "Number of the session."),
            .init("source_ids", .array(of: .id).orNull, "The sources a key is for; null for all."),
        ],
        example: { $0.me(Caller(kind: .person(examplePerson, sessionID: 3)), isOpen: false, isAboutToClose: false) })

    static let signIn = request(
        "SignIn", "A login and a password.", { PasswordSignIn(&$0) },
        ["login": "Of the person, in any case.", "password": "Of the person."],
        example: #"{"login": "anna", "password": "correct horse battery"}"#)

    static let linkToken = request(
        "LinkToken", "What a link carries behind its `#`.", { LinkToken(&$0) }, ["token": "43 characters."],
        example: "{\"token\": \"\(String(repeating: "x", count: 43))\"}")

    static let linkAcceptance = request(
        "LinkAcceptance", "What a link carries, and the password that is chosen by it.", { LinkAcceptance(&$0) },
        ["token": "43 characters.", "password": "At least 10 characters, not made of the login or the name."],
        example: "{\"token\": \"\(String(repeating: "x", count: 43))\", \"password\": \"correct horse battery\"}")

    static let passwordChange = request(
        "PasswordChange", "Another password.", { PasswordChange(&$0) },
        [
            "current_password": "The present one.",
            "password": "At least 10 characters, not made of the login or the name.",
        ],
        example: #"{"current_password": "correct horse battery", "password": "staple of batteries"}"#)

    static let newPerson = request(
        "NewPerson", "Whom to invite.", { NewPerson(&$0) },
        [
            "login": "What the person is to sign in with; unique whatever its case.", "name": "The person's name.",
            "role": "What the person may do.",
            "operator_id": "Whom of the operators the person is; needed where the role is `operator`.",
        ],
        example: #"{"login": "anna", "name": "Anna Petrova", "role": "supervisor"}"#)

    static let firstAdmin = request(
        "FirstAdmin", "Who is to administer the server.", { FirstAdmin(&$0) },
        ["login": "What the person is to sign in with.", "name": "The person's name."],
        example: #"{"login": "anna", "name": "Anna Petrova"}"#)

    static let personChange = request(
        "PersonChange", "What is to be changed; what is left out or null stays.", { PersonChange(&$0) },
        [
            "name": "The person's name.", "role": "What the person may do.",
            "operator_id": "Whom of the operators the person is.",
            "is_disabled": "Whether the person may not sign in; ends all sessions.",
        ],
        example: #"{"role": "analyst"}"#)

    static let newKey = request(
        "NewKey", "A key to make.", { NewAccessKey(&$0) },
        [
            "name": "What it is for.", "role": "What whoever has it may do.",
            "source_ids": "The sources it is for; null for all.",
            "rate":
                "How many requests a second each instance answers on average, twice as many at once; null without a limit.",
        ],
        example: #"{"name": "Telegram bot", "role": "intake", "source_ids": [1]}"#)

    static let keyRotation = request(
        "KeyRotation", "How a key gets another secret.", { KeyRotation(&$0) },
        ["grace_seconds": "For how long the former secret goes on, so that the program can be changed over."],
        example: #"{"grace_seconds": 3600}"#)
}

extension Operation {
    static let signIn = Operation(
        "sign_in", .access, "Sign in",
        """
        Answers with a cookie, by which the browser is known for 12 hours of disuse and 7 days in all. After five failures \
        for a login, or twenty from an address, within a quarter of an hour nobody is let in.
        """,
        body: .one(.signIn), answers: .ok(.one(.me), "Who one is."),
        problems: [.signInFailed, .tooManyAttempts(seconds: 60)])

    static let beginAtProvider = Operation(
        "begin_sign_in", .access, "Sign in by the company's provider",
        "Sends the browser to the OpenID provider, which sends it back. Unknown where none is set up.",
        query: .fields(["to": "The page to go on to; the dashboard where it is none of this server's."]) {
            ProviderSignIn(&$0)
        },
        answers: .moved("To the provider."), problems: [.providerAbsent, .providerUnavailable(cause: "")],
        isStored: false)

    static let endAtProvider = Operation(
        "end_sign_in", .access, "Come back from the company's provider",
        "Whoever came by it before, was invited by the address it has made sure of, or has a role there, is signed in.",
        answers: .moved("To the dashboard, signed in."),
        problems: [.providerAbsent, .signInFailed, .forbidden, .providerUnavailable(cause: "")])

    static let signOut = Operation(
        "sign_out", .access, "Sign out",
        answers: .ok(.message("Signed out"), "The session has ended, if there was one."))

    static let showLink = Operation(
        "show_link", .access, "Show whom a link is for", "Uses nothing up.", body: .one(.linkToken),
        answers: .ok(.one(.linkedPerson), "Whom it was given to."), problems: [.linkInvalid])

    static let acceptLink = Operation(
        "accept_link", .access, "Choose a password by a link",
        "Uses the link up, ends the person's other sessions and signs in.", body: .one(.linkAcceptance),
        answers: .ok(.one(.me), "Who one is."), problems: [.linkInvalid])

    static let showMe = Operation(
        "show_me", .access, "Show who asks", answers: .ok(.one(.me), "Who one is."), isStored: false)

    static let changePassword = Operation(
        "change_password", .access, "Choose another password", "Ends one's other sessions.",
        body: .one(.passwordChange),
        answers: .ok(.message("Password changed"), "It is changed."),
        problems: [.signInFailed, .tooManyAttempts(seconds: 60)])

    private static let ofSomebody = Query.fields(
        ["person_id": "Whose; only admins may ask for others than their own."]) { SessionFilter(&$0) }

    static let listSessions = Operation(
        "list_sessions", .access, "List where somebody has signed in", query: ofSomebody,
        answers: .ok(.list(of: .session), "The sessions, the latest used first."), problems: [.personNotFound])

    static let endSessions = Operation(
        "end_sessions", .access, "End all sessions but this one", query: ofSomebody,
        answers: .ok(.message("Sessions ended"), "They have ended."), problems: [.personNotFound])

    static let endSession = Operation(
        "end_session", .access, "End a session", answers: .ok(.message("Session ended"), "It has ended."),
        problems: [.sessionNotFound])

    static let listPeople = Operation(
        "list_people", .access, "List people", query: .fields(Query.pageWords) { Page(&$0) },
        answers: .page(of: .person, "A part of the people."))

    static let invitePerson = Operation(
        "invite_person", .access, "Invite somebody", body: .one(.newPerson),
        answers: .created(.one(.personLink), "The person, and the link by which to choose a password."),
        problems: [.loginTaken, .operatorNotFound, .adminFirst])

    static let inviteFirstAdmin = Operation(
        "invite_first_admin", .access, "Close access, as its first admin",
        "Only while access is open, and not kept so by LEADS_ACCESS=open: from then on everybody has to say who they are.",
        body: .one(.firstAdmin),
        answers: .created(.one(.personLink), "The person, and the link by which to choose a password."),
        problems: [.accessClosed, .accessKeptOpen, .loginTaken])

    static let showPerson = Operation(
        "show_person", .access, "Show a person", answers: .ok(.one(.person), "The person."),
        problems: [.personNotFound])

    static let changePerson = Operation(
        "change_person", .access, "Change a person", body: .one(.personChange),
        answers: .ok(.one(.person), "The person."), problems: [.personNotFound, .lastAdmin, .operatorNotFound])

    static let linkPerson = Operation(
        "link_person", .access, "Give a person another link",
        "For who has lost the first one or forgotten the password; earlier links end.",
        answers: .created(.one(.personLink), "The link."), problems: [.personNotFound])

    static let listKeys = Operation(
        "list_keys", .access, "List keys", answers: .ok(.list(of: .accessKey), "The keys, the latest first."))

    static let createKey = Operation(
        "create_key", .access, "Make a key", body: .one(.newKey),
        answers: .created(.one(.accessKeyWithSecret), "The key, with its secret for the only time."),
        problems: [.sourceNotFound, .adminFirst])

    static let showKey = Operation(
        "show_key", .access, "Show a key", answers: .ok(.one(.accessKey), "The key."), problems: [.keyNotFound])

    static let rotateKey = Operation(
        "rotate_key", .access, "Give a key another secret", body: .one(.keyRotation), isBodyOptional: true,
        answers: .ok(.one(.accessKeyWithSecret), "The key, with its secret for the only time."),
        problems: [.keyNotFound])

    static let revokeKey = Operation(
        "revoke_key", .access, "End a key for good", answers: .ok(.one(.accessKey), "The key."),
        problems: [.keyNotFound])
}
