"""Writes faults.json and documents.json, the answers of FastAPI and of Python's json to which the tests compare ours.

    python3 -m venv .venv && .venv/bin/pip install fastapi pydantic httpx
    .venv/bin/python Tests/APITests/make_fixtures.py

faults.json: [call, target, body|null, detail|value], where a detail is what FastAPI answers with 422 and a value is what
the route decoded. documents.json: [document, message, position] when json refuses it, [document] when it does not.
Cases in which we differ on purpose are not here but in the tests beside them.
"""

import json
import random
import warnings
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, List, Literal, Optional

warnings.simplefilter("ignore")

from fastapi import FastAPI, Query
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field, StringConstraints

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
app = FastAPI()


class OperatorCreate(BaseModel):
    name: Name
    is_active: bool = True
    max_load: Annotated[int, Field(ge=1, le=1_000_000)] = 10


class Weight(BaseModel):
    operator_id: int
    weight: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class Distribution(BaseModel):
    operator_weights: List[Weight]


class ContactCreate(BaseModel):
    source_id: int
    lead_phone: Optional[str] = None
    message: Annotated[Optional[str], Field(max_length=5)] = None
    priority: Annotated[Optional[int], Field(ge=0, le=9)] = None
    is_active: Optional[bool] = None
    status: Optional[Literal["active", "waiting", "closed"]] = None
    ids: Annotated[List[int], Field(max_length=2)] = []


@app.post("/operators")
def operators(body: OperatorCreate):
    return body


@app.put("/operators/{operator_id}")
def operator(operator_id: int, body: OperatorCreate):
    return [operator_id, body]


@app.post("/distribution")
def distribution(body: Distribution):
    return body


@app.post("/weights")
def weights(body: List[Weight]):
    return body


@app.post("/contacts")
def contacts(body: ContactCreate):
    return list(body.model_dump().values())


@app.get("/contacts")
def list_contacts(
    skip: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    is_active: Optional[bool] = None,
    created_from: Optional[datetime] = None,
    order: Literal["asc", "desc"] = "asc",
):
    if created_from and not created_from.tzinfo:
        created_from = created_from.replace(tzinfo=timezone.utc)
    moment = created_from and created_from.astimezone(timezone.utc).isoformat(timespec="microseconds")[:26] + "Z"
    return [skip, limit, is_active, moment, order]


INTEGERS = """7|7.0|-0|-0.0|1e2|1.5e1|7.5|1e+30|9223372036854775807|-9223372036854775808|true|false|null|[]|{}
"7"|"+7"|"-7"|"7.0"|"7."|".0"|"7.5"|"007"|"0_7"|"1_000"|"1__0"|"_1"|"1_"|"7_0.0"|"7.0_0"|"7_.0"|"00"|"-"|"+-7"|"0x10"
"1e2"|""|" "|"- 7"|" 7\\t"|"\\u00a07\\u2003"|"\\u200b7"|"\\u0663"|"1\\u0000"|"null\"""".replace("\n", "|").split("|")
BOUNDED = '0|1|1000000|1000001|-1|"0"|"1000001"|0.0|99999999999999999999|-99999999999999999999|"99999999999999999999"'
BOUNDED += '|"-99999999999999999999"|1e+18|false|null'
BOOLS = """true|false|0|1|2|-1|0.0|1.0|2.0|1.5|1e+30|9223372036854775808|null|[]|{}|"true"|"TRUE"|"t"|"Y"|"yes"|"on"|"1"
"false"|"F"|"n"|"No"|"oFF"|"0"|"2"|"1.0"|" true"|"true "|""|"enable"|"\\uff59\\uff45\\uff53"|"null\"""".replace("\n", "|")
NAMES = """"Ann"|" Ann\\n"|"\\u2003Анна\\u00a0"|""|" \\t "|"\\u200b"|"\\u001cx"|7|7.5|true|null|[]|{}|"e\\u0301"|"\\ud83d\\ude00\"""".replace("\n", "|")
BODIES = """{}|[]|null|true|7|"x"|[{}]|{"name":1,"is_active":"x","max_load":0,"more":[1]}|{"is_active":null,"max_load":[]}
{"Name":"x"}|{"name":"a","max_load":" 7 ","is_active":"off"}||{|{"name":"a",}""".replace("\n", "|")
MOMENTS = """2026-11-21T05:32:11.123456Z|2026-11-21|2026-11-21T05:32|2026-11-21 05:32:11|2026-11-21_05:32:11|2026-11-21t05:32z
2026-11-21T05:32:11+03:00|2026-11-21T05:32:11-0330|2026-11-21T05:32:11\u221203:00|2026-11-21T05:32:11.1|2026-11-21T05:32:11,12
2026-11-21T05:32:11.1234567890|1969-12-31T23:59:59.5Z|0001-01-01|9999-12-31T23:59:59.999999Z|2024-02-29|2000-02-29T00:00+23:59
2026-02-29|2100-02-29|2026-13-01|2026-00-01|2026-04-31|2026-01-00|0000-01-01|x||2026-1-21|2026/11/21|2026-11/21|2x26-11-21
2026-1x-21|2026-11-2x|+2026-11-21| 2026-11-21|2026-11-21 |2026-11-21Z|2026-11-21T|2026-11-21T05|2026-11-21T5:32|2026-11-21T05:32:1
2026-11-21T24:00|2026-11-21T05:60|2026-11-21T05:32:60|2026-11-21T05:32:11.|2026-11-21T05:32:11.Z|2026-11-21T05:32:11 Z
2026-11-21T05:32:11+03|2026-11-21T05:32:11+24:00|2026-11-21T05:32:11+3:00|2026-11-21T05:32:11Zx|2026-11-21T05:32:11.1+""".replace("\n", "|")


