"""What the page on the service shows is what curl prints, and its numbers are those of the code."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from dbt_project import ROOT
from serving import serving
from tokenest_py.service import bounds
from tokenest_py.service.app import ROUTES

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_shown_session_is_what_curl_prints(tmp_path: Path) -> None:
    """Command by command; `...` stands for anything."""
    [session] = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    shown = re.findall(r"^\$ (.*)\n(.*)$", session, re.MULTILINE)
    assert len(shown) == 6
    with serving(tmp_path) as service:
        for command, expected in shown:
            done = subprocess.run(
                ["bash", "-c", command.replace("localhost:8000", f"127.0.0.1:{service.port}")],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            pattern = ".*?".join(map(re.escape, expected.split("...")))
            assert re.fullmatch(pattern, done.stdout), done.stdout


def test_every_endpoint_is_on_the_page() -> None:
    """By its path."""
    for route in ROUTES:
        assert route.path in PAGE, route.path


def test_the_bounds_are_those_of_the_code() -> None:
    """Each number that the page gives."""
    text = " ".join(PAGE.split())
    mib = 1024 * 1024
    assert (
        f"at most {bounds.MAX_BODY // mib} MiB, {bounds.MAX_UNPACKED // mib} MiB unpacked,"
        f" {bounds.MAX_RECORDS:,} records, {bounds.BODY_SECONDS:g} s; a question"
        f" {bounds.MAX_SMALL_BODY // 1024} KiB; all bodies together"
        f" {bounds.MAX_IN_FLIGHT // mib} MiB; a connection that sends no request for"
        f" {bounds.HEAD_SECONDS:g} s is closed; one beyond {bounds.MAX_CONNECTIONS} gets 503"
    ) in text
    assert bounds.LEASE_SECONDS == 120
    assert "A lease lasts two minutes" in text
