import HTTPTypes
import JSON
import LeadStore
import Leads

/// What a caller hears when something went wrong: everything there is, is in the tables below.
///
/// A code is never used again for something else.
struct Problem: Error {
    let status: HTTPResponse.Status
    /// For programs. Nil where the references' clients compare the whole body.
    let code: String?
    private let english: String
    private let russian: String
    private(set) var headers: ReplyHeaders = [:]
    /// Why it is a 5xx, for the log: codes and constraints, never what a caller sent.
    private(set) var cause: String?
    /// What is wrong with a request that was not understood: the body then is FastAPI's.
    private(set) var faults: [Fault] = []

    private init(
        _ status: HTTPResponse.Status, _ code: String?, _ english: String, _ russian: String,
        headers: ReplyHeaders = [:], cause: String? = nil
    ) {
        self.status = status
        self.code = code
        self.english = english
        self.russian = russian
        self.headers = headers
        self.cause = cause
    }

    func text(in language: Language) -> String {
        language == .russian ? russian : english
    }

    func reply(in language: Language) -> Reply {
        guard faults.isEmpty else { return Reply(status) { $0.detail(faults) } }
        var headers = headers
        if english != russian { headers[.vary] = "Accept-Language" }
        var reply = Reply(status, headers: headers) { json in
            json.object {
                $0.field("detail", text(in: language))
                if let code { $0.field("code", code) }
            }
        }
        reply.cause = cause
        return reply
    }

    /// With a time after which the same request may succeed, in seconds.
    private func retried(after seconds: Int = 1) -> Problem {
        var problem = self
        problem.headers[.retryAfter] = String(seconds)
        return problem
    }
}

// What is wrong with a request, whatever it asks for.
extension Problem {
    static let unknownPath = Problem(.notFound, nil, "Not Found", "Not Found")

    static func methodNotAllowed(allowed: [HTTPRequest.Method]) -> Problem {
        Problem(
            .methodNotAllowed, nil, "Method Not Allowed", "Method Not Allowed",
            headers: [.allow: allowed.map(\.rawValue).joined(separator: ", ")])
    }

    /// - Parameter faults: at least one.
    static func invalid(_ faults: [Fault]) -> Problem {
        var problem = Problem(.unprocessableContent, nil, "The request is not valid", "Запрос не прошёл проверку")
        problem.faults = faults
        return problem
    }

    static let notUTF8 = Problem(
        .badRequest, "body_not_utf8", "The body is not valid UTF-8", "Тело запроса не в кодировке UTF-8")
    static let notHTTP = Problem(
        .badRequest, "not_http", "This is no HTTP/1.1 request", "Это не запрос HTTP/1.1")

    static func bodyTooLarge(limit: Int) -> Problem {
        Problem(
            .contentTooLarge, "body_too_large", "The body exceeds \(limit) bytes", "Тело запроса больше \(limit) байт")
    }

    static func tooManyValues(limit: Int) -> Problem {
        Problem(
            .contentTooLarge, "too_many_values", "The body holds more than \(limit) values",
            "В теле запроса больше \(limit) значений")
    }

    static let bodyIncomplete = Problem(
        .badRequest, "body_incomplete", "The body ended early", "Тело запроса оборвалось")
    static let bodyTooSlow = Problem(
        .requestTimeout, "body_too_slow", "The body did not arrive in time", "Тело запроса не пришло вовремя",
        headers: [.connection: "close"])
    static let idempotencyKeyInvalid = Problem(
        .badRequest, "idempotency_key_invalid", "Idempotency-Key must have 1 to 255 printable ASCII characters",
        "Idempotency-Key должен содержать от 1 до 255 печатных символов ASCII")
}

