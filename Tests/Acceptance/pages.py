"""Following a list to its end by the links it gives."""

import re

_LINK = re.compile(r'<([^<>"\s]+)>; rel="next"')


def next_page(answer) -> str | None:
    """The target of the answer's `Link` header, if it has one."""
    links = answer.headers.get_all("Link") or []
    if not links:
        return None
    [link] = links
    found = _LINK.fullmatch(link)
    assert found, f"not one link to the next page: {link!r}"
    assert found[1].isascii() and found[1].startswith("/"), found[1]
    return found[1]


def pages(api, path: str, at_most: int = 100):
    """The answers of a list, page by page."""
    for _ in range(at_most):
        answer = api.get(path).must_be(200)
        yield answer
        path = next_page(answer)
        if path is None:
            return
    raise AssertionError(f"more than {at_most} pages")


def ids_of(api, path: str) -> list[int]:
    """The ids of all elements of all pages, in the order in which they came."""
    return [element["id"] for answer in pages(api, path) for element in answer.json]
