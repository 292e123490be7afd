"""Strange JSON, strange words and strange types, picked by hand, and generators of more."""

import json

VALUES = r"""null true false 0 1 -1 7 9 10 -0 1.0 7.0 -0.0 7.5 1e2 1.5e1 1e-2 1000000 1000001 1e6 1e7 3650 3651 1e30 1e400 -1e400 1e-400
0.99999999999999999999 0.9999999999999999999999e7 9007199254740993 9223372036854775807 9223372036854775808 -9223372036854775808
-9223372036854775809 99999999999999999999999999 -99999999999999999999999999 9223372036854775808.0 "" "0" "1" "7" "+7" "-7" "7.0" "7."
".0" "7.5" "007" "0_7" "1_000" "1__0" "_1" "1_" "0-7" "00-7" "-" "+-7" "0x10" "1e2" "9223372036854775808" "99999999999999999999999"
"-99999999999999999999999" "\u0667" "\uff17" "\u00a07" "7\u0000" "a\u0000" "\u0000" "true" "TRUE" "t" "Y" "yes" "on" "oFF" "null" "active"
"closed" "new" "Active" "weighted_random" "weighted_capacity" "WEIGHTED_RANDOM" "\u0430" "é" "e\u0301" "\ud83d\ude00" "\u2028" "\u200b"
"\ufeff" "\u202e" "\ud800" "\udc00\ud800" "\ufffe" "<script>" "' or 1=1 --" "\\u0000" "+79001234567" "a@b.ru" [] {} [[]] [null] [1] [{}]
[1,2,[3]] {"a":1} {"a":{"b":[]}} {"operator_id":1} [{"operator_id":1}] [{"operator_id":1,"source_id":1}]
[{"operator_id":1,"source_id":1,"weight":0}] NaN Infinity -Infinity""".split()
VALUES += ['" 7 "', '" "', '"\\t"', '"- 7"', '" true"', '"yes "', '"a b"', '"\u00a0a\u2003"', '" \u0085a\u3000"', '"\u180ea"', '"\\u001ca"']
VALUES += [json.dumps("x" * n) for n in (199, 200, 201, 255, 256, 2000, 2001, 16384, 16385)]
VALUES += [json.dumps(" " + "я" * n, ensure_ascii=False) for n in (199, 200, 254, 255, 1999, 8191, 16383, 16384)]
VALUES += [json.dumps("😀" * n) for n in (200, 201, 255, 4096, 4097)] + ["9" * 4300, "9" * 4301, "-" + "9" * 5000]
VALUES += ["[" * 60 + "]" * 60, "[" * 127 + "]" * 127, "[" * 128 + "]" * 128, '{"a":' * 300 + "1" + "}" * 300, "[" * 3000 + "]" * 3000]

DOCUMENTS = [
    b" ", b"\n", b"null", b"true", b"0", b"7.5", b'""', b'"x"', b"[]", b"{}", b"[[]]", b"[{}]", b"[null]", b'[{},{}]', b'["x",{"operator_id":1}]',
    b"{", b"}", b"[", b"]", b'"', b'{"', b'{"name', b'{"name"', b'{"name":', b'{"name":"', b'{"name":"a', b'{"name":"a"', b'{"name":"a",',
    b'{"name":"a",}', b'{"name":"a"}}', b'{"name":"a"} {}', b"{,}", b'{"name"::"a"}', b'{name:"a"}', b"{'name':'a'}", b'{"name":"a"}//x',
    b'/**/{"name":"a"}', b'{"name":"a";}', b'[1,]', b"[1 2]", b"[1", b"nul", b"truex", b"+1", b"01", b"1.", b".5", b"-", b"1e", b"0x1",
    b'{"name":"a\tb"}', b'{"name":"a\nb"}', b'{"name":"\\a"}', b'{"name":"\\u12"}', b'{"name":"\\u12g4"}', b'{"name":"\x00"}', b"\x00",
    b'{"name":"a","name":"b"}', b'{"name":"a","n\\u0061me":"b"}', b'{"name":"a","x":{"y":1,"y":2}}', b'{"":1,"":2}', b'{"Name":"a"}',
    b'{"name":"\\ud800"}', b'{"name":"\\udfff\\ud83d"}', b'{"\\ud800":1}', b'{"\\u0000":1}', b'{"x":"\\u0000"}', b'{"x":1e400}',
    b'{"name":"\xff\xfe"}', b'{"name":"\xc0\x80"}', b'{"name":"\xed\xa0\x80"}', b'{"name":"\xf4\x90\x80\x80"}', b"\xff", b'{"name":"a"}\xff',
    b'\xef\xbb\xbf{"name":"a"}', '{"name":"a"}'.encode("utf-16"), '{"name":"a"}'.encode("utf-16-be"), '{"name":"a"}'.encode("utf-32"),
    b"\r\n\t {\"name\" :\n\"a\" }\r\n", b'{"name":"a"}\x0c', '{"é":"Анна", "😀" 1}'.encode(), '["é😀",x]'.encode(), b"[" * 5000, b'{"a":' * 2000,
    b"[" + b"{}," * 1500 + b"{}]", b'{"operator_weights":[' + b'{"operator_id":"x"},' * 600 + b"{}]}",
    b"[" + b",".join(b'"x"' for _ in range(1000)) + b"]", b'{"name":"' + b"x" * 300_000 + b'"}',
]

