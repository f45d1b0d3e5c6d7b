#!/bin/sh
# Run all tests that need no more than pip brought: on two cores, the simulation beside
# everything else. With arguments: one run of pytest with them.
set -u
python=$1
shift
if [ $# -gt 0 ]; then
  exec "$python" -m pytest -m "not real" "$@"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$python" -m pytest -m "not real" -p no:cacheprovider tests/simulation >"$log" 2>&1 &
simulation=$!
trap 'kill $simulation 2>/dev/null; rm -f "$log"' INT TERM
"$python" -m pytest -m "not real" --ignore=tests/simulation
others=$?
wait $simulation
simulated=$?
echo "== tests/simulation, which ran beside them"
cat "$log"
[ $others -eq 0 ] && [ $simulated -eq 0 ]
