#!/bin/sh
# Installs the browser that the tests of the report drive, where it is missing.
set -eu

command -v chromium >/dev/null && exit 0
if ! command -v apt-get >/dev/null; then
    echo "the tests of the report need the command chromium; install it with your package manager" >&2
    exit 1
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
echo "installing chromium for the tests of the report" >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes \
    --no-install-recommends chromium >/dev/null ||
    { $as_root apt-get update --quiet --quiet &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes \
            --no-install-recommends chromium >/dev/null; }
