import StableHash
import Testing

struct FNV1aTests {
    /// From draft-eastlake-fnv, and of the empty text the basis.
    @Test(arguments: [
        ("", "cbf29ce484222325", "6c62272e07bb014262b821756295c58d"),
        ("a", "af63dc4c8601ec8c", "d228cb696f1a8caf78912b704e4a8964"),
        ("foobar", "85944171f73967e8", "343e1662793c64bf6f0d3597ba446f18"),
    ])
    func `numbers are those of the algorithm`(text: String, of64: String, of128: String) {
        #expect(FNV1a<UInt64>(text.utf8).value.digits == of64)
        #expect(FNV1a<UInt128>(text.utf8).value.digits == of128)
    }

    @Test func `bytes may come in pieces`() {
        var hash = FNV1a<UInt64>()
        for piece in ["fo", "", "ob", "ar"] { hash.add(piece.utf8) }
        #expect(hash == FNV1a("foobar".utf8))
    }
}
