import Testing

@testable import Demo

struct ReportTests {
    private func progress(length: RunLength, sent: Int = 115) -> Progress {
        Progress(
            elapsed: .seconds(23), length: length, rateWanted: 5, sent: sent, active: 8, places: 32, waiting: 0,
            closed: 87, rate: 5.04, errors: 0)
    }

    @Test(arguments: [20, 60, 79, 100, 200])
    func `the line never exceeds the terminal`(width: Int) {
        for length in [RunLength.forever, RunLength(duration: .seconds(60))] {
            #expect(progress(length: length).line(width: width, style: .blocks).count <= width)
        }
    }

    @Test func `the line shows the figures behind a bar`() {
        let line = progress(length: RunLength(duration: .seconds(46))).line(width: 99, style: .ascii)
        #expect(line.hasPrefix("0:23/0:46 #"))
        #expect(line.filter { $0 == "#" }.count * 2 == line.filter { "#-".contains($0) }.count)
        #expect(line.hasSuffix("sent 115  active  8/32  waiting  0  closed  87  5.0/s  errors 0"))
    }

    @Test func `the line keeps its width while numbers grow`() {
        let length = RunLength(duration: .seconds(60))
        #expect(
            progress(length: length, sent: 1).line(width: 99, style: .ascii).count
                == progress(length: length, sent: 299).line(width: 99, style: .ascii).count)
    }

    @Test func `quantiles are within two percent`() throws {
        var latencies = Latencies()
        #expect(latencies.quantile(0.5) == nil)
        for millisecond in 1...1_000 { latencies.add(Double(millisecond) / 1000) }
        for fraction in [0.001, 0.5, 0.95, 1] {
            let found = try #require(latencies.quantile(fraction))
            #expect(abs(found / fraction - 1) < 0.021, "\(fraction): \(found)")
        }
    }

    @Test func `numbers and clocks read as people write them`() {
        #expect(5.04.rounded(to: 1) == "5.0")
        #expect(0.96.rounded(to: 1) == "1.0")
        #expect(12.5.rounded(to: 0) == "13")
        #expect(Duration.seconds(5).clock == "0:05")
        #expect(Duration.seconds(3_723).clock == "1:02:03")
    }
}