def cases():
    for value in INTEGERS:
        yield "contact", f'{{"source_id":{value}}}'
    for value in BOUNDED.split("|"):
        yield "operator", f'{{"name":"a","max_load":{value}}}'
    for value in BOOLS.split("|"):
        yield "operator", f'{{"name":"a","is_active":{value}}}'
    for value in NAMES.split("|"):
        yield "operator", f'{{"name":{value}}}'
    for count in 200, 201:
        yield "operator", json.dumps({"name": " " + "é" * count}, ensure_ascii=False)
    for body in BODIES.split("|"):
        yield "operator", body
    for body in (
        '{"source_id":1,"lead_phone":null,"message":null,"priority":null,"is_active":null,"status":null}',
        '{"source_id":"x","lead_phone":7,"message":"123456","priority":10,"is_active":3,"status":"x","ids":[1,"x",2.5]}',
        '{"lead_phone":[],"message":{},"priority":-1,"is_active":"","status":7,"ids":[null,"x"]}',
        '{"source_id":1,"message":" 12345","priority":"9","status":"Active","ids":{"a":1}}',
        '{"source_id":1,"message":"e\\u0301e\\u0301e","status":"closed","ids":["1",2.0]}',
        '{"source_id":1,"message":"e\\u0301e\\u0301e\\u0301","status":" closed","ids":null}',
    ):
        yield "contact", body
    lists = ["[]", "{}", "null", "7", '"x"', "[7]", "[null]", "[[]]", "[{}]", '[{"operator_id":1,"weight":30}]']
    lists += ['[{"operator_id":1},{"operator_id":"x","weight":0},{"weight":"1"},"y",{"operator_id":2.5,"weight":null}]']
    for value in lists:
        yield "weights", value
        yield "distribution", f'{{"operator_weights":{value}}}'
    yield "distribution", "{}"
    for target in "7", "%207", "7.0", "7.5", "x", "-1", "9223372036854775807":
        yield f"path:{target}", '{"name":"a"}'
    yield "path:x", "[]"
    yield "path:x", "{"
    yield "path:x", '{"name":"","max_load":0}'
    for query in (
        "|skip=|skip=x|skip=-1|skip=5&limit=7|skip=1&skip=2|skip=x&skip=1|skip=1&skip=x|limit=0|limit=1001|limit=1e3|limit=007"
        "|limit=1_0|limit=7.0|limit=%2B7|skip=%00|SKIP=x|skip=null|is_active=|is_active=yes"
        "|is_active=2|is_active=null|is_active=True|is_active=1.0|order=desc|order=DESC|order=|created_from=null&order=x"
        "|skip=-1&limit=0&is_active=x&created_from=x&order=x"
    ).split("|"):
        yield "query", query
    for moment in MOMENTS.split("|"):
        yield "moment", moment


