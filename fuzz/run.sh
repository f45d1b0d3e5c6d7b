#!/bin/sh
# Fuzz every parser, or those named, for so many seconds each.
set -eu
cd "$(dirname "$0")/.."
seconds=$1
shift
venv=.venv-fuzz
want=$(cat requirements.lock requirements-fuzz.lock | sha256sum | cut -c1-16)
if [ "$(cat $venv/.stamp 2>/dev/null || true)" != "$want" ]; then
  .venv/bin/python -m venv --clear $venv
  $venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes \
    --only-binary :all: -r requirements.lock -r requirements-fuzz.lock
  echo "$want" > $venv/.stamp
fi
[ $# -gt 0 ] || set -- $(ls fuzz/target_*.py | sed 's|fuzz/target_\(.*\)\.py|\1|')
for target in "$@"; do
  echo "== $target"
  $venv/bin/python fuzz/run.py "$target" "-max_total_time=$seconds"
done
