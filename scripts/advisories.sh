#!/usr/bin/env bash
# Asks the advisory service about what the image installs. 0: nothing is known against any of it; 1: something is;
# 2: it was not told of all of it, so that nothing follows.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly LOCK=${1:-requirements.lock}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
status=0
# Nothing is installed or resolved for it: versions and hashes are the lock's own.
.venv/bin/pip-audit --disable-pip --require-hashes --progress-spinner off --timeout 20 -r "$LOCK" \
    >"$folder/found" 2>"$folder/said" || status=$?
skipped=$(cat "$folder/found" "$folder/said" | grep -c 'could not be audited' || true)
if [ "$status" != 0 ] && [ -s "$folder/found" ]; then
    cat "$folder/found"
    exit 1
fi
if [ "$status" != 0 ] || [ "$skipped" != 0 ]; then
    tail -n 1 "$folder/said" >&2
    echo "advisories: NOT CHECKED: the advisory service was not reached, or does not know $skipped of $(grep -c '^[a-z0-9].*==' "$LOCK") packages." >&2
    exit 2
fi
cat "$folder/said"
