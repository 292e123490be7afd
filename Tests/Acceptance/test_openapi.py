"""The OpenAPI document, compared with what the server does, and the pages made of it."""

import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from database import Database
from instance import migrate
from openapi import JSON, Document, examples, only_media
from postgres import Cluster
from test_contract_errors import ROUTES

# Served beside the API and not part of it.
PAGES = ["/openapi.json", "/api/v1/openapi.json", "/docs", "/redoc"]

# Every success the document announces, once: method, path, status and, where there is one, the body.
SUCCESSES = [
    ("GET", "/", 200), ("GET", "/health", 200), ("GET", "/livez", 200), ("GET", "/readyz", 200),
    ("GET", "/metrics", 200),
    ("POST", "/api/v1/operators", 201, {"name": "Anna"}),
    ("GET", "/api/v1/operators", 200),
    ("GET", "/api/v1/operators/{operator_id}", 200),
    ("PATCH", "/api/v1/operators/{operator_id}", 200, {"name": "Boris"}),
    ("PUT", "/api/v1/operators/{operator_id}", 200, {"max_load": 100}),
    ("DELETE", "/api/v1/operators/{operator_id}", 200),
    ("GET", "/api/v1/operators/{operator_id}/stats", 200),
    ("PATCH", "/api/v1/operators/{operator_id}/activate", 200, {"active": True}),
    ("PATCH", "/api/v1/operators/{operator_id}/load-limit", 200, {"max_load": 100}),
    ("POST", "/api/v1/sources", 201, {"name": "A source of the document"}),
    ("GET", "/api/v1/sources", 200),
    ("GET", "/api/v1/sources/{source_id}", 200),
    ("PATCH", "/api/v1/sources/{source_id}", 200, {"sticky_days": 3}),
    ("GET", "/api/v1/sources/{source_id}/distribution", 200),
    ("POST", "/api/v1/sources/{source_id}/distribution", 201,
     lambda ids: {"operator_weights": [{"operator_id": ids["operator_id"], "source_id": ids["source_id"]}]}),
    ("PUT", "/api/v1/sources/{source_id}/distribution", 200,
     lambda ids: {"operator_weights": [{"operator_id": ids["operator_id"], "source_id": ids["source_id"]}]}),
    ("GET", "/api/v1/sources/{source_id}/weights", 200),
    ("GET", "/api/v1/sources/{source_id}/shares", 200),
    ("POST", "/api/v1/sources/{source_id}/weights", 200, lambda ids: [{"operator_id": ids["operator_id"]}]),
    ("POST", "/api/v1/contacts", 201, lambda ids: {"source_id": ids["source_id"], "message": "hello"}),
    ("POST", "/api/v1/contacts", 200, lambda ids: {"source_id": ids["source_id"], "source_event_id": "first"}),
    ("GET", "/api/v1/contacts", 200),
    ("GET", "/api/v1/contacts/stats/distribution", 200),
    ("GET", "/api/v1/contacts/{contact_id}", 200),
    ("PATCH", "/api/v1/contacts/{contact_id}/status", 200, {"status": "active"}),
    ("POST", "/api/v1/contacts/{contact_id}/close", 200),
    ("POST", "/api/v1/contacts/{contact_id}/reopen", 200),
    ("PATCH", "/api/v1/contacts/{contact_id}", 200, {"priority": 3}),
    ("POST", "/api/v1/contacts/{contact_id}/assign", 200, lambda ids: {"operator_id": ids["operator_id"]}),
    ("POST", "/api/v1/contacts/{contact_id}/transfer", 200, lambda ids: {"operator_id": ids["operator_id"]}),
    ("POST", "/api/v1/contacts/{contact_id}/release", 200, {"reason": "lunch"}),
    ("POST", "/api/v1/contacts/batch", 200,
     lambda ids: [{"source_id": ids["source_id"], "message": "hello"}, {"source_id": ids["source_id"], "source_event_id": "first"},
                  {"source_id": 999_999}, {"source_id": "x"}, 7]),
    ("POST", "/api/v1/contacts/bulk", 200, lambda ids: {"action": "priority", "ids": [ids["contact_id"], 999_999], "priority": 1}),
    ("GET", "/api/v1/contacts/{contact_id}/explain", 200),
    ("GET", "/api/v1/queue", 200),
    ("GET", "/api/v1/contacts/{contact_id}/history", 200),
    ("GET", "/api/v1/leads", 200),
    ("GET", "/api/v1/leads/duplicates", 200),
    ("GET", "/api/v1/leads/{lead_id}", 200),
    ("PATCH", "/api/v1/leads/{lead_id}", 200, {"name": "Ivan Petrov", "phone": "8 900 765-43-21"}),
    ("POST", "/api/v1/leads/{lead_id}/merge", 200, lambda ids: {"into": ids["other_lead_id"]}),
    ("DELETE", "/api/v1/leads/{lead_id}", 200),
    ("GET", "/api/v1/leads/by-external/{external_id}", 200),
    ("GET", "/api/v1/leads/{lead_id}/contacts", 200),
    ("GET", "/api/v1/stats/distribution", 200),
    ("GET", "/api/v1/stats/overview", 200),
    ("GET", "/api/v1/events", 200),
    ("GET", "/api/v1/events/stream", 200),
]


