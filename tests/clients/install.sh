#!/bin/sh
# Install the clients of the `real` tests: Debian's restic, s3fs, s3cmd and awscli 2, the
# JavaScript SDKs with npm, and a Go program with Go. Needs root for apt; what needs a
# Node or Go that is not there is left out, and its tests say so.
set -eu
cd "$(dirname "$0")"

export DEBIAN_FRONTEND=noninteractive
missing=""
for package in restic s3fs s3cmd awscli fuse; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
if [ -n "$missing" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing
fi

if command -v npm >/dev/null && [ ! -d js/node_modules/minio ]; then
    (cd js && npm ci --no-audit --no-fund --silent)
fi

PATH="$PATH:/usr/local/go/bin"
if command -v go >/dev/null && [ ! -x go/s3clients ]; then
    (cd go && go build -o s3clients .)
fi
