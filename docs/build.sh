#!/bin/sh
# Build the documentation in an environment of its own: Sphinx and the AWS CLI want
# different versions of docutils.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-docs
want=$(sha256sum requirements-docs.lock | cut -c1-16)
if [ "$(cat $venv/.stamp 2>/dev/null || true)" != "$want" ]; then
  .venv/bin/python -m venv --clear $venv
  $venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes \
    --only-binary :all: -r requirements-docs.lock
  echo "$want" > $venv/.stamp
fi
{ printf "# Metrics\n\n"; .venv/bin/python -m s3o.observe.metrics_table; } > docs/metrics.md
exec $venv/bin/python -m sphinx -W -q -b html docs docs/_build/html
