#!/usr/bin/env bash
# Makes .venv with everything that tests, demo and benchmarks need.
# Needs Python 3.11 or newer (STRONGROOM_PYTHON names one). As root on Debian it installs
# missing system packages; otherwise it says which are missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# package:what shows that it is there
needed="python3-venv:ensurepip libssl3:libcrypto.so.3 libgcrypt20:libgcrypt.so.20 gdb:gdb swtpm:swtpm postgresql:pg_ctlcluster"

find_python() {
  # A system Python first: other users can execute it, as a service of its own needs.
  local found
  for found in ${STRONGROOM_PYTHON:-} /usr/bin/python3 /usr/bin/python3.1[1-9] python3; do
    if "$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$found"
      return
    fi
  done
  echo "Strongroom needs Python 3.11 or newer; install it and run this again." >&2
  exit 1
}

is_there() {
  case "$1" in
    ensurepip) "$python" -c 'import ensurepip, venv' 2>/dev/null ;;
    *.so.*) "$python" -c "import ctypes; ctypes.CDLL('$1')" 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

python=$(find_python)
missing=()
for pair in $needed; do
  is_there "${pair#*:}" || missing+=("${pair%%:*}")
done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing system packages: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  else
    echo "Missing system packages, install them first: ${missing[*]}" >&2
    exit 1
  fi
fi

echo "Setting up .venv with $("$python" --version) (about a minute the first time)"
.venv/bin/python -c '' 2>/dev/null || "$python" -m venv --clear .venv
quiet=(-qq --disable-pip-version-check)
.venv/bin/python -m pip install "${quiet[@]}" --require-hashes -r requirements/build.txt
.venv/bin/python -m pip install "${quiet[@]}" --require-hashes --no-build-isolation \
  -r requirements/dev.txt
.venv/bin/python -m pip install "${quiet[@]}" --no-deps --no-build-isolation -e .
