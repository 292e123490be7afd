import HTTPTypes
import JSON
import LeadStore
import Leads

/// Everything that can go wrong for a caller: status, code and text are in one table below.
enum Problem: Error {
    case unknownPath
    case methodNotAllowed(allowed: [HTTPRequest.Method])
    case invalid([Fault])
    case notUTF8
    case notHTTP
    case bodyTooLarge(limit: Int)
    case bodyIncomplete
    case bodyTooSlow
    case operatorNotFound
    case sourceNotFound
    case contactNotFound
    case leadNotFound
    case decisionNotFound
    case versionConflict
    case contactClosed
    case contactUnassigned
    case operatorInactive
    case operatorAtLimit
    case weightedOperatorNotFound(id: Int)
    case weightOfAnotherSource
    case sourceNameTaken
    case idempotencyKeyInvalid
    case idempotencyKeyReused
    case idempotencyKeyInUse
    case intakeFull
    case leadKeyTaken(leadID: Int)
    case tooManyStreams
    case unavailable(cause: String?)
    case stopping
    case outcomeUnknown
    case internalError(cause: String)
    case leadErased
    case leadHasOpenContacts

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
            case .unexpected(let error): .internalError(cause: "\(error)")
            case .leadErased: .leadErased
            case .leadHasOpenContacts: .leadHasOpenContacts
            }
    }

    /// Why it is a 5xx, for the log: codes and constraints, never what a caller sent.
    var cause: String? {
        switch self {
        case .unavailable(let cause): cause ?? "the caller went away"
        case .outcomeUnknown: "the connection broke during COMMIT"
        case .intakeFull: "more registrations wait than the intake takes"
        case .tooManyStreams: "as many streams are open as the instance takes"
        case .internalError(let cause): cause
        default: nil
        }
    }

    private struct Entry {
        let status: HTTPResponse.Status
        /// Nil where the references' clients compare the whole body.
        let code: String?
        let english: String
        let russian: String
    }

    private var entry: Entry {
        switch self {
        case .unknownPath:
            Entry(status: .notFound, code: nil, english: "Not Found", russian: "Not Found")
        case .methodNotAllowed:
            Entry(
                status: .methodNotAllowed, code: nil, english: "Method Not Allowed", russian: "Method Not Allowed")
        case .invalid:
            Entry(status: .unprocessableContent, code: nil, english: "", russian: "")
        case .notUTF8:
            Entry(
                status: .badRequest, code: "body_not_utf8", english: "The body is not valid UTF-8",
                russian: "Тело запроса не в кодировке UTF-8")
        case .notHTTP:
            Entry(
                status: .badRequest, code: "not_http", english: "This is no HTTP/1.1 request",
                russian: "Это не запрос HTTP/1.1")
        case .bodyTooLarge(let limit):
            Entry(
                status: .contentTooLarge, code: "body_too_large", english: "The body exceeds \(limit) bytes",
                russian: "Тело запроса больше \(limit) байт")
        case .bodyIncomplete:
            Entry(
                status: .badRequest, code: "body_incomplete", english: "The body ended early",
                russian: "Тело запроса оборвалось")
        case .bodyTooSlow:
            Entry(
                status: .requestTimeout, code: "body_too_slow", english: "The body did not arrive in time",
                russian: "Тело запроса не пришло вовремя")
        case .operatorNotFound:
            Entry(
                status: .notFound, code: "operator_not_found", english: "Operator not found",
                russian: "Оператор не найден")
        case .sourceNotFound:
            Entry(
                status: .notFound, code: "source_not_found", english: "Source not found",
                russian: "Источник не найден")
        case .contactNotFound:
            Entry(
                status: .notFound, code: "contact_not_found", english: "Contact not found",
                russian: "Обращение не найдено")
        case .leadNotFound:
            Entry(
                status: .notFound, code: "lead_not_found", english: "Lead not found", russian: "Лид не найден")
        case .decisionNotFound:
            Entry(
                status: .notFound, code: "decision_not_found",
                english: "There is no record of how this contact was placed",
                russian: "Нет записи о том, как распределено это обращение")
        case .versionConflict:
            Entry(
                status: .conflict, code: "version_conflict",
                english: "The contact has changed meanwhile; read it again and decide anew",
                russian: "Обращение тем временем изменилось; прочитайте его снова и решите заново")
        case .contactClosed:
            Entry(
                status: .conflict, code: "contact_closed", english: "The contact is closed; reopen it first",
                russian: "Обращение закрыто; сначала откройте его снова")
        case .contactUnassigned:
            Entry(
                status: .conflict, code: "contact_unassigned",
                english: "Nobody has the contact, so it cannot be transferred; assign it",
                russian: "Обращение никому не назначено, передать его нельзя; назначьте оператора")
        case .operatorInactive:
            Entry(
                status: .conflict, code: "operator_inactive",
                english: "The operator is inactive; activate them, or repeat with force",
                russian: "Оператор не активен; активируйте его или повторите с force")
        case .operatorAtLimit:
            Entry(
                status: .conflict, code: "operator_at_limit",
                english: "The operator is at the limit; raise it, or repeat with force",
                russian: "У оператора достигнут лимит; повысьте его или повторите с force")
        case .weightedOperatorNotFound(let id):
            Entry(
                status: .notFound, code: "operator_not_found", english: "Operator with id \(id) not found",
                russian: "Оператор с id \(id) не найден")
        case .weightOfAnotherSource:
            Entry(
                status: .badRequest, code: "source_mismatch",
                english: "Source ID in path and in operator_weights differ",
                russian: "ID источника в пути и в operator_weights не совпадают")
        case .sourceNameTaken:
            Entry(
                status: .badRequest, code: "source_name_taken", english: "Source with this name already exists",
                russian: "Источник с таким именем уже существует")
        case .idempotencyKeyInvalid:
            Entry(
                status: .badRequest, code: "idempotency_key_invalid",
                english: "Idempotency-Key must have 1 to 255 printable ASCII characters",
                russian: "Idempotency-Key должен содержать от 1 до 255 печатных символов ASCII")
        case .idempotencyKeyReused:
            Entry(
                status: .unprocessableContent, code: "idempotency_key_reused",
                english: "This Idempotency-Key was used for another request; a new request needs a new key",
                russian: "Этот Idempotency-Key уже использован для другого запроса; новому запросу нужен новый ключ")
        case .idempotencyKeyInUse:
            Entry(
                status: .conflict, code: "idempotency_key_in_use",
                english: "A request with this Idempotency-Key is still under way; try again",
                russian: "Запрос с этим Idempotency-Key ещё выполняется; повторите его")
        case .intakeFull:
            Entry(
                status: .serviceUnavailable, code: "intake_full",
                english: "More contacts wait to be stored than this instance takes, nothing was changed; try again",
                russian: "Ожидает сохранения больше обращений, чем принимает экземпляр; ничего не изменено, повторите")
        case .leadKeyTaken(let id):
            Entry(
                status: .conflict, code: "lead_key_taken",
                english: "Lead \(id) is recognised by this; change that one first, or merge the two",
                russian: "По этим данным узнаётся лид \(id); сначала измените его или объедините обоих")
        case .tooManyStreams:
            Entry(
                status: .serviceUnavailable, code: "too_many_streams",
                english: "This instance has no room for another stream; try again, or read /api/v1/events",
                russian: "У экземпляра нет места ещё для одного потока; повторите запрос или читайте /api/v1/events")
        case .unavailable:
            Entry(
                status: .serviceUnavailable, code: "unavailable",
                english: "The database is not available right now, nothing was changed; try again",
                russian: "База данных сейчас недоступна, ничего не изменено; повторите запрос")
        case .stopping:
            Entry(
                status: .serviceUnavailable, code: "stopping", english: "This instance is stopping",
                russian: "Этот экземпляр останавливается")
        case .outcomeUnknown:
            Entry(
                status: .serviceUnavailable, code: "outcome_unknown",
                english: "The connection to the database broke while saving: the change may have been made or not",
                russian: "Связь с базой данных прервалась при сохранении: изменение могло и сохраниться, и нет")
        case .internalError:
            Entry(
                status: .internalServerError, code: "internal_error", english: "Internal server error",
                russian: "Внутренняя ошибка сервера")
        case .leadErased:
            Entry(
                status: .conflict, code: "lead_erased",
                english: "The lead has been erased; it takes no new data",
                russian: "Лид удалён; новые данные он не принимает")
        case .leadHasOpenContacts:
            Entry(
                status: .conflict, code: "lead_has_open_contacts",
                english: "The lead has open contacts; close them, or repeat with force",
                russian: "У лида есть открытые обращения; закройте их или повторите с force")
        }
    }

    var status: HTTPResponse.Status { entry.status }
    var code: String? { entry.code }

    func text(in language: Language) -> String {
        language == .russian ? entry.russian : entry.english
    }

    func reply(in language: Language) -> Reply {
        if case .invalid(let faults) = self {
            return Reply(.unprocessableContent) { $0.detail(faults) }
        }
        let entry = entry
        var headers: ReplyHeaders = [:]
        switch self {
        case .methodNotAllowed(let allowed):
            headers[.allow] = allowed.map(\.rawValue).joined(separator: ", ")
        case .unavailable, .stopping, .outcomeUnknown, .intakeFull, .idempotencyKeyInUse, .tooManyStreams:
            headers[.retryAfter] = "1"
        case .bodyTooSlow:
            headers[.connection] = "close"
        default:
            break
        }
        return Reply(entry.status, headers: headers) { json in
            json.object {
                $0.field("detail", text(in: language))
                if let code = entry.code { $0.field("code", code) }
            }
        }
    }
}

/// Runs a call to the store and turns what it throws into what the caller hears.
func asking<Value>(_ body: () async throws(StoreError) -> Value) async throws(Problem) -> Value {
    do throws(StoreError) { return try await body() } catch { throw Problem(error) }
}
