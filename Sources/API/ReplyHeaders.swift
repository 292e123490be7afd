import HTTPTypes

/// The header fields of an answer in their order. There are three or four, so a list is quicker than a dictionary.
struct ReplyHeaders: Sendable, ExpressibleByDictionaryLiteral {
    private(set) var fields: [(name: HTTPField.Name, value: String)]

    init(dictionaryLiteral elements: (HTTPField.Name, String)...) {
        fields = elements.map { (name: $0.0, value: $0.1) }
    }

    subscript(name: HTTPField.Name) -> String? {
        get { fields.first { $0.name == name }?.value }
        set {
            let index = fields.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let value?): fields[index].value = value
            case (let index?, nil): fields.remove(at: index)
            case (nil, let value?): fields.append((name, value))
            case (nil, nil): break
            }
        }
    }
}
