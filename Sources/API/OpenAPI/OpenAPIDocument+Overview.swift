extension OpenAPIDocument {
    /// What holds for the whole API, in Markdown.
    static let overview = """
        Gives every ask to one human at once: the right share to each by weight, never more than anyone can carry, \
        nobody lost, nobody twice. People see and steer all of it on the [dashboard](/dashboard).

        **Requests.** JSON in UTF-8; a body without a declared type is read as JSON. `/x` and `/x/` are the same. HEAD \
        works wherever GET does, OPTIONS answers 204 with `Allow`. A body beyond the limit of its operation is a 413, \
        also where no body is read.

        **Reading is laxer than the schemas**, as pydantic's lax mode is: numbers may be sent as texts (`"7"`, `7.0`), \
        booleans as `"yes"`, `"off"`, `1` and their like, dates without a time or an offset (then UTC), and fields \
        nobody knows are ignored. It is stricter in two things: no text may hold U+0000, and no object may name a \
        field twice.

        **Answers** hold every field of their schema, null where there is no value. Fields may be added; ignore those \
        you do not know. Moments are RFC 3339 in UTC with microseconds.

        **Lists** are arrays in order of numbers, cut by `limit`. Where more follow, the header `Link` has the address \
        of the next part; follow it to read everything. `skip` is for compatibility.

        **Errors** are `{"detail", "code"}`: `detail` for people, in the language of `Accept-Language` (`en`, `ru`), \
        `code` for programs. A 422 lists every fault at once, as FastAPI does. An unknown path is a 404 and a wrong \
        method a 405 with `Allow`, both without `code`. A 503 means that nothing was changed: try again after \
        `Retry-After` seconds. Its code `outcome_unknown` is the exception: the change may have been made or not. A 500 \
        is a fault of the server.
        """
}
