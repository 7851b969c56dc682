"""Collecting the samples that are missing: plan a run, drain it, explain what yielded nothing.

phases.py   what a run is made of, and its schema
plan.py     coverage gaps, or the ten achievable phases, become a run
runs.py     a run's folder: its phases, its lock, its logs
journal.py  one line an attempt, append-only: the state of a drain, and telemetry
worker.py   one attempt: the user's command in a process group of its own
events.py   which events an attempt left in the telemetry folder
reasons.py  why an attempt yielded nothing
fingerprint.py  when two failures are the same
triage.py   which runs are worth the next attempt
drain.py    the controller
summary.py  what a drain came to
"""
