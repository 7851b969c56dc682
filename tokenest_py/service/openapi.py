"""The description of every endpoint, by OpenAPI 3.1: served, and printed in docs/reference.

`python -m tokenest_py.service.openapi` prints it; `make reference` keeps it.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.collection.journal import Attempt
from tokenest_py.pipeline.collection.phases import schema as phase_schema
from tokenest_py.pipeline.exporting.ceilings import Form
from tokenest_py.runtime.recorder.record import EVENT_FIELDS, MAX_TEXT
from tokenest_py.service.requests import JSON, NDJSON, PROTOBUF, answer
from tokenest_py.service.sizing import BUDGET, ESTIMATE, NAMES, OF_BUDGET, OF_ESTIMATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["describe", "get_openapi"]

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
ANY: Schema = {}
IDENTITY = ("version", "database", "telemetry_folder")


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of an object that has these members and no other."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": sorted(required),
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _question(members: Mapping[str, tuple[tuple[str, ...], str]]) -> Schema:
    """Return the schema of a question, whose members are all optional."""
    return _object(
        {},
        {
            name: {"type": [*types, "null"], "description": says}
            | ({"maxLength": MAX_TEXT} if name in NAMES else {})
            for name, (types, says) in members.items()
        },
    )


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_COUNTS = {
    "run_id": TEXT,
    "verdict": TEXT,
    **dict.fromkeys(("queued", "running", "succeeded", "failed"), COUNT),
    "yield": _object({
        "attempts": COUNT,
        "events": COUNT,
        "minutes": {"type": "number"},
        "events_per_minute": _or_null({"type": "number"}),
        "zero_yield": {"type": "object", "additionalProperties": COUNT},
    }),
}  # fmt: skip


def _schemas() -> dict[str, Schema]:
    """Return the schemas by name."""
    phase = phase_schema()
    ids = phase["$defs"]["id"]
    for name in ("run_id", "phase_id"):
        phase["properties"][name] = {**ids, "description": phase["properties"][name]["description"]}
    phase = {key: phase[key] for key in phase if key not in {"$schema", "$defs", "title"}}
    state = {"enum": ["queued", "running", "succeeded", "failed"]}
    return {
        "Error": _object({"message": TEXT}),
        "Event": {
            "type": "object",
            "description": "docs/event_record.md says what each member is; others are left out.",
            "properties": dict.fromkeys(sorted(EVENT_FIELDS), ANY),
            "required": ["actual_output_tokens"],
        },
        "Records": _object({
            "accepted": COUNT,
            "rejected": COUNT,
            "records": _list(_object(
                {"line": COUNT, "accepted": {"type": "boolean"}},
                {"event_id": TEXT, "reason": TEXT, "unknown_fields": COUNT},
            )),
        }),
        "Question": _question(ESTIMATE),
        "BudgetQuestion": _question(BUDGET),
        "Estimate": _object({**dict.fromkeys(OF_ESTIMATE, ANY), "breakdown": _list(TEXT)}),
        "Budget": _object(
            {
                **dict.fromkeys(OF_BUDGET, ANY),
                "estimate": _ref("Estimate"),
                "record": {"type": "object", "description": "The members of the Event so far."},
            },
            {"request": {"type": "object", "additionalProperties": COUNT}},
        ),
        "Health": _object({
            "status": {"enum": ["ok", "cannot record"]},
            "fault": TEXT,
            "version": TEXT,
            "database": _object(
                {"path": TEXT, "id": _or_null(TEXT)},
                {
                    "size": COUNT,
                    "modified": TEXT,
                    "rows": {"type": "object", "additionalProperties": COUNT},
                    "fault": TEXT,
                },
            ),
            "coefficients": _object({
                "id": TEXT, "source": TEXT, "path": TEXT,
                "age_seconds": _or_null({"type": "integer"}), "fault": TEXT,
            }),
            "telemetry": _object(
                {"folder": TEXT, "writable": {"type": "boolean"}, "records": COUNT}
            ),
            "runs": {"type": "object", "additionalProperties": {"type": "boolean"}},
        }),
        "Phase": phase,
        "Attempt": _object({
            "record_type": {"const": "attempt"},
            **dict.fromkeys(_members(optional=False), ANY),
        }, dict.fromkeys(_members(optional=True), ANY)),
        "Runs": _object({
            "identity": _object(dict.fromkeys(IDENTITY, TEXT)),
            "runs": _list({"anyOf": [_object(_COUNTS), _object({"run_id": TEXT, "fault": TEXT})]}),
        }),
        "Run": _object({
            **_COUNTS,
            "phases": _list(_object(
                {
                    "phase_id": TEXT, "state": state, "category": TEXT, "complexity": TEXT,
                    "attempts": COUNT, "events": COUNT,
                },
                {"zero_yield_reason": TEXT, "holder": TEXT, "expires_at": COUNT},
            )),
            "plan": _list(_ref("Phase")),
            "attempts": _list(_ref("Attempt")),
        }),
        "LeaseQuestion": _object(
            {
                "runs": _list(TEXT), "session_id": TEXT, "holder": TEXT,
                "identity": _object(dict.fromkeys(IDENTITY, TEXT)),
            },
            {"limits": {"type": ["object", "null"]}, "phase_id": {"type": ["string", "null"]}},
        ),
        "Lease": {"anyOf": [
            _object({"lease_id": {"type": "null"}}),
            _object({
                "lease_id": TEXT, "seconds": {"type": "number"}, "verdict": TEXT,
                "phase": _ref("Phase"), "attempts": _list(_ref("Attempt")),
            }),
        ]},
        "Renewed": _object({"seconds": {"type": "number"}}),
        "Empty": _object({}),
        "Otlp": {"type": "object", "description": "An export request of OTLP, or its answer."},
        "Ceilings": {"type": "object", "description": "As `tokenest export ceilings` writes them."},
    }  # fmt: skip


def _members(*, optional: bool) -> list[str]:
    may_be_none = {name for name, kind in Attempt.__annotations__.items() if "None" in str(kind)}
    return [name for name in Attempt.__annotations__ if (name in may_be_none) == optional]


# path: method: what it does, what it takes (media type: schema), what it gives (the same)
_ENDPOINTS: dict[str, dict[str, tuple[str, dict[str, str], dict[str, str]]]] = {
    "/health": {"get": ("Identity; 503 when it cannot record.", {}, {JSON: "Health"})},
    "/openapi.json": {"get": ("This description.", {}, {JSON: "Ceilings"})},
    "/v1/events": {"post": (
        "Record finished calls; each record is answered.",
        {JSON: "Event", NDJSON: "Event"}, {JSON: "Records"},
    )},
    "/v1/traces": {"post": (
        "Spans by OTLP.", {PROTOBUF: "Otlp", JSON: "Otlp"}, {PROTOBUF: "Otlp", JSON: "Otlp"},
    )},
    "/v1/logs": {"post": (
        "Log records by OTLP.", {PROTOBUF: "Otlp", JSON: "Otlp"}, {PROTOBUF: "Otlp", JSON: "Otlp"},
    )},
    "/v1/estimate": {"post": (
        "The output tokens that a call will need.", {JSON: "Question"}, {JSON: "Estimate"},
    )},
    "/v1/budget": {"post": (
        "The ceiling to send with a call.", {JSON: "BudgetQuestion"}, {JSON: "Budget"},
    )},
    "/v1/ceilings": {"get": (
        "The ceilings of the last build, for a gateway.", {},
        {JSON: "Ceilings", "application/yaml": "Ceilings"},
    )},
    "/v1/runs": {"get": ("Every run, with its counts.", {}, {JSON: "Runs"})},
    "/v1/runs/{run}": {"get": ("A run, phase by phase, as it is now.", {}, {JSON: "Run"})},
    "/v1/leases": {"post": (
        "The phase to attempt next, out to this drain alone.",
        {JSON: "LeaseQuestion"}, {JSON: "Lease"},
    )},
    "/v1/runs/{run}/leases/{lease}": {
        "put": ("Renew a lease.", {JSON: "Empty"}, {JSON: "Renewed"}),
        "post": ("Finish it with its attempt.", {JSON: "Attempt"}, {JSON: "Attempt"}),
        "delete": ("Give it back.", {}, {JSON: "Empty"}),
    },
}  # fmt: skip
_QUERIES: dict[str, dict[str, Schema]] = {
    "/health": {"run": {**_list(TEXT), "description": "Runs to look for."}},
    "/v1/ceilings": {
        "for": {"enum": [form.value for form in Form], "description": "Who takes them; json."},
        "max_truncation": {**SHARE, "description": "The rate; the nearest there is counts."},
    },
}


def describe() -> Schema:
    """Return the whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tokenest serve",
            "version": version("tokenest"),
            "description": "docs/service.md says what it is for. A body may be packed by gzip where"
            " it is of events or OTLP.",
        },
        "security": [{}, {"token": []}],
        "paths": {
            path: _path(path, methods) for path, methods in _ENDPOINTS.items()
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip


def _path(
    path: str, methods: Mapping[str, tuple[str, dict[str, str], dict[str, str]]]
) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    asked = [
        {"name": name, "in": "path", "required": True, "schema": TEXT} for name in names
    ] + [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in _QUERIES.get(path, {}).items()
    ]  # fmt: skip
    described: dict[str, Any] = {"parameters": asked} if asked else {}
    for method, (says, takes, gives) in methods.items():
        operation: dict[str, Any] = {"summary": says}
        if takes:
            operation["requestBody"] = {"required": True, "content": _content(takes.items())}
        operation["responses"] = {
            "200": {"description": "Done.", "content": _content(gives.items())},
            "default": {
                "description": "Refused: one line that says why.",
                "content": _content([(JSON, "Error")]),
            },
        }
        described[method] = operation
    return described


def _content(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {media_type: {"schema": _ref(name)} for media_type, name in pairs}


async def get_openapi(_: Request) -> Response:
    """Answer with the description."""
    return answer(describe())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe(), indent=1) + "\n")
