import Leads
import Testing

struct SourceShareTests {
    /// The lower and upper ends as scipy's `binomtest(k, n).proportion_ci(method="wilson")` gives them.
    @Test(arguments: [
        (0.5, 10, 0.23659309051256622, 0.7634069094874337), (0.25, 100, 0.17545185480403474, 0.3430445751550402),
        (0.0, 20, 0.0, 0.16112515), (1.0, 20, 0.83887485, 1.0),
    ])
    func `the band is Wilson's score interval`(share: Double, count: Int, low: Double, high: Double) {
        let band = SourceShare.wilsonInterval(share: share, of: count)
        #expect(abs(band.lowerBound - low) < 1e-3)
        #expect(abs(band.upperBound - high) < 1e-3)
        #expect(band.contains(share))
    }

    @Test func `of nothing, the band is everything, and there is no share`() {
        let share = SourceShare(operatorID: 1, name: "a", weight: 1, target: 0.3, contacts: 0, allContacts: 0)
        #expect(share.expected == 0...1)
        #expect(share.actual == nil)
    }

    @Test func `the band holds the target and gets narrower, whatever the numbers`() {
        for target in [0, 1e-12, 0.1, 1.0 / 3, 0.5, 0.999, 1] {
            var width = 1.0
            for count in [1, 2, 10, 1000, 1_000_000, Int.max] {
                let band = SourceShare.wilsonInterval(share: target, of: count)
                #expect(0 <= band.lowerBound && band.upperBound <= 1)
                #expect(band.lowerBound <= target + 1e-12 && target - 1e-12 <= band.upperBound)
                #expect(band.upperBound - band.lowerBound < width)
                width = band.upperBound - band.lowerBound
            }
        }
    }
}
