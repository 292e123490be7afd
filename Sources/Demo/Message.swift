/// What people write, and how urgent that is.
struct Message: Sendable {
    let english: String
    let russian: String
    var priority = 0
    let frequency: Int

    /// The text with its blanks filled in.
    func text(inRussian: Bool, using generator: inout some RandomNumberGenerator) -> String {
        let item = Int.random(in: 0..<Self.items.count, using: &generator)
        let order = Int.random(in: 10_000...99_999, using: &generator)
        let time = Int.random(in: 9...18, using: &generator)
        return (inRussian ? russian : english)
            .replacing("{item}", with: inRussian ? Self.items[item].russian : Self.items[item].english)
            .replacing("{order}", with: String(order))
            .replacing("{time}", with: "\(time):00")
    }

    static let all = [
        Message(
            english: "Hello! Is the {item} in stock?", russian: "Здравствуйте! Есть ли в наличии {item}?", frequency: 30
        ),
        Message(
            english: "Please call me back after {time}.", russian: "Перезвоните мне, пожалуйста, после {time}.",
            frequency: 20),
        Message(
            english: "How much is the {item} with delivery?", russian: "Сколько стоит {item} с доставкой?",
            frequency: 20),
        Message(
            english: "Where is my order {order}?", russian: "Где мой заказ {order}?", priority: 3, frequency: 14),
        Message(
            english: "The {item} of order {order} arrived broken.", russian: "В заказе {order} {item} с браком.",
            priority: 5, frequency: 8),
        Message(english: "Thank you, the {item} is great!", russian: "Спасибо, {item} — то что надо!", frequency: 5),
        Message(
            english: "URGENT: order {order} was charged twice!", russian: "СРОЧНО: за заказ {order} списали дважды!",
            priority: 9, frequency: 3),
    ]

    private static let items: [(english: String, russian: String)] = [
        ("desk lamp", "лампа"), ("bicycle", "велосипед"), ("coffee grinder", "кофемолка"), ("tent", "палатка"),
        ("bookshelf", "полка"), ("kettle", "чайник"), ("backpack", "рюкзак"), ("telescope", "телескоп"),
    ]
}