// Where a request comes from.
extension Problem {
    static let hostMissing = Problem(
        .badRequest, "host_missing", "An HTTP/1.1 request names exactly one Host",
        "Запрос HTTP/1.1 указывает ровно один Host")
    static let hostUnknown = Problem(
        .misdirectedRequest, "host_unknown",
        "This server does not go by that Host; LEADS_PUBLIC_URL says what it is called",
        "Этот сервер не называется так, как указано в Host; его имя задаёт LEADS_PUBLIC_URL")
    static let crossSite = Problem(
        .forbidden, "cross_site",
        "A page of another site sent this request; LEADS_CORS_ORIGINS says whose pages may",
        "Запрос отправлен страницей другого сайта; кому это можно, задаёт LEADS_CORS_ORIGINS")
    static let jsonUndeclared = Problem(
        .unsupportedMediaType, "json_undeclared", "A browser must declare the body to be application/json",
        "Браузер должен указать тип тела application/json")
}

// Who asks.
extension Problem {
    static let unauthenticated = Problem(
        .unauthorized, "unauthenticated",
        "Send a key as `Authorization: Bearer …`, or sign in",
        "Передайте ключ в `Authorization: Bearer …` или войдите",
        headers: [.wwwAuthenticate: "Bearer"])
    static let forbidden = Problem(
        .forbidden, "forbidden", "You may not do this", "Вам это не разрешено")
    static let signInFailed = Problem(
        .unauthorized, "sign_in_failed", "There is nobody with this login and password",
        "Нет никого с таким логином и паролем")
    static func providerUnavailable(cause: String) -> Problem {
        Problem(
            .serviceUnavailable, "provider_unavailable",
            "The provider that people sign in with does not answer as it should; try again",
            "Служба входа не отвечает как следует; повторите попытку", cause: cause
        ).retried()
    }

    static let providerAbsent = Problem(
        .notFound, "provider_absent", "Nobody signs in by a provider here: none is set up",
        "Вход через службу компании здесь не настроен")
    static let linkInvalid = Problem(
        .notFound, "link_invalid", "This link has been used, has expired or was never good; ask for another one",
        "Ссылка уже использована, истекла или неверна; попросите другую")
    static let accessClosed = Problem(
        .conflict, "access_closed", "Access is closed already; ask an admin to invite you",
        "Доступ уже закрыт; попросите администратора пригласить вас")
    static let accessKeptOpen = Problem(
        .conflict, "access_kept_open",
        "LEADS_ACCESS=open keeps access open whoever is invited; start the server with auto or closed",
        "LEADS_ACCESS=open держит доступ открытым, кого бы ни пригласили; запустите сервер с auto или closed")
    static let adminFirst = Problem(
        .conflict, "admin_first",
        "This would close access with nobody left to administer it; invite an admin first, by /api/v1/people/first",
        "Доступ закрылся бы, а управлять им было бы некому; сначала пригласите администратора: /api/v1/people/first")
    static let personNotFound = Problem(
        .notFound, "person_not_found", "Person not found", "Сотрудник не найден")
    static let keyNotFound = Problem(.notFound, "key_not_found", "Key not found", "Ключ не найден")
    static let sessionNotFound = Problem(.notFound, "session_not_found", "Session not found", "Сеанс не найден")
    static let loginTaken = Problem(
        .conflict, "login_taken", "Somebody has this login", "Этот логин занят")
    static let lastAdmin = Problem(
        .conflict, "last_admin", "Nobody would be left who may administer; make somebody else an admin first",
        "Не останется ни одного администратора; сначала назначьте другого")

    static func tooManyAttempts(seconds: Int) -> Problem {
        Problem(
            .tooManyRequests, "too_many_attempts", "Too many attempts to sign in; try again later",
            "Слишком много попыток входа; повторите позже"
        ).retried(after: seconds)
    }

    static func rateExceeded(seconds: Int) -> Problem {
        Problem(
            .tooManyRequests, "rate_exceeded", "This key asks more often than it may; nothing was changed, try again",
            "Этот ключ обращается чаще, чем разрешено; ничего не изменено, повторите запрос"
        ).retried(after: seconds)
    }
}