TYPES = [
    "application/json", "application/json; charset=utf-8", "application/json;charset=utf-16", "Application/JSON", "APPLICATION/JSON ;x=1",
    "application/vnd.api+json", "application/problem+json; a=b", "application/+json", "application/jsonx", "application/x-json",
    "application/ld+json+x", "text/json", "text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/octet-stream", "*/*", "application/*", "json", "application", "application/", "/json", "", ";", "application/json, text/plain",
    "application/json/x", "application /json", "application/ json", '"application/json"', "image/svg+json", "application/json;", ";application/json",
]

WORDS = """0 1 7 -1 -0 00 007 1.0 7. .0 7.5 1e3 1e2 +1 %2B1 %2B7 0x1 1_0 1__0 0-7 %207 7%20 %201%20 %C2%A07 %EF%BC%97 %D9%A7 1000 1001 9223372036854775807
9223372036854775808 -9223372036854775808 -9223372036854775809 99999999999999999999999 1e400 NaN inf %00 1%00 %FF 1%FF %ED%A0%80 %C0%80 % %2 %zz %25 %2525
null none true TRUE True yes no on off t f y n 2 1.0 [] {} ' " * %27%20or%201=1-- %F0%9F%98%80 abc %D0%B0 asc desc ASC new active closed Active %20active
1,2 1;2 1|2 ~ - _ ! $ ( ) @ : a=b a==b =a""".split()

MOMENTS = """2026-11-21T05:32:11.123456Z 2026-11-21 2026-11-21T05:32 2026-11-21+05:32:11 2026-11-21_05:32:11 2026-11-21t05:32z 2026-11-21T05:32:11%2B03:00
2026-11-21T05:32:11-0330 2026-11-21T05:32:11%E2%88%9203:00 2026-11-21T05:32:11,12 2026-11-21T05:32:11.1234567890 1969-12-31T23:59:59.5Z 0001-01-01
9999-12-31T23:59:59.999999Z 2024-02-29 2026-02-29 2026-13-01 2026-00-01 2026-04-31 0000-01-01 2026-1-21 2026/11/21 2x26-11-21 %2B2026-11-21 2026-11-21Z
2026-11-21T 2026-11-21T05 2026-11-21T24:00 2026-11-21T05:60 2026-11-21T05:32:60 2026-11-21T05:32:11. 2026-11-21T05:32:11+03:00 2026-11-21T05:32:11%2B03
2026-11-21T05:32:11%2B24:00 2026-11-21T05:32:11Zx 1753142400 1753142400.5 -1753142400 1753142400000 99999999999999999 20000000000 x 10000-01-01
0001-01-01T00:00:00%2B01:00 9999-12-31T23:59:59-01:00 -0001-01-01 2026-11-21T05:32:11.123456%2B00:00 2026-W01-1 20261121 20261121T053211Z now""".split()

SHORT_VALUES = [value for value in VALUES if len(value) < 40]


def random_text(random) -> str:
    return "".join(chr(random.choice((random.randrange(0x20, 0x7F), random.randrange(0xA0, 0x800), random.randrange(0x10000, 0x11000))))
                   for _ in range(random.randrange(12)))


