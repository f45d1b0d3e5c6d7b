#!/bin/sh
# Install what the `real` tests run from Debian: OpenStack Swift with s3api, Ceph RGW,
# and Chromium. Needs root. None of their services is started; the tests run what they need.
set -eu

export DEBIAN_FRONTEND=noninteractive
packages="postgresql swift-proxy swift-account swift-container swift-object memcached
python3-swift python3-keystonemiddleware ceph-mon ceph-mgr ceph-osd ceph-common radosgw
chromium"

missing=""
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

# Debian starts what it installs unless this says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
fi

apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing
