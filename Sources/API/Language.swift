/// The languages the product speaks.
public enum Language: String, Sendable, CaseIterable {
    case english = "en"
    case russian = "ru"

    /// The best of the languages a caller accepts (RFC 9110, 12.5.4), or `fallback` when none is spoken here.
    init(accepting header: String?, fallback: Language) {
        guard let header else {
            self = fallback
            return
        }
        var best: (language: Language, quality: Double)?
        for range in header.split(separator: ",") {
            let parts = range.split(separator: ";")
            guard let tag = parts.first?.filter({ $0 != " " }).lowercased() else { continue }
            var quality = 1.0
            for parameter in parts.dropFirst() {
                let parameter = parameter.filter { $0 != " " }
                if parameter.hasPrefix("q=") { quality = Double(parameter.dropFirst(2)) ?? 0 }
            }
            guard quality > 0 else { continue }
            let language = tag == "*" ? fallback : Language(rawValue: String(tag.prefix { $0 != "-" }))
            if let language, quality > best?.quality ?? 0 { best = (language, quality) }
        }
        self = best?.language ?? fallback
    }
}
