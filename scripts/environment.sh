# Sourced by the scripts: make .venv from the hash-locked requirements, and again only when a lock has changed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

find_python() {
  for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
    if command -v "$name" >/dev/null 2>&1 \
      && "$name" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null \
      && { "$name" -c 'import ensurepip' || "$name" -m pip --version; } >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
  echo "Orkestra needs Python 3.11 to 3.14 with pip; none was found." >&2
  exit 1
}

# Debian leaves ensurepip out of Python: then the pip beside it fills an environment made without one.
make_environment() {
  if "$1" -c 'import ensurepip' 2>/dev/null; then
    "$1" -m venv .venv
  else
    "$1" -m venv --without-pip .venv
    "$1" -m pip --python .venv/bin/python install --quiet --disable-pip-version-check pip
  fi
}

# environment LOCK: install requirements/LOCK.txt into .venv.
environment() {
  local lock="requirements/$1.txt" mark=".venv/installed-$1" sum
  sum=$(cksum "$lock")
  if [ "$(cat "$mark" 2>/dev/null || true)" != "$sum" ]; then
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
      make_environment "$(find_python)"
    fi
    echo "Installing what $lock names …"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$lock"
    echo "$sum" >"$mark"
  fi
}

# bytecode: compile our code, once. The servers' user may not write beside it, so each process would compile all of it.
bytecode() {
  .venv/bin/python -m compileall -qq apps orkestra || true
}