def random_json(random, depth: int = 0) -> str:
    kind = random.randrange(8 if depth < 3 else 5)
    if kind < 3:
        return random.choice(SHORT_VALUES)
    if kind == 3:
        return repr(random.choice((-1, 1)) * random.randrange(1 << random.randrange(1, 70)))
    if kind == 4:
        return json.dumps(random_text(random), ensure_ascii=random.random() < 0.5)
    if kind == 5:
        return repr(random.choice((random.random(), random.uniform(-1e18, 1e18), random.randrange(100) + 0.0)))
    if kind == 6:
        return "[" + random.choice((",", ", ")).join(random_json(random, depth + 1) for _ in range(random.randrange(4))) + "]"
    return "{" + ",".join(f"{json.dumps(random_text(random) + str(n))}:{random_json(random, depth + 1)}" for n in range(random.randrange(4))) + "}"


def damaged(random, raw: bytes) -> bytes:
    """With one to three places replaced, cut out or filled in."""
    bytes_ = bytearray(raw)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(bytes_) + 1)
        bytes_[at:at + random.randrange(3)] = random.choice((b"", bytes([random.randrange(256)]), b'"', b"{", b"]", b"\\", b",", b" ", b"e1"))
    return bytes(bytes_)

# Texts that try to become markup or script where a page is careless. What runs sets `window.hacked`.
MARKUP = [
    "<script>window.hacked=1</script>", "<b>bold</b>", "<img src=x onerror=window.hacked=1>", "<svg onload=window.hacked=1>",
    "\"><script>window.hacked=1</script>", "'><script>window.hacked=1</script>", "</script><script>window.hacked=1</script>",
    "</title><script>window.hacked=1</script>", "</textarea><script>window.hacked=1</script>", "<iframe src=javascript:window.hacked=1></iframe>",
    "<body onload=window.hacked=1>", "<input autofocus onfocus=window.hacked=1>", "<select autofocus onfocus=window.hacked=1>",
    "<details open ontoggle=window.hacked=1>", "<video><source onerror=window.hacked=1></video>", "<audio src=x onerror=window.hacked=1>",
    "<marquee onstart=window.hacked=1>", "<object data=javascript:window.hacked=1>", "<embed src=javascript:window.hacked=1>",
    "<a href=javascript:window.hacked=1>click</a>", "<form action=javascript:window.hacked=1><input type=submit></form>",
    "<math><mtext></mtext><script>window.hacked=1</script></math>", "<svg><script>window.hacked=1</script></svg>",
    "<svg><animate onbegin=window.hacked=1 attributeName=x dur=1s>", "<style>@import 'javascript:window.hacked=1'</style>",
    "<link rel=stylesheet href=javascript:window.hacked=1>", "<meta http-equiv=refresh content=0;url=javascript:window.hacked=1>",
    "<base href=javascript:window.hacked=1//>", "javascript:window.hacked=1", "JaVaScRiPt:window.hacked=1", "data:text/html,<script>window.hacked=1</script>",
    "\" onmouseover=window.hacked=1 x=\"", "' onmouseover=window.hacked=1 x='", "` onmouseover=window.hacked=1 x=`", "<!--<script>window.hacked=1//-->",
    "<![CDATA[<script>window.hacked=1</script>]]>", "<?php echo 1 ?>", "{{constructor.constructor('window.hacked=1')()}}", "${window.hacked=1}",
    "#{window.hacked=1}", "<%= window.hacked=1 %>", "&lt;script&gt;window.hacked=1&lt;/script&gt;", "&#60;script&#62;window.hacked=1&#60;/script&#62;",
    "\\u003cscript\\u003ewindow.hacked=1\\u003c/script\\u003e", "%3Cscript%3Ewindow.hacked=1%3C/script%3E", "<ScRiPt>window.hacked=1</sCrIpT>",
    "<script/src=data:,window.hacked=1></script>", "<script\n>window.hacked=1</script\n>", "<<script>window.hacked=1//<</script>",
    "<img src=\"x\" onerror=\"window.hacked=1\" />", "<div style=\"background:url(javascript:window.hacked=1)\">", "<xss onclick=window.hacked=1>x</xss>",
    "<template><script>window.hacked=1</script></template>", "<noscript><p title=\"</noscript><img src=x onerror=window.hacked=1>\">",
    "{n} {name} {id}", "__proto__", "constructor", "\u202e<tpircs>", "\ufeff<script>window.hacked=1</script>",
]