@pytest.fixture(scope="module")
def document(server) -> Document:
    return Document(server.client().get("/openapi.json").must_be(200).json)


@pytest.fixture(scope="module")
def ids(server) -> dict:
    """Something of each kind: a source with an operator, contacts that are placed, closed and waiting."""
    api = server.client()
    source, operator = api.staffed_source(max_load=3, description="A source")
    contact = api.contact(source["id"], source_event_id="first", message="hello", lead_phone="+79001234567",
                          lead_email="a@example.com", lead_external_id="x", lead_name="Ivan")
    api.close_contact(api.contact(source["id"])["id"])
    assert api.contact(api.source()["id"])["waiting_reason"] == "no_operators"
    # A pair of leads with a phone in common.
    other = api.contact(source["id"], lead_phone="+79001234567", lead_external_id="y")
    return {"source_id": source["id"], "operator_id": operator["id"], "contact_id": contact["id"],
            "lead_id": contact["lead_id"], "other_lead_id": other["lead_id"], "external_id": "x",
            "person_id": 1, "session_id": 1, "key_id": "aaaaaaaa"}


def test_the_document_is_valid_openapi(document):
    assert document.json["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document.json).validate()
    for schema in document.schemas.values():
        Draft202012Validator.check_schema(schema)


def test_the_document_is_served_at_both_addresses(api):
    first = api.get("/openapi.json").must_be(200)
    for path in ("/openapi.json/", "/api/v1/openapi.json"):
        answer = api.get(path).must_be(200)
        assert answer.body == first.body and answer.headers["Content-Type"] == JSON


def test_who_has_the_document_is_told_so(api):
    for path in ("/openapi.json", "/docs"):
        tag = api.get(path).headers["ETag"]
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            answer = api.get(path, headers={"If-None-Match": known}).must_be(304)
            assert answer.body == b"" and answer.headers["ETag"] == tag
        api.get(path, headers={"If-None-Match": '"other"'}).must_be(200)


def test_every_route_of_the_contract_is_documented(document):
    contract = {re.sub(r"{(\w+?)(_id)?}", r"{\1_id}", path): methods - {"HEAD"} for path, methods in ROUTES.items() if path not in PAGES}
    documented = {path: {method.upper() for method in item} for path, item in document.json["paths"].items()}
    assert documented == contract


def test_every_method_a_documented_path_answers_to_is_documented(document, api, ids):
    for path, item in document.json["paths"].items():
        answer = api.request("TRACE", path.format(**ids)).must_be(405)
        allowed = {method.strip() for method in answer.headers["Allow"].split(",")} - {"HEAD", "OPTIONS"}
        assert allowed == {method.upper() for method in item}, path
        method_not_allowed = document.json["components"]["responses"]["MethodNotAllowed"]
        document.check(answer.json, method_not_allowed["content"][JSON]["schema"], "405")


def test_operations_are_named_and_grouped(document):
    operations = document.operations
    assert len({operation.id for operation in operations}) == len(operations)
    tags = [tag["name"] for tag in document.json["tags"]]
    assert {tag for operation in operations for tag in operation.json["tags"]} == set(tags)
    assert all(operation.json["summary"] for operation in operations)


def test_everything_is_described_in_words(document):
    def must_be_described(thing, what):
        assert thing.get("description", "").strip().endswith("."), f"no words for {what}: {thing.get('description')!r}"

    for name, schema in document.schemas.items():
        must_be_described(schema, name)
        for field, property in schema["properties"].items():
            must_be_described(property, f"{name}.{field}")
    for operation in document.operations:
        for parameter in operation.parameters("path") + operation.parameters("query") + operation.parameters("header"):
            must_be_described(parameter, f"{operation.id} {parameter['name']}")
        for status, response in operation.responses.items():
            must_be_described(response, f"{operation.id} {status}")


def test_path_parameters_are_those_of_the_path(document):
    for operation in document.open_operations:
        named = [segment[1:-1] for segment in operation.path.split("/") if segment.startswith("{")]
        assert [parameter["name"] for parameter in operation.parameters("path")] == named


def test_all_examples_have_their_schema(document):
    for operation in document.open_operations:
        medias = {str(status): only_media(response)[1] for status, response in operation.responses.items()}
        if operation.body:
            medias["body"] = operation.body
        for what, media in medias.items():
            assert examples(media)
            for example in examples(media):
                document.check(example, media["schema"], f"example of {operation.id} {what}")


def test_answers_always_have_all_their_fields(document):
    sent = document.names_in([operation.body["schema"] for operation in document.operations if operation.body])
    optional = {("ValidationError", "ctx"), ("ContactBulkResult", "detail"), ("ContactBulkResult", "code"),
                ("ContactBatchResult", "contact"), ("ContactBatchResult", "detail"), ("ContactBatchResult", "code")}
    for name, schema in document.schemas.items():
        if name not in sent:
            assert schema["required"] == [field for field in schema["properties"] if (name, field) not in optional]


@pytest.mark.parametrize("row", SUCCESSES, ids=lambda row: " ".join(map(str, row[:3])))
def test_a_success_is_the_one_documented(document, api, ids, row):
    method, path, status, *body = row
    if method == "DELETE":
        closed = api.contact(ids["source_id"], lead_name="Nobody any more")
        api.close_contact(closed["id"])
        ids = ids | {"operator_id": api.operator()["id"], "lead_id": closed["lead_id"]}
    body = [fields(ids) if callable(fields) else fields for fields in body]
    answer = api.request(method, path.format(**ids), *body).must_be(status)
    document.check_answer(document.operation(method, path), answer)


def test_every_documented_success_is_tried(document):
    tried = {row[:3] for row in SUCCESSES}
    assert tried == {(operation.method, operation.path, status)
                     for operation in document.open_operations for status in operation.successes}


@pytest.mark.parametrize("status", ["new", "active", "closed"])
def test_a_contact_of_any_status_has_its_schema(document, api, ids, status):
    answer = api.get(f"/api/v1/contacts?status={status}").must_be(200)
    assert answer.json
    document.check_answer(document.operation("GET", "/api/v1/contacts"), answer)


def harmless_body(operation) -> list:
    """A valid body, if the operation has one; it names no source beside that of the path."""
    if not operation.body:
        return []
    [example] = examples(operation.body)
    return [example | {"operator_weights": []} if "operator_weights" in example else example]


def test_what_is_not_there_is_a_documented_404(document, api, ids):
    unknown = dict.fromkeys(ids, 999_999)
    for operation in document.open_operations:
        if operation.parameters("path"):
            body = harmless_body(operation)
            answer = api.request(operation.method, operation.url(unknown), *body).must_be(404)
            document.check_answer(operation, answer)


def test_a_422_is_documented_where_anything_is_read_and_nowhere_else(document, api, ids):
    for operation in document.open_operations:
        attempts = [(operation.url(dict.fromkeys(ids, "%00")), ...)] if operation.parameters("path") else []
        if operation.body:
            attempts.append((operation.url(ids), "no object"))
        if operation.parameters("query"):
            attempts.append((f"{operation.url(ids)}?{operation.parameters('query')[-1]['name']}={WRONG_IN_URL}", ...))
        assert bool(attempts) == (422 in operation.responses), operation.id
        for url, body in attempts:
            document.check_answer(operation, api.request(operation.method, url, body).must_be(422))


def test_bodies_that_are_no_text_or_too_large_are_documented(document, api, ids):
    for operation in document.open_operations:
        if operation.body:
            answer = api.request(operation.method, operation.url(ids), raw=b'{"\xff": 1}').must_be(400)
            document.check_answer(operation, answer)
        if operation.method != "GET":
            length = {"Content-Length": str(2**31)}
            answer = api.request(operation.method, operation.url(ids), raw=b"", headers=length).must_be(413)
            api.close()
            document.check_answer(operation, answer)


def test_bad_requests_are_documented(document, api, ids):
    taken = {"name": api.read("sources", ids["source_id"])["name"]}
    other = {"operator_weights": [{"operator_id": ids["operator_id"], "source_id": ids["source_id"] + 1}]}
    for method, path, body in (("POST", "/api/v1/sources", taken),
                               ("POST", "/api/v1/sources/{source_id}/distribution", other),
                               ("PUT", "/api/v1/sources/{source_id}/distribution", other)):
        document.check_answer(document.operation(method, path), api.request(method, path.format(**ids), body).must_be(400))
    new_name = api.source()["id"]
    operation = document.operation("PATCH", "/api/v1/sources/{source_id}")
    document.check_answer(operation, api.patch(f"/api/v1/sources/{new_name}", taken).must_be(400))


def test_a_503_is_documented_where_the_database_is_needed_and_nowhere_else(document, ids, instances):
    cluster = Cluster().start()
    try:
        database = Database(cluster.dsn("postgres"))
        migrate(database.dsn)
        api = instances(database).client()
        cluster.kill()
        for operation in document.open_operations:
            body = harmless_body(operation)
            answer = api.request(operation.method, operation.url(ids), *body)
            assert (answer.status == 503) == (503 in operation.responses), f"{operation.id}: {answer.status}"
            document.check_answer(operation, answer)
    finally:
        cluster.remove()


# Nothing that is read takes an empty object, nor a text with U+0000.
WRONG, WRONG_IN_URL = {}, "%00"


def names_anywhere(document: Document) -> set[str]:
    """Every field and parameter that any operation knows."""
    names = {field for schema in document.schemas.values() for field in schema["properties"]}
    return names | {parameter["name"] for operation in document.open_operations for parameter in operation.parameters("query")}


def faults(answer) -> list[dict]:
    """Those of the whole request, or of the items of a batch, each of which is judged by itself."""
    if answer.status == 422:
        return answer.json["detail"]
    items = answer.json if isinstance(answer.json, list) else []
    return [fault for item in items if item.get("status") == 422 for fault in item["detail"]]


def faulty_locations(api, operation, url, body=...) -> list[tuple]:
    return sorted(tuple(fault["loc"]) for fault in faults(api.request(operation.method, url, body)))


def test_the_fields_of_a_body_are_those_documented_and_no_others(document, api, ids):
    """Every name of the whole document is sent with a value of the wrong type: those that are read are faults."""
    for operation in document.open_operations:
        if not operation.body:
            continue
        fields, url = operation.fields, operation.url(ids)
        everything = dict.fromkeys(names_anywhere(document), WRONG)
        prefix = ("body", 0) if operation.takes_a_list else ("body",)
        alternatives = [rule["required"][0] for rule in fields.get("anyOf", [])] or [None]
        for chosen in alternatives:
            sent = {name: value for name, value in everything.items() if name == chosen or name not in alternatives}
            expected = [(*prefix, name) for name in fields["properties"] if name in sent]
            found = faulty_locations(api, operation, url, [sent] if operation.takes_a_list else sent)
            assert found == sorted(expected), operation.id
        for name, field in fields["properties"].items():
            items = field.get("items")
            if items and "$ref" in items:
                expected = sorted((*prefix, name, 0, inner) for inner in document.resolve(items)["properties"])
                assert faulty_locations(api, operation, url, {name: [everything]}) == expected, operation.id


def test_the_parameters_of_a_query_are_those_documented_and_no_others(document, api, ids):
    for operation in document.open_operations:
        query = "&".join(f"{name}={WRONG_IN_URL}" for name in names_anywhere(document))
        expected = sorted(("query", parameter["name"]) for parameter in operation.parameters("query"))
        url = f"{operation.url(ids)}?{query}"
        if expected:
            assert faulty_locations(api, operation, url) == expected, operation.id
        elif operation.method == "GET":
            api.get(url).must_be(200)


def test_the_required_fields_are_those_documented(document, api, ids):
    for operation in document.open_operations:
        if operation.body and operation.fields.get("required"):
            prefix = ("body", 0) if operation.takes_a_list else ("body",)
            expected = [(*prefix, name) for name in operation.fields["required"]]
            found = faulty_locations(api, operation, operation.url(ids), [{}] if operation.takes_a_list else {})
            assert found == sorted(expected), operation.id


def test_null_is_taken_where_it_is_documented_and_nowhere_else(document, api, ids):
    for operation in document.open_operations:
        if not operation.body or "anyOf" in operation.fields:
            continue
        properties = operation.fields["properties"]
        sent = {name: None for name in properties}
        refused = {name for name, field in properties.items() if "null" not in field.get("type", "")}
        answer = api.request(operation.method, operation.url(ids), [sent] if operation.takes_a_list else sent)
        found = {fault["loc"][-1] for fault in faults(answer)}
        assert found == refused, operation.id


def test_bounds_are_those_documented(document, api, ids):
    """Each bound is kept by one field while a step beyond it is a fault of this field."""
    for operation in document.open_operations:
        if not operation.body or operation.takes_a_list:
            continue
        for name, field in operation.fields["properties"].items():
            within, beyond = [], []
            for bound, step in (("minimum", -1), ("maximum", 1)):
                if bound in field:
                    within.append(field[bound])
                    beyond.append(field[bound] + step)
            for bound, step in (("minLength", -1), ("maxLength", 1)):
                if bound in field:
                    within.append("x" * field[bound])
                    beyond.append("x" * (field[bound] + step))
            if "enum" in field:
                within += field["enum"]
                beyond.append("something else")
            for value in within + beyond:
                # The other fields are wrong, so that nothing is changed; an operation with one field may be carried out.
                sent = dict.fromkeys(operation.fields["properties"], WRONG) | {name: value}
                if "anyOf" in operation.fields:
                    sent = {name: value}
                answer = api.request(operation.method, operation.url(ids), sent)
                faulty = answer.status == 422 and ["body", name] in [fault["loc"] for fault in answer.json["detail"]]
                assert faulty == (value in beyond), (operation.id, name, value)


ASSETS = {"swagger-ui.css": (b"body { color: red }", "text/css; charset=utf-8"),
          "swagger-ui-bundle.js": (b"function SwaggerUIBundle() {}", "text/javascript; charset=utf-8"),
          "favicon-32x32.png": (b"\x89PNG", "image/png")}


@pytest.fixture(scope="module")
def interactive(instances, database, tmp_path_factory):
    """An instance that has Swagger UI, or what looks like it, and files that nobody may have."""
    directory = tmp_path_factory.mktemp("swagger-ui")
    for name, (content, _) in ASSETS.items():
        (directory / name).write_bytes(content)
    (directory / "LICENSE").write_text("not to be served")
    instance = instances(database, LEADS_SWAGGER_UI=directory)
    yield instance
    instance.end()


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_without_swagger_ui_a_page_says_how_to_get_it(api, path):
    answer = api.get(path).must_be(200)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text and "deploy/fetch-swagger-ui" in answer.text and 'href="/openapi.json"' in answer.text
    api.get("/docs/swagger-ui.css").must_be(404)


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_with_swagger_ui_the_page_loads_what_is_served(interactive, path):
    api = interactive.client()
    page = api.get(path).must_be(200)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    addresses = [part.split('"')[0] for part in page.text.replace('href="', 'src="').split('src="')[1:]]
    assert len(addresses) == 4
    for address in addresses:
        assert address.startswith("/docs/")
        api.get(address).must_be(200)
    assert "<script>" not in page.text and "/openapi.json" in api.get("/docs/initializer.js").text


@pytest.mark.parametrize("name", ASSETS)
def test_files_are_served_with_their_types_for_a_long_time(interactive, name):
    content, type = ASSETS[name]
    answer = interactive.client().get(f"/docs/{name}").must_be(200)
    assert (answer.body, answer.headers["Content-Type"]) == (content, type)
    assert "immutable" in answer.headers["Cache-Control"] and answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["LICENSE", "nothing", "..", "../LICENSE", "%2e%2e%2fLICENSE", ".%2fLICENSE", "swagger-ui.css/x",
                                  "swagger-ui.css%00", "..%2f..%2f..%2f..%2fetc%2fpasswd"])
