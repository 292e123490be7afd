"""The requests of the two references, declared as those declare them: with FastAPI and pydantic.

`mini_crm` is reference A (collections end in a slash, weights are a bare list), `leads_crm` is reference B
(`operator_weights`, `activate`, `load-limit`). `beyond` holds the calls that neither has, as FastAPI would read them.
The bounds are those of our contract; whatever else we refuse or read in another way stands in `test_parity.py`.
"""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Optional
from urllib.parse import unquote

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, model_validator, StringConstraints

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Description = Annotated[str, StringConstraints(max_length=2000)]
Key = Annotated[str, StringConstraints(max_length=255)]
LeadName = Annotated[str, StringConstraints(max_length=200)]
Message = Annotated[str, StringConstraints(max_length=16384)]
EventID = Annotated[str, StringConstraints(min_length=1, max_length=200)]
MaxLoad = Annotated[int, Field(ge=1, le=1_000_000)]
WeightValue = Annotated[int, Field(ge=1, le=1_000_000)]
Priority = Annotated[int, Field(ge=0, le=9)]
StickyDays = Annotated[int, Field(ge=0, le=3650)]
Strategy = Literal["weighted_random", "weighted_capacity", "smooth_weighted", "round_robin", "least_loaded", "most_free"]
Reason = Annotated[str, StringConstraints(max_length=500)]
Skip = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[int, Query(ge=0)]
Order = Literal["asc", "desc"]
# The references page with skip and limit alone; the cursor is read as they would read it.
Cursor = Optional[int]


class OperatorCreate(BaseModel):
    name: Name
    is_active: bool = True
    max_load: MaxLoad = 10


class OperatorUpdate(BaseModel):
    name: Optional[Name] = None
    is_active: Optional[bool] = None
    max_load: Optional[MaxLoad] = None
    requeue: Optional[bool] = False


class OperatorActivation(BaseModel):
    active: bool


class LoadLimit(BaseModel):
    max_load: MaxLoad


class SourceCreate(BaseModel):
    name: Name
    description: Optional[Description] = None
    strategy: Optional[Strategy] = None
    sticky_days: Optional[StickyDays] = None


class SourceUpdate(BaseModel):
    name: Optional[Name] = None
    description: Optional[Description] = None
    strategy: Optional[Strategy] = None
    sticky_days: Optional[StickyDays] = None


class BareWeight(BaseModel):
    operator_id: int
    weight: WeightValue = 1


class OperatorWeight(BaseModel):
    operator_id: int
    source_id: int
    weight: WeightValue = 1


class Distribution(BaseModel):
    operator_weights: list[OperatorWeight]


class ContactCreate(BaseModel):
    source_id: int
    lead_external_id: Optional[Key] = None
    lead_phone: Optional[Key] = None
    lead_email: Optional[Key] = None
    lead_name: Optional[LeadName] = None
    message: Optional[Message] = None
    priority: Optional[Priority] = None
    source_event_id: Optional[EventID] = None


class StatusInWords(BaseModel):
    """A says which status is wanted."""

    status: Literal["active", "closed"]


class StatusAsFlag(BaseModel):
    """B says whether the contact is to be active."""

    is_active: bool


class ContactUpdate(BaseModel):
    status: Optional[Literal["active", "closed"]] = None
    operator_id: Optional[int] = None
    priority: Optional[Priority] = None
    message: Optional[Message] = None

    @model_validator(mode="after")
    def one_move_at_a_time(self):
        if self.status is not None and "operator_id" in self.model_fields_set:
            raise ValueError("status and operator_id cannot be changed at once")
        return self


class Assignment(BaseModel):
    operator_id: int
    force: Optional[bool] = False
    reason: Optional[Reason] = None


class Release(BaseModel):
    reason: Optional[Reason] = None


class BulkChange(BaseModel):
    action: Literal["close", "reopen", "assign", "transfer", "release", "priority"]
    ids: Annotated[list[int], Field(min_length=1, max_length=1000)]
    operator_id: Optional[int] = None
    force: Optional[bool] = False
    reason: Optional[Reason] = None
    priority: Optional[Priority] = None

    @model_validator(mode="after")
    def what_the_action_needs(self):
        if self.operator_id is None and self.action in ("assign", "transfer"):
            raise ValueError("operator_id is required by assign and transfer")
        if self.priority is None and self.action == "priority":
            raise ValueError("priority is required by priority")
        return self


