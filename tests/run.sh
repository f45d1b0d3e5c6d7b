#!/bin/sh
# Run tests on two cores: `tests/run.sh PYTHON all|fast [pytest's arguments]`.
# With arguments it is one run of pytest with them.
set -u
python=$1
what=$2
shift 2
case $what in
all) marks="not real" beside="tests/simulation tests/ledger tests/cancellation" quiet="" ;;
fast)
  marks="not real and not slow" quiet="-q"
  beside="tests/house tests/wire tests/policy tests/s3api tests/net tests/config tests/ledger tests/contract"
  ;;
esac
if [ $# -gt 0 ]; then
  exec "$python" -m pytest $quiet -m "$marks" "$@"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$python" -m pytest $quiet -m "$marks" -p no:cacheprovider $beside >"$log" 2>&1 &
other=$!
trap 'kill $other 2>/dev/null; rm -f "$log"' INT TERM
"$python" -m pytest $quiet -m "$marks" $(printf -- '--ignore=%s ' $beside)
here=$?
wait $other
there=$?
echo "== $beside, which ran beside the others"
if [ "$what" = all ] || [ $there -ne 0 ]; then cat "$log"; else tail -n 3 "$log"; fi
[ $here -eq 0 ] && [ $there -eq 0 ]
