"""The OpenAPI document as the tests read it: operations, fields, and schemas that admit nothing undocumented."""

import copy
from dataclasses import dataclass

from jsonschema import Draft202012Validator

JSON = "application/json"


def _closed(node):
    """The same with every object closed: what a schema does not name must not be there."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items() if key not in ("example", "examples")}
    if isinstance(node.get("properties"), dict):
        closed["additionalProperties"] = False
    return closed


@dataclass
class Operation:
    method: str
    path: str
    json: dict
    document: "Document"

    @property
    def id(self) -> str:
        return self.json["operationId"]

    def parameters(self, place: str) -> list[dict]:
        found = [self.document.resolve(parameter) for parameter in self.json.get("parameters", [])]
        return [parameter for parameter in found if parameter["in"] == place]

    @property
    def responses(self) -> dict[int, dict]:
        return {int(code): self.document.resolve(answer) for code, answer in self.json["responses"].items()}

    @property
    def successes(self) -> set[int]:
        return {status for status in self.responses if status < 300}

    @property
    def body(self) -> dict | None:
        """The body's media type: schema and example."""
        return self.json["requestBody"]["content"][JSON] if "requestBody" in self.json else None

    @property
    def fields(self) -> dict:
        """The schema of the body's object, or of the objects in the body's list."""
        schema = self.document.resolve(self.body["schema"])
        return self.document.resolve(schema.get("items", schema))

    @property
    def takes_a_list(self) -> bool:
        return self.document.resolve(self.body["schema"]).get("type") == "array"

    def url(self, ids: dict) -> str:
        return self.path.format(**ids)


class Document:
    def __init__(self, json: dict):
        self.json = json
        self._closed_components = _closed(copy.deepcopy(json["components"]))

    def resolve(self, node: dict) -> dict:
        if "$ref" not in node:
            return node
        found = self.json
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found

    @property
    def schemas(self) -> dict[str, dict]:
        return self.json["components"]["schemas"]

    def names_in(self, node) -> set[str]:
        """The component schemas that a schema refers to, and those that these refer to."""
        if isinstance(node, list):
            return set().union(*map(self.names_in, node))
        if not isinstance(node, dict):
            return set()
        name = node.get("$ref", "").rpartition("/")[2]
        return ({name} | self.names_in(self.schemas[name]) if name else set()) | self.names_in(list(node.values()))

    @property
    def operations(self) -> list[Operation]:
        return [Operation(method.upper(), path, operation, self)
                for path, item in self.json["paths"].items() for method, operation in item.items()]

    @property
    def open_operations(self) -> list[Operation]:
        """Those that do the same while access is open: not people, keys and sessions, which test_access.py and test_rights.py try."""
        return [operation for operation in self.operations if operation.json["tags"] != ["Access"]]

    def operation(self, method: str, path: str) -> Operation:
        return Operation(method, path, self.json["paths"][path][method.lower()], self)

    def check(self, value, schema: dict, what: str) -> None:
        """The value has the schema and nothing that the schema does not name."""
        root = _closed(schema) | {"components": self._closed_components}
        faults = list(Draft202012Validator(root, format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(value))
        assert not faults, f"{what}: " + "; ".join(f"{fault.json_path}: {fault.message}" for fault in faults)

    def check_answer(self, operation: Operation, answer) -> None:
        """A real answer is one that the document announces."""
        what = f"{operation.method} {operation.path} {answer.status}"
        assert answer.status in operation.responses, f"{what} is not documented: {answer.body[:500]!r}"
        response = operation.responses[answer.status]
        type, media = only_media(response)
        assert answer.headers["Content-Type"].partition(";")[0] == type
        self.check(answer.json if type == JSON else answer.text, media["schema"], what)
        for name, header in response.get("headers", {}).items():
            assert name in answer.headers or not self.resolve(header).get("required"), f"{what} lacks {name}"


def only_media(response: dict) -> tuple[str, dict]:
    """The one type a response has, and what the document says of it."""
    [media] = response["content"].items()
    return media


def examples(media: dict) -> list:
    return [example["value"] for example in media["examples"].values()] if "examples" in media else [media["example"]]