class LeadUpdate(BaseModel):
    name: Optional[LeadName] = None
    phone: Optional[Key] = None
    email: Optional[Key] = None
    external_id: Optional[Key] = None


class LeadMerge(BaseModel):
    into: int


# `strict_content_type` came after the references were written: they read a body without a declared type as JSON.
SETTINGS = {"strict_content_type": False, "openapi_url": None}
mini_crm = FastAPI(title="Мини-CRM", **SETTINGS)
leads_crm = FastAPI(title="Leads CRM", **SETTINGS)
beyond = FastAPI(title="Beyond both", **SETTINGS)


@mini_crm.post("/api/v1/operators/")
@leads_crm.post("/api/v1/operators")
async def create_operator(body: OperatorCreate): ...


@mini_crm.get("/api/v1/operators/")
@leads_crm.get("/api/v1/operators")
async def list_operators(
    is_active: Optional[bool] = None, skip: Skip = 0, limit: Limit = 100, order: Order = "asc", cursor: Cursor = None,
): ...


@mini_crm.get("/api/v1/operators/{operator_id}")
@leads_crm.get("/api/v1/operators/{operator_id}")
@leads_crm.get("/api/v1/operators/{operator_id}/stats")
@leads_crm.delete("/api/v1/operators/{operator_id}")
async def one_operator(operator_id: int): ...


@mini_crm.put("/api/v1/operators/{operator_id}")
@leads_crm.patch("/api/v1/operators/{operator_id}")
async def change_operator(operator_id: int, body: OperatorUpdate): ...


@leads_crm.patch("/api/v1/operators/{operator_id}/activate")
async def activate(operator_id: int, body: OperatorActivation): ...


@leads_crm.patch("/api/v1/operators/{operator_id}/load-limit")
async def limit_load(operator_id: int, body: LoadLimit): ...


@mini_crm.post("/api/v1/sources/")
@leads_crm.post("/api/v1/sources")
async def create_source(body: SourceCreate): ...


@mini_crm.get("/api/v1/sources/")
@leads_crm.get("/api/v1/sources")
async def list_sources(skip: Skip = 0, limit: Limit = 100, order: Order = "asc", cursor: Cursor = None): ...


@mini_crm.get("/api/v1/sources/{source_id}")
@mini_crm.get("/api/v1/sources/{source_id}/weights")
@leads_crm.get("/api/v1/sources/{source_id}")
@leads_crm.get("/api/v1/sources/{source_id}/distribution")
async def one_source(source_id: int): ...


@leads_crm.patch("/api/v1/sources/{source_id}")
async def change_source(source_id: int, body: SourceUpdate): ...


@leads_crm.post("/api/v1/sources/{source_id}/distribution")
@beyond.put("/api/v1/sources/{source_id}/distribution")
async def distribute(source_id: int, body: Distribution): ...


@mini_crm.post("/api/v1/sources/{source_id}/weights")
async def set_weights(source_id: int, body: list[BareWeight]): ...


@mini_crm.post("/api/v1/contacts/")
@leads_crm.post("/api/v1/contacts")
async def register(body: ContactCreate): ...


@mini_crm.get("/api/v1/contacts/")
@leads_crm.get("/api/v1/contacts")
async def list_contacts(
    source_id: Optional[int] = None, operator_id: Optional[int] = None, lead_id: Optional[int] = None,
    status: Optional[Literal["new", "active", "closed"]] = None, is_active: Optional[bool] = None,
    created_from: Optional[datetime] = None, created_to: Optional[datetime] = None,
    skip: Skip = 0, limit: Limit = 100, order: Order = "asc", cursor: Cursor = None,
): ...


@mini_crm.get("/api/v1/contacts/{contact_id}")
@leads_crm.get("/api/v1/contacts/{contact_id}")
@beyond.post("/api/v1/contacts/{contact_id}/close")
@beyond.post("/api/v1/contacts/{contact_id}/reopen")
@beyond.get("/api/v1/contacts/{contact_id}/explain")
async def one_contact(contact_id: int): ...


@beyond.post("/api/v1/contacts/bulk")
async def change_contacts(body: BulkChange): ...


