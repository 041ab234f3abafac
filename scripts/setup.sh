#!/usr/bin/env bash
# Makes .venv from a lock, and nothing else: uv, Python 3.13, the packages, the project itself.
#
#     scripts/setup.sh            what developing takes
#     scripts/setup.sh runtime    what runs, and nothing else: for an image
#
# Needs bash, any python3 and a network. Does nothing (in a tenth of a second) where .venv is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

# Every Ray process would compile thousands of files anew without cached bytecode: 19 s of start-up instead of 5.
unset PYTHONDONTWRITEBYTECODE
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH

LOCK=requirements-dev.lock
readonly STAMP=.venv/.farm-setup
readonly LIBRARIES_STAMP=.venv/.farm-libraries
readonly LOOPS_STAMP=blender/__pycache__/farm-loops
readonly UV_LEAST=0.8.0

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# What .venv is made of; a change of any of it, or a move of the folder, makes it anew.
state() { { pwd; cat "$LOCK" pyproject.toml scripts/setup.sh; } | sha256sum | cut -d' ' -f1; }

is_python_313() {
    # Modules that a Python built without its libraries lacks count too: pyenv makes such ones readily.
    "$1" -c 'import sys, bz2, ctypes, lzma, sqlite3, ssl, venv, zlib; sys.exit(sys.version_info[:2] != (3, 13))' \
        >/dev/null 2>&1
}

find_python() {
    local candidate root
    for candidate in python3.13 python3 python; do
        if command -v "$candidate" >/dev/null && is_python_313 "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    root=${PYENV_ROOT:-}
    [ -n "$root" ] || root=$(pyenv root 2>/dev/null) || root=$HOME/.pyenv
    for candidate in $(ls -d "$root"/versions/3.13.*/bin/python3.13 2>/dev/null | sort -rV); do
        if is_python_313 "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

new_enough() { [ "$(printf '%s\n' "$UV_LEAST" "$("$1" --version | cut -d' ' -f2)" | sort -V | head -n1)" = "$UV_LEAST" ]; }

# Any Python that can make an environment with pip in it, or has pip itself, can fetch uv.
fetch_uv() {
    local python
    for python in python3 python3.13 /usr/bin/python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
        command -v "$python" >/dev/null && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null \
            || continue
        rm -rf .uv
        if "$python" -m venv .uv >/dev/null 2>&1 \
            && .uv/bin/python -m pip install --quiet --require-hashes -r requirements-uv.lock; then
            return
        fi
        rm -rf .uv
        if "$python" -m pip install --quiet --require-hashes --target .uv -r requirements-uv.lock 2>/dev/null \
            && [ -x .uv/bin/uv ]; then
            return
        fi
        rm -rf .uv
    done
    return 1
}

find_uv() {
    if command -v uv >/dev/null && new_enough uv; then
        UV=uv
        return
    fi
    UV=$PWD/.uv/bin/uv
    if ! { [ -x "$UV" ] && "$UV" --version >/dev/null 2>&1 && new_enough "$UV"; }; then
        command -v python3 >/dev/null || die "no python3 found: apt-get install python3 python3-venv"
        say "fetching uv into .uv"
        if ! fetch_uv; then
            install_packages python3-venv && fetch_uv \
                || die "python3 has neither venv nor pip, or there is no network. On Debian: apt-get install python3-venv"
        fi
    fi
}

# Only root may install system packages, and only where the person has not said no (FARM_SETUP_APT=0).
install_packages() {
    [ "$(id -u)" = 0 ] && [ "${FARM_SETUP_APT:-1}" != 0 ] && command -v apt-get >/dev/null || return 1
    say "apt-get install $*"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >/dev/null
}

make_environment() {
    local python
    find_uv
    say "$("$UV" --version | cut -d' ' -f1,2)"
    # An environment has its own path written into its commands, so one that was moved is made anew.
    if ! is_python_313 .venv/bin/python || ! grep -qsF "$PWD/.venv" .venv/bin/activate; then
        rm -rf .venv
        if python=$(find_python); then
            say "Python 3.13 at $python"
        else
            python=3.13
            say "no Python 3.13 here: uv fetches one"
        fi
        "$UV" venv --quiet --python "$python" .venv \
            || die "cannot make .venv with Python 3.13: put a python3.13 on the path (pyenv install 3.13 does too)"
    fi
    say "installing $(grep -c '^[a-z0-9].*==' "$LOCK") locked packages (2.4 GB unpacked: minutes, the first time)"
    export VIRTUAL_ENV=$PWD/.venv UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-300}
    "$UV" pip sync --quiet --require-hashes --compile-bytecode "$LOCK"
    if [ "$LOCK" = requirements-dev.lock ]; then
        "$UV" pip install --quiet --no-deps --no-build-isolation --editable .
    else # what builds the project does not run it: it comes and goes, in the version that is locked for developing
        "$UV" pip install --quiet --no-deps --build-constraints requirements-dev.lock --editable .
    fi
    .venv/bin/python -m compileall -q farm blender
}

# The loops of composer, relighter and verdict, compiled once here, beside their source, instead of before the first
# picture; anew when one of them changed or `make clean` took them away.
compile_loops() {
    local wanted
    wanted=$(grep -rl --include='*.py' -e '^@kernel' farm blender | sort | xargs cat requirements.lock | sha256sum)
    if [ "$(cat "$LOOPS_STAMP" 2>/dev/null)" != "$wanted" ]; then
        say "compiling loops"
        .venv/bin/python -m farm.adapters.rehearsal
        echo "$wanted" >"$LOOPS_STAMP"
    fi
}

# Blender's module links against desktop libraries that a server lacks: said here, before anything else fails.
check_libraries() {
    local packages
    if ! packages=$(.venv/bin/python -m farm.libraries); then
        # shellcheck disable=SC2086  # a list of names
        [ -n "$packages" ] && install_packages $packages && .venv/bin/python -m farm.libraries >/dev/null \
            || die "install what is named above, then run make setup again"
    fi
}

main() {
    case "${1:-}" in
        uv) # for `make lock`: where uv is
            find_uv >&2
            echo "$UV"
            return ;;
        runtime) LOCK=requirements.lock ;;
    esac
    local wanted started=$SECONDS
    wanted=$(state)
    if ! [ -x .venv/bin/python ] || ! [ "$(cat "$STAMP" 2>/dev/null)" = "$wanted" ]; then
        rm -f "$STAMP" "$LIBRARIES_STAMP"
        make_environment
        echo "$wanted" >"$STAMP"
        say ".venv is ready ($((SECONDS - started)) s)"
    fi
    if ! [ -f "$LIBRARIES_STAMP" ]; then
        check_libraries
        : >"$LIBRARIES_STAMP"
    fi
    compile_loops
}

main "$@"
