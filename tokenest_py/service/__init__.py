"""The HTTP service: events, budgets and OTLP in; runs drained through it (docs/service.md).

bounds.py     how much, how many and how long, each number once
requests.py   a body within its bounds, and what is refused
gate.py       token, host and access log, around everything
recording.py  the files: acknowledged is written
events.py     /v1/events
otlp.py       /v1/traces and /v1/logs
otlp_read.py  OTLP in protobuf and in JSON as one kind of record
otlp_kept.py  what of it the `otel` source maps: nothing else is written
sizing.py     /v1/budget and /v1/estimate
database.py   /v1/ceilings, and what /health says of the database
health.py     /health
leases.py     which phases are out, and whose they are
runs.py       /v1/runs
openapi.py    the description of it all
app.py        the list of the endpoints
server.py     uvicorn, its limits and its end
"""
