import Leads

/// What the product tells people in whole sentences, in either language.
///
/// Operators' names stand where they need no declension, in Russian after a noun or a colon.
extension Explanation {
    func sentence(in language: Language) -> String {
        let sentence =
            switch outcome {
            case .placed(_, let name): language == .russian ? placedRussian(name) : placedEnglish(name)
            case .waiting(let reason): reason.sentence(in: language)
            }
        let others = refusals(in: language)
        return others.isEmpty ? sentence : "\(sentence) \(others)"
    }

    private var chosen: Candidate? {
        guard case .placed(let operatorID, _) = outcome else { return nil }
        return candidates.first { $0.operatorID == operatorID }
    }

    private var eligible: [Candidate] { candidates.filter { $0.exclusion == nil } }

    private var isWithoutAlternative: Bool { rule == .strategy && eligible.count == 1 && poolWeight == nil }

    private func percentage(_ probability: Double?) -> String {
        let tenths = Int(((probability ?? 0) * 1000).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    private func placedEnglish(_ name: String) -> String {
        guard let chosen else { return "Given to \(name); the details of the decision are no longer kept." }
        let load = "\(chosen.load) of \(chosen.maxLoad)"
        switch rule {
        case .sticky: return "Given to \(name), who had this lead's latest contact and carried \(load)."
        case .returned: return "Reopened and given back to \(name), who carried \(load)."
        case .manual: return "Given to \(name) by hand; \(name) carried \(load)."
        case .forced:
            return chosen.exclusion == .inactive
                ? "Given to \(name) by hand, although inactive."
                : "Given to \(name) by hand, although at the limit (\(load))."
        case .strategy, .queue: break
        }
        if isWithoutAlternative { return "Given to \(name), the only one who could take it, carrying \(load)." }
        let weights = poolWeight ?? eligible.reduce(0) { $0 + $1.weight }
        switch strategy {
        case .weightedRandom:
            return """
                Given to \(name) by chance, in proportion to weight: \(chosen.weight) of \(weights), \
                which is \(percentage(chosen.probability)) %.
                """
        case .weightedCapacity:
            return """
                Given to \(name) by chance, in proportion to weight × free places: \
                \(chosen.weight) × \(chosen.maxLoad - chosen.load), which is \(percentage(chosen.probability)) %.
                """
        case .smoothWeighted:
            return "Given to \(name), who is due most by weight (\(chosen.weight) of \(weights)) after those before."
        case .roundRobin: return "Given to \(name), whose last turn in this source is longest ago."
        case .leastLoaded: return "Given to \(name), who carries least: \(load)."
        case .mostFree: return "Given to \(name), who has the largest share of places free: carrying \(load)."
        }
    }

    private func placedRussian(_ name: String) -> String {
        guard let chosen else { return "Назначен оператор \(name); подробности решения больше не хранятся." }
        let load = "\(chosen.load) из \(chosen.maxLoad)"
        switch rule {
        case .sticky: return "Назначен оператор \(name): вёл последнее обращение этого лида; нагрузка была \(load)."
        case .returned: return "Открыто снова и возвращено оператору: \(name); нагрузка была \(load)."
        case .manual: return "Назначен вручную оператор \(name); нагрузка была \(load)."
        case .forced:
            return chosen.exclusion == .inactive
                ? "Назначен вручную оператор \(name), хотя он не активен."
                : "Назначен вручную оператор \(name), хотя его лимит исчерпан (\(load))."
        case .strategy, .queue: break
        }
        if isWithoutAlternative {
            return "Назначен оператор \(name): только он мог принять обращение; нагрузка была \(load)."
        }
        let weights = poolWeight ?? eligible.reduce(0) { $0 + $1.weight }
        switch strategy {
        case .weightedRandom:
            return """
                Назначен оператор \(name): случайно, пропорционально весу — \(chosen.weight) из \(weights), \
                то есть \(percentage(chosen.probability)) %.
                """
        case .weightedCapacity:
            return """
                Назначен оператор \(name): случайно, пропорционально весу × свободным местам — \
                \(chosen.weight) × \(chosen.maxLoad - chosen.load), то есть \(percentage(chosen.probability)) %.
                """
        case .smoothWeighted:
            return "Назначен оператор \(name): по весу (\(chosen.weight) из \(weights)) сейчас его очередь."
        case .roundRobin: return "Назначен оператор \(name): дольше всех ждал своей очереди в этом источнике."
        case .leastLoaded: return "Назначен оператор \(name): нагрузка меньше всех — \(load)."
        case .mostFree: return "Назначен оператор \(name): наибольшая доля свободных мест, занято \(load)."
        }
    }

    /// Why others could not have it: at most three by name.
    private func refusals(in language: Language) -> String {
        let refused = candidates.filter { $0.exclusion != nil && $0.operatorID != chosen?.operatorID }
        guard !refused.isEmpty else { return "" }
        var words = refused.prefix(3).map { candidate in
            "\(candidate.name) — \(candidate.exclusion?.words(candidate, in: language) ?? "")"
        }
        let more = refused.count - words.count
        if more > 0 { words.append(language == .russian ? "и ещё \(more)" : "and \(more) more") }
        let list = words.joined(separator: ", ")
        return language == .russian ? "Не могли: \(list)." : "Could not: \(list)."
    }
}

extension Exclusion {
    fileprivate func words(_ candidate: Explanation.Candidate, in language: Language) -> String {
        switch (self, language) {
        case (.inactive, .english): "inactive"
        case (.inactive, .russian): "не активен"
        case (.atLimit, .english): "at the limit (\(candidate.load) of \(candidate.maxLoad))"
        case (.atLimit, .russian): "лимит исчерпан (\(candidate.load) из \(candidate.maxLoad))"
        case (.released, .english): "released it"
        case (.released, .russian): "вернул это обращение"
        }
    }
}

extension WaitingReason {
    /// Why a contact was not placed.
    fileprivate func sentence(in language: Language) -> String {
        switch (self, language) {
        case (.noOperators, .english): "Waits: the source has no operators."
        case (.noOperators, .russian): "Ждёт: у источника нет операторов."
        case (.allInactive, .english): "Waits: none of the source's operators is active."
        case (.allInactive, .russian): "Ждёт: ни один оператор источника не активен."
        case (.allAtLimit, .english): "Waits: all active operators of the source are at their limit."
        case (.allAtLimit, .russian): "Ждёт: у всех активных операторов источника исчерпан лимит."
        case (.excluded, .english): "Waits: only operators who released it have places free."
        case (.excluded, .russian): "Ждёт: места есть только у операторов, которые его вернули."
        case (.behindQueue, .english): "Waits: others have waited longer."
        case (.behindQueue, .russian): "Ждёт: другие ждут дольше."
        }
    }

    /// What would let the contacts go that wait for this reason.
    func unblocking(in language: Language) -> String {
        switch (self, language) {
        case (.noOperators, .english): "Give an operator a weight on this source."
        case (.noOperators, .russian): "Дайте оператору вес в этом источнике."
        case (.allInactive, .english): "Activate one of the source's operators, or give another a weight."
        case (.allInactive, .russian): "Активируйте оператора этого источника или дайте вес другому."
        case (.allAtLimit, .english): "Close contacts, raise a limit, or add an operator to the source."
        case (.allAtLimit, .russian): "Закройте обращения, повысьте лимит или добавьте оператора к источнику."
        case (.excluded, .english):
            "Free or activate an operator who did not release them, add one to the source, or assign them by hand."
        case (.excluded, .russian):
            "Освободите или активируйте оператора, который их не возвращал, добавьте нового или назначьте вручную."
        case (.behindQueue, .english): "Nothing: the queue is being placed right now."
        case (.behindQueue, .russian): "Ничего: очередь распределяется прямо сейчас."
        }
    }
}
