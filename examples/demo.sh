#!/bin/sh
# From no telemetry to a report, with an agent that costs nothing: plan, drain, build, report.
# `make demo` runs it in the project's folder, with tokenest on the path. It writes to target/demo.
set -eu

demo=target/demo
worker="python examples/agent.py {phase_file}"
rm -rf "$demo"
mkdir -p "$demo"
export TOKENEST_DB="$demo/tokenest.duckdb"
export TOKENEST_EXPORTS="$demo/exports"
export TOKENEST_TELEMETRY="$demo/telemetry/**/*.ndjson"
export TOKENEST_TELEMETRY_DIR="$demo/telemetry"

step() {
    printf '\n$ tokenest'
    for word in "$@"; do
        case $word in
            *" "*) printf " '%s'" "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    tokenest "$@"
}

echo "1. Nothing is known yet: plan the ten achievable phases."
step plan --run first --runs "$demo/runs"

echo
echo "2. One phase first, to see that the wiring works."
step drain "$demo/runs/first" --worker "$worker" --phase string-helper --force

echo
echo "3. The rest. The agent answers some, is cut off, fails, hangs, and does nothing."
step drain "$demo/runs/first" --worker "$worker" --batch-size 12 --phase-timeout-seconds 5

echo
echo "4. Land the events and the attempts, score, calibrate."
step build

echo
echo "5. What the telemetry says."
step report --format table

echo
echo "6. What is missing now: the next run."
step plan --run second --runs "$demo/runs" --max-phases 10
