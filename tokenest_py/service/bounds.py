"""How much the service takes, how many and how long: each number once."""

from __future__ import annotations

__all__ = [
    "BODY_SECONDS",
    "HEAD_SECONDS",
    "LEASE_SECONDS",
    "MAX_BODY",
    "MAX_CONNECTIONS",
    "MAX_IN_FLIGHT",
    "MAX_RECORDS",
    "MAX_SMALL_BODY",
    "MAX_UNPACKED",
    "MIN_TOKEN",
    "RELOAD_SECONDS",
    "RETRY_SECONDS",
    "STOP_SECONDS",
    "TOO_MANY_RECORDS",
]

LEASE_SECONDS = 120.0  # until a phase that nobody renews goes back
MAX_BODY = 4 * 1024 * 1024  # bytes on the wire: what OTLP exporters send at most
MAX_UNPACKED = 16 * 1024 * 1024  # bytes after gzip
MAX_SMALL_BODY = 64 * 1024  # bytes of a question: a budget, a lease
MAX_IN_FLIGHT = 64 * 1024 * 1024  # bytes of all bodies that are being read or worked on
MAX_RECORDS = 10_000  # events, or spans and log records, of one request
TOO_MANY_RECORDS = f"there are more than {MAX_RECORDS} records; send them in parts"
MAX_CONNECTIONS = 256
HEAD_SECONDS = 10.0  # until a connection has sent the head of a request
BODY_SECONDS = 30.0  # until a request has sent its body
STOP_SECONDS = 20.0  # for what is under way when the service is told to stop
RELOAD_SECONDS = 5.0  # until a promoted table is taken up, at most
RETRY_SECONDS = 5  # what a client is told to wait
MIN_TOKEN = 16  # characters