def answer(client, kind, text):
    if kind == "query":
        return client.get("/contacts?" + text)
    if kind == "moment":
        return client.get("/contacts", params={"created_from": text})
    headers = {"Content-Type": "application/json"}
    if kind.startswith("path:"):
        return client.put("/operators/" + kind[5:], content=text.encode(), headers=headers)
    path = {"operator": "/operators", "contact": "/contacts", "weights": "/weights", "distribution": "/distribution"}
    return client.post(path[kind], content=text.encode(), headers=headers)


DOCUMENTS = r"""null|true|false|0|-0|7|-7.5|1e5|1E+5|0.1e-2|1e400|99999999999999999999|""|"a"|"\"\\\/\b\f\n\r\t"|"\u00e9\uD83D\uDE00"
"é😀"|"~"|[]|{}|[ ]|{ }| [ 1 , 2 ] |{ "a" : 1 , "b" : [ ] }|[[[[]]]]|{"a":{"b":{"c":null}}}|{"":1}| |tru|truex|nul|True|tRue|nullnull
+1|.5|-|--1|-a|01|-01|00|1.|1.x|1e|1e+|1e-x|1.5.5|0x1|1_0|1,2|1 2|[01]|[1.]|[1e+]|[-]|[|[1|[1,|[1 2]|[1,]|[,1]|[1,,2]|[1}|[1]]|[1]x
{|{"a"|{"a":|{"a":1|{"a":1,|{"a" 1}|{"a"}|{"a":}|{"a":1,}|{"a":1 , }|{"a":1 "b":2}|{"a":1;"b":2}|{a:1}|{'a':1}|{1:2}|{null:1}|{,}
{"a":1]|{"a":1}}|{"a":[1,2,}|{"a":nul}|'a'|/**/1|[1]//|"|"abc|"\|"abc\|"\x"|"\U0041"|"é\q"|"\u|"\u1|"\u12|"\u12"|"\uzzzz"|"\u12g4"
"\u 123"|"\u+123"|"\u0x1f"|["\u123|"\ud83d\u12"|"\ud83d\uzzzz"|["é","\|{"a":"x|{"é":"x|{"é" 1}|["😀",x]|"a""b"|["a" "b"]""".replace("\n", "|")
CONTROLS = ["\n", "\r\n\t ", "1\n", "\t[\n1\r,\t2]", "\x0b1", "\x0c1", "\u00a01", "1\u2028", '"a\tb"', '"\x00"', '"\x1f', '"\x7f"',
            '{"a\n":1}', '{"a":1,\n "b"}', '"\u2028"', "\x00", "[1\x002]", ""]
TEMPLATE = '{"é": "Анна\\n", "n": [1, -2.5e3, true], "o": {"": "\\u00e9"}}'


def documents():
    yield from DOCUMENTS.split("|")
    yield from CONTROLS
    random.seed(7)
    for _ in range(120):
        text = list(TEMPLATE)
        for _ in range(random.choice([1, 1, 2])):
            at = random.randrange(len(text))
            match random.randrange(3):
                case 0: text[at] = random.choice('{}[],:"\\ue1.-+ tx')
                case 1: text.insert(at, random.choice('{}[],:"\\ue1.-+ tx'))
                case 2: del text[at]
        yield "".join(text)


def verdict(document):
    def unique(pairs):
        if len({name for name, _ in pairs}) < len(pairs):
            raise LookupError
        return dict(pairs)

    try:
        json.loads(document, object_pairs_hook=unique).__str__().encode()
        return [document]
    except json.JSONDecodeError as error:
        return [document, error.msg, error.pos]
    except (LookupError, UnicodeEncodeError):
        return None  # A duplicate name or a lone surrogate, which Python accepts.


def write(name, rows):
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    path = Path(__file__).with_name(name)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{name}: {len(rows)} cases, {path.stat().st_size} bytes")


client = TestClient(app, raise_server_exceptions=False)
faults = []
for kind, text in cases():
    response = answer(client, kind, text)
    assert response.status_code in (200, 422), (kind, text, response.status_code)
    body = response.json()
    faults.append([kind, text, *([body["detail"]] if response.status_code == 422 else [None, body])])
write("faults.json", faults)
write("documents.json", [row for row in map(verdict, dict.fromkeys(documents())) if row])
