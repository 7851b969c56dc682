"""Ceilings and records for calls of client libraries; uses the runtime alone."""
