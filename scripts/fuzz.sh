#!/usr/bin/env bash
# Asks a live service everything its OpenAPI document allows, and much that it does not: no 5xx that is not declared, no
# answer against its schema. The farm behind it renders nothing, so thousands of jobs cost seconds. Before that, over
# bare sockets, what no document says: HEAD, ranges, versions, strange headers and multipart bodies (bench.doors).
#   scripts/fuzz.sh [EXAMPLES_PER_OPERATION] [PORT]
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE

readonly EXAMPLES=${1:-100} PORT=${2:-8765}
FARM_HOME=$(mktemp -d /tmp/farm-fuzz-XXXXXX)
export FARM_HOME FARM_NULL_EFFECTS=yes FARM_REQUESTS_PER_MINUTE=1000000
# Designs, manifests and webhooks at made-up addresses are asked of a proxy that is not there: nothing leaves this machine.
export HTTPS_PROXY=http://127.0.0.1:9

.venv/bin/farm serve --port "$PORT" >/dev/null 2>"$FARM_HOME/serve.log" &
readonly SERVICE=$!
end() {
    local code=$?
    [ "$code" = 0 ] || { echo "fuzz: the service said last:" >&2; tail -n 40 "$FARM_HOME/serve.log" >&2; }
    kill "$SERVICE" 2>/dev/null || true
    wait "$SERVICE" 2>/dev/null || true
    .venv/bin/farm down --now >/dev/null 2>&1 || true
    rm -rf "$FARM_HOME"
}
trap end EXIT

for _ in $(seq 120); do
    curl -sf "http://localhost:$PORT/readyz" >/dev/null && break
    kill -0 "$SERVICE" 2>/dev/null || { cat "$FARM_HOME/serve.log" >&2; exit 1; }
    sleep 0.5
done
until [ -s "$FARM_HOME/api-key" ]; do sleep 0.2; done

.venv/bin/python -m bench.doors --examples $((EXAMPLES * 10))
.venv/bin/python -m bench.doors --examples $((EXAMPLES * 10)) --url "http://localhost:$PORT" --key "$(cat "$FARM_HOME/api-key")"

.venv/bin/schemathesis run "http://localhost:$PORT/openapi.json" \
    --header "Authorization: Bearer $(cat "$FARM_HOME/api-key")" \
    --checks all --continue-on-failure --max-examples "$EXAMPLES" --workers 2