def test_no_other_file_is_served(interactive, name):
    assert interactive.client().get(f"/docs/{name}").must_be(404).json == {"detail": "Not Found"}


def test_half_of_swagger_ui_is_none(instances, database, tmp_path):
    (tmp_path / "swagger-ui.css").write_text("")
    api = instances(database, LEADS_SWAGGER_UI=tmp_path).client()
    assert "<script" not in api.get("/docs").must_be(200).text


def test_pages_allow_no_foreign_code(api, interactive):
    for client in (api, interactive.client()):
        headers = client.get("/docs").must_be(200).headers
        policy = dict(rule.strip().split(" ", 1) for rule in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy.get("script-src", "'self'") == "'self'"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_redoc_leads_to_the_documentation(api):
    for path in ("/redoc", "/redoc/"):
        answer = api.get(path).must_be(307)
        assert answer.headers["Location"] == "/docs" and answer.body == b""


@pytest.mark.parametrize("path", PAGES)
def test_pages_know_head_options_and_wrong_methods(api, path):
    get, head = api.get(path), api.request("HEAD", path)
    assert (head.status, head.body) == (get.status, b"") and head.headers["Content-Type"] == get.headers["Content-Type"]
    for method, status in (("OPTIONS", 204), ("POST", 405)):
        assert api.request(method, path).must_be(status).headers["Allow"] == "GET, HEAD, OPTIONS"