// What the requested thing does not permit.
extension Problem {
    static let operatorNotFound = Problem(
        .notFound, "operator_not_found", "Operator not found", "Оператор не найден")
    static let sourceNotFound = Problem(
        .notFound, "source_not_found", "Source not found", "Источник не найден")
    static let contactNotFound = Problem(
        .notFound, "contact_not_found", "Contact not found", "Обращение не найдено")
    static let leadNotFound = Problem(
        .notFound, "lead_not_found", "Lead not found", "Лид не найден")
    static let decisionNotFound = Problem(
        .notFound, "decision_not_found", "There is no record of how this contact was placed",
        "Нет записи о том, как распределено это обращение")
    static let versionConflict = Problem(
        .conflict, "version_conflict", "The contact has changed meanwhile; read it again and decide anew",
        "Обращение тем временем изменилось; прочитайте его снова и решите заново")
    static let contactClosed = Problem(
        .conflict, "contact_closed", "The contact is closed; reopen it first",
        "Обращение закрыто; сначала откройте его снова")
    static let contactUnassigned = Problem(
        .conflict, "contact_unassigned", "Nobody has the contact, so it cannot be transferred; assign it",
        "Обращение никому не назначено, передать его нельзя; назначьте оператора")
    static let operatorInactive = Problem(
        .conflict, "operator_inactive", "The operator is inactive; activate them, or repeat with force",
        "Оператор не активен; активируйте его или повторите с force")
    static let operatorAtLimit = Problem(
        .conflict, "operator_at_limit", "The operator is at the limit; raise it, or repeat with force",
        "У оператора достигнут лимит; повысьте его или повторите с force")

    static func weightedOperatorNotFound(id: Int) -> Problem {
        Problem(
            .notFound, "operator_not_found", "Operator with id \(id) not found", "Оператор с id \(id) не найден")
    }

    static let weightOfAnotherSource = Problem(
        .badRequest, "source_mismatch", "Source ID in path and in operator_weights differ",
        "ID источника в пути и в operator_weights не совпадают")
    static let sourceNameTaken = Problem(
        .badRequest, "source_name_taken", "Source with this name already exists",
        "Источник с таким именем уже существует")
    static let idempotencyKeyReused = Problem(
        .unprocessableContent, "idempotency_key_reused",
        "This Idempotency-Key was used for another request; a new request needs a new key",
        "Этот Idempotency-Key уже использован для другого запроса; новому запросу нужен новый ключ")
    static let idempotencyKeyInUse = Problem(
        .conflict, "idempotency_key_in_use", "A request with this Idempotency-Key is still under way; try again",
        "Запрос с этим Idempotency-Key ещё выполняется; повторите его"
    ).retried()

    static func leadKeyTaken(leadID: Int) -> Problem {
        Problem(
            .conflict, "lead_key_taken",
            "Lead \(leadID) is recognised by this; change that one first, or merge the two",
            "По этим данным узнаётся лид \(leadID); сначала измените его или объедините обоих")
    }

    static let leadErased = Problem(
        .conflict, "lead_erased", "The lead has been erased; it takes no new data",
        "Лид удалён; новые данные он не принимает")
    static let leadHasOpenContacts = Problem(
        .conflict, "lead_has_open_contacts", "The lead has open contacts; close them, or repeat with force",
        "У лида есть открытые обращения; закройте их или повторите с force")
}

// What the server cannot do right now.
extension Problem {
    static let intakeFull = Problem(
        .serviceUnavailable, "intake_full",
        "More contacts wait to be stored than this instance takes, nothing was changed; try again",
        "Ожидает сохранения больше обращений, чем принимает экземпляр; ничего не изменено, повторите",
        cause: "more registrations wait than the intake takes"
    ).retried()
    static let bodiesFull = Problem(
        .serviceUnavailable, "bodies_full",
        "More large bodies are under way than this instance takes, nothing was changed; try again",
        "Принимается больше крупных запросов, чем вмещает экземпляр; ничего не изменено, повторите",
        cause: "more bodies are under way than the process takes"
    ).retried()
    static let tooManyStreams = Problem(
        .serviceUnavailable, "too_many_streams",
        "This instance has no room for another stream; try again, or read /api/v1/events",
        "У экземпляра нет места ещё для одного потока; повторите запрос или читайте /api/v1/events",
        cause: "as many streams are open as the instance takes"
    ).retried()