@beyond.post("/api/v1/contacts/batch")
async def register_contacts(body: Annotated[list[Any], Field(max_length=1000)]):
    """Only the list is judged as a whole; its items answer for themselves."""


@beyond.patch("/api/v1/contacts/{contact_id}")
async def change_contact(contact_id: int, body: ContactUpdate): ...


@beyond.post("/api/v1/contacts/{contact_id}/assign")
@beyond.post("/api/v1/contacts/{contact_id}/transfer")
async def assign(contact_id: int, body: Assignment): ...


@beyond.post("/api/v1/contacts/{contact_id}/release")
async def release(contact_id: int, body: Optional[Release] = None): ...


@beyond.get("/api/v1/contacts/{contact_id}/history")
async def history(contact_id: int, after: After = 0, limit: Limit = 1000): ...


@beyond.get("/api/v1/stats/overview")
async def show_overview(today_from: Optional[datetime] = None): ...


@beyond.get("/api/v1/sources/{source_id}/shares")
async def list_shares(
    source_id: int, start: Annotated[Optional[datetime], Query(alias="from")] = None,
    end: Annotated[Optional[datetime], Query(alias="to")] = None,
): ...


@beyond.get("/api/v1/events")
async def list_events(after: After = 0, limit: Limit = 100): ...


@mini_crm.patch("/api/v1/contacts/{contact_id}/status")
async def set_status_in_words(contact_id: int, body: StatusInWords): ...


@leads_crm.patch("/api/v1/contacts/{contact_id}/status")
async def set_status_as_flag(contact_id: int, body: StatusAsFlag): ...


@mini_crm.get("/api/v1/leads/")
@leads_crm.get("/api/v1/leads")
async def list_leads(
    q: Optional[Key] = None, skip: Skip = 0, limit: Limit = 100, order: Order = "asc", cursor: Cursor = None,
): ...


@mini_crm.get("/api/v1/leads/{lead_id}")
@leads_crm.get("/api/v1/leads/{lead_id}")
async def one_lead(lead_id: int): ...


@leads_crm.get("/api/v1/leads/{lead_id}/contacts")
async def contacts_of_lead(
    lead_id: int, skip: Skip = 0, limit: Limit = 100, order: Order = "asc", cursor: Cursor = None,
): ...


@beyond.get("/api/v1/leads/duplicates")
async def list_duplicates(skip: Skip = 0, limit: Limit = 100, order: Order = "asc", cursor: Cursor = None): ...


@beyond.patch("/api/v1/leads/{lead_id}")
async def change_lead(lead_id: int, body: LeadUpdate): ...


@beyond.post("/api/v1/leads/{lead_id}/merge")
async def merge_lead(lead_id: int, body: LeadMerge):
    if lead_id == body.into:
        raise RequestValidationError([{"type": "value_error", "loc": ("body", "into"), "input": lead_id, "ctx": {"error": {}},
                                       "msg": "Value error, a lead cannot be merged into itself"}])


@beyond.delete("/api/v1/leads/{lead_id}")
async def erase_lead(lead_id: int, force: bool = False): ...


@mini_crm.get("/api/v1/leads/by-external/{external_id}")
async def one_lead_by_external_id(external_id: str): ...


@mini_crm.get("/api/v1/contacts/stats/distribution")
@leads_crm.get("/api/v1/stats/distribution")
async def statistics(): ...


APPLICATIONS = {"A": mini_crm, "B": leads_crm, "beyond": beyond}


@dataclass
class Answer:
    status: int
    content: Any


class Reference:
    """Asks the applications in this process, by ASGI, with what uvicorn would make of the same request."""

    def __init__(self):
        self._runner = asyncio.Runner()

    def close(self) -> None:
        self._runner.close()

    def ask(self, application: str, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        path, _, query = target.partition("?")
        fields = {"host": "x", "content-length": str(len(body))} | {name.lower(): value for name, value in headers.items()}
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
            "client": ("127.0.0.1", 1), "server": ("x", 80),
        }
        sent = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        async def ask():
            # An application that fails has answered 500 before its exception comes through.
            with contextlib.suppress(Exception):
                await APPLICATIONS[application](scope, receive, send)

        self._runner.run(ask())
        content = b"".join(message.get("body", b"") for message in sent[1:])
        status = sent[0]["status"] if sent else 500
        return Answer(status, json.loads(content) if content and status < 500 else None)
