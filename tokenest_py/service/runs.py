"""`/v1/runs` and `/v1/leases`: what `tokenest drain --api-url` asks, and a live view for people."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import CollectionError, LeaseLostError, RunBusyError
from tokenest_py.pipeline.collection.journal import parse_attempt
from tokenest_py.pipeline.collection.summary import summarize
from tokenest_py.pipeline.collection.triage import Limits, verdict
from tokenest_py.service.requests import RefusedError, Threads, answer, parsed_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.datastructures import State
    from starlette.requests import Request
    from starlette.responses import Response

    from tokenest_py.pipeline.collection.journal import Attempt
    from tokenest_py.service.leases import Leases

__all__ = ["get_run", "get_runs", "lease_of_run", "post_lease"]

THREADS = Threads(4)  # what a killed worker leaves is waited for
MAX_RUNS = 1000  # of one lease
MAX_NAME = 200  # characters of a session or a holder


async def get_runs(request: Request) -> Response:
    """Answer with every run, its verdict and its counts, and with what this service works on."""
    return answer(await THREADS.run(_runs, request.app.state))


async def get_run(request: Request) -> Response:
    """Answer with each phase of a run, queued, running or done, and what came of it."""
    name = request.path_params["run"]
    return answer(await THREADS.run(_of_collection, _run, request.app.state.leases, name))


async def post_lease(request: Request) -> Response:
    """Give out the phase to attempt next."""
    asked = await parsed_object(request)
    return answer(await THREADS.run(_of_collection, _lease, request.app.state, asked))


async def lease_of_run(request: Request) -> Response:
    """Renew a lease (PUT), give it back (DELETE), or finish it with its attempt (POST)."""
    leases: Leases = request.app.state.leases
    name, lease_id = request.path_params["run"], request.path_params["lease"]
    await THREADS.run(_known, leases, name)
    if request.method == "DELETE":
        await THREADS.run(_of_collection, leases.give_back, name, lease_id)
        return answer({})
    body = await parsed_object(request)
    if request.method == "PUT":
        await THREADS.run(_of_collection, leases.renew, name, lease_id)
        return answer({"seconds": leases.seconds})
    attempt = _attempt(body, name)
    written = await THREADS.run(_of_collection, leases.finish, name, lease_id, attempt)
    return answer(written.as_dict())


def _attempt(body: dict[str, Any], name: str) -> Attempt:
    """Return the attempt; raises RefusedError."""
    try:
        return parse_attempt(body, name, "the body")
    except CollectionError as error:
        raise RefusedError(400, str(error)) from None


def _of_collection(call: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - what it returns
    """Call it; what it raises becomes the status that a drain understands."""
    try:
        return call(*arguments)
    except RunBusyError as error:
        raise RefusedError(423, str(error)) from None
    except LeaseLostError as error:
        raise RefusedError(409, str(error)) from None
    except CollectionError as error:
        raise RefusedError(500, str(error)) from None


def _known(leases: Leases, *names: str) -> None:
    """Raise RefusedError where there is no run of one of the names."""
    for name in names:
        if not leases.is_known(name):
            there_are = ", ".join(leases.names()[:10]) or "none"
            raise RefusedError(404, f"{name[:100]} is no run; there are {there_are}")


def _runs(state: State) -> dict[str, Any]:
    listed = []
    for name in state.leases.names():
        try:
            listed.append(_counts(state.leases, name))
        except CollectionError as error:
            listed.append({"run_id": name, "fault": str(error)})
    return {"identity": state.identity.as_dict(), "runs": listed}


def _run(leases: Leases, name: str) -> dict[str, Any]:
    _known(leases, name)
    run, attempts, out = leases.look(name)
    taken = {lease.phase_id: lease for lease in out}
    rows = []
    for phase in run.phases:
        of_phase = [one for one in attempts if one.phase_id == phase.phase_id]
        lease = taken.get(phase.phase_id)
        row = {
            "phase_id": phase.phase_id,
            "state": _state(lease is not None, [one.success for one in of_phase]),
            "category": phase.category,
            "complexity": phase.complexity,
            "attempts": len(of_phase),
            "events": sum(one.events for one in of_phase),
        }
        if of_phase and of_phase[-1].zero_yield_reason:
            row["zero_yield_reason"] = of_phase[-1].zero_yield_reason
        if lease is not None:
            row |= {"holder": lease.holder, "expires_at": round(lease.expires_at)}
        rows.append(row)
    return _counts(leases, name) | {
        "phases": rows,
        "plan": [phase.as_dict() for phase in run.phases],
        "attempts": [one.as_dict() for one in attempts],
    }


def _counts(leases: Leases, name: str) -> dict[str, Any]:
    run, attempts, out = leases.look(name)
    taken = {lease.phase_id for lease in out}
    states = [
        _state(
            phase.phase_id in taken,
            [one.success for one in attempts if one.phase_id == phase.phase_id],
        )
        for phase in run.phases
    ]
    summary = summarize(attempts)
    return {
        "run_id": run.run_id,
        "verdict": verdict(attempts),
        **{state: states.count(state) for state in ("queued", "running", "succeeded", "failed")},
        "yield": {
            name: summary[name]
            for name in ("attempts", "events", "minutes", "events_per_minute", "zero_yield")
        },
    }


def _state(is_out: bool, successes: list[bool]) -> str:  # noqa: FBT001 - of one row
    if is_out:
        return "running"
    if not successes:
        return "queued"
    return "succeeded" if successes[-1] else "failed"


def _lease(state: State, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the phase with its lease; no lease where none is left.

    Raises:
        RefusedError: The question is none, or the drain works on something else.
        CollectionError: As `Leases.lease()`.
    """
    identity = asked.get("identity")
    mismatch = state.identity.mismatch(identity if isinstance(identity, dict) else {})
    if mismatch:
        name, ours, theirs = mismatch
        raise RefusedError(
            412, f"this service's {name} is {ours}, the drain's {theirs}; they work on two things"
        )
    names = asked.get("runs")
    if not isinstance(names, list) or not 0 < len(names) <= MAX_RUNS or not _are_texts(*names):
        raise RefusedError(400, f"runs has to be a list of 1 to {MAX_RUNS} names")
    session, holder, phase_id = (asked.get(n) for n in ("session_id", "holder", "phase_id"))
    if not _are_texts(session, holder, phase_id or ""):
        raise RefusedError(400, f"session_id and holder have to be texts of {MAX_NAME} at most")
    _known(state.leases, *names)
    given = state.leases.lease(names, session, _limits(asked.get("limits")), holder, phase_id)
    if given is None:
        return {"lease_id": None}
    lease, candidate = given
    return {
        "lease_id": lease.lease_id,
        "seconds": state.leases.seconds,
        "verdict": candidate.verdict,
        "phase": candidate.phase.as_dict(),
        "attempts": [one.as_dict() for one in candidate.attempts],
    }


def _limits(given: object) -> Limits:
    """Return the limits that a drain asks to keep.

    Raises:
        RefusedError: They are none.
    """
    defaults = asdict(Limits())
    values = dict(defaults)
    for name, value in given.items() if isinstance(given, dict) else ():
        values[name] = tuple(value) if isinstance(value, list) else value
    is_known = values.keys() == defaults.keys()
    if not is_known or any(type(values[item.name]) is not type(defaults[item.name])
                           for item in fields(Limits)):  # fmt: skip
        raise RefusedError(400, f"limits has to be an object of {', '.join(defaults)}")
    if not _are_texts(*values["skip_run_prefixes"]):
        raise RefusedError(400, "skip_run_prefixes has to be a list of texts")
    return Limits(**values)


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) and len(value) <= MAX_NAME for value in values)