    static func unavailable(cause: String?) -> Problem {
        Problem(
            .serviceUnavailable, "unavailable",
            "The database is not available right now, nothing was changed; try again",
            "База данных сейчас недоступна, ничего не изменено; повторите запрос",
            cause: cause ?? "the caller went away"
        ).retried()
    }

    static let stopping = Problem(
        .serviceUnavailable, "stopping", "This instance is stopping", "Этот экземпляр останавливается"
    ).retried()
    static let outcomeUnknown = Problem(
        .serviceUnavailable, "outcome_unknown",
        "The connection to the database broke while saving: the change may have been made or not",
        "Связь с базой данных прервалась при сохранении: изменение могло и сохраниться, и нет",
        cause: "the connection broke during COMMIT"
    ).retried()

    static func internalError(cause: String) -> Problem {
        Problem(
            .internalServerError, "internal_error", "Internal server error", "Внутренняя ошибка сервера", cause: cause)
    }

    var isOutcomeUnknown: Bool { code == Self.outcomeUnknown.code }
}

extension Problem {
    init(_ error: StoreError) {
        self =
            switch error {
            case .operatorNotFound: .operatorNotFound
            case .sourceNotFound: .sourceNotFound
            case .contactNotFound: .contactNotFound
            case .leadNotFound: .leadNotFound
            case .decisionNotFound: .decisionNotFound
            case .versionConflict: .versionConflict
            case .contactClosed: .contactClosed
            case .contactUnassigned: .contactUnassigned
            case .operatorInactive: .operatorInactive
            case .operatorAtLimit: .operatorAtLimit
            case .weightedOperatorNotFound(let id): .weightedOperatorNotFound(id: id)
            case .weightOfAnotherSource: .weightOfAnotherSource
            case .sourceNameTaken: .sourceNameTaken
            case .idempotencyKeyReused: .idempotencyKeyReused
            case .idempotencyKeyInUse: .idempotencyKeyInUse
            case .heldByOthers: .unavailable(cause: "another transaction holds what the request needs")
            case .intakeFull: .intakeFull
            case .leadKeyTaken(let id): .leadKeyTaken(leadID: id)
            case .unavailable(let error): .unavailable(cause: "\(error)")
            case .notTried: .unavailable(cause: "the transaction before it was lost")
            case .tooManyClosings: .unavailable(cause: "too many contacts wait to be closed")
            case .tooManyLongReads: .unavailable(cause: "too much is read at once")
            case .cancelled: .unavailable(cause: nil)
            case .outcomeUnknown: .outcomeUnknown
            case .notAllowed: .forbidden
            case .personNotFound: .personNotFound
            case .keyNotFound: .keyNotFound
            case .sessionNotFound: .sessionNotFound
            case .linkInvalid: .linkInvalid
            case .loginTaken: .loginTaken
            case .lastAdmin: .lastAdmin
            case .operatorUnnamed: .invalid([.refused(Person.operatorUnnamed, at: "role", input: "operator")])
            case .accessClosed: .accessClosed
            case .unexpected(let error): .internalError(cause: "\(error)")
            case .leadErased: .leadErased
            case .leadHasOpenContacts: .leadHasOpenContacts
            }
    }
}

/// Runs a call to the store and turns what it throws into what the caller hears.
@discardableResult
func asking<Value>(_ body: () async throws(StoreError) -> Value) async throws(Problem) -> Value {
    do throws(StoreError) { return try await body() } catch { throw Problem(error) }
}
