import Glibc

/// The `Date` of answers, made once a second.
struct DateHeader {
    private var second = 0
    private var text = ""

    var value: String {
        mutating get {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME_COARSE, &time)
            if time.tv_sec != second {
                second = time.tv_sec
                text = Self.text(of: time.tv_sec)
            }
            return text
        }
    }

    /// As RFC 9110, 5.6.7 has it: `Sat, 21 Nov 2026 18:30:00 GMT`.
    private static func text(of second: Int) -> String {
        var second = second
        var date = tm()
        gmtime_r(&second, &date)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func digits(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let time = "\(digits(date.tm_hour)):\(digits(date.tm_min)):\(digits(date.tm_sec))"
        return
            "\(days[Int(date.tm_wday)]), \(digits(date.tm_mday)) \(months[Int(date.tm_mon)]) \(date.tm_year + 1900) \(time) GMT"
    }
}
