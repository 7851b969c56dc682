"""Telemetry of calls: one event, one line, one write; never an error for the application."""

from __future__ import annotations

from tokenest_py.runtime.recorder.recorder import Recorder, RecorderStatus

__all__ = ["Recorder", "RecorderStatus"]
