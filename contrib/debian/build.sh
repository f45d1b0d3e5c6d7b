#!/bin/sh
# Build s3-orchestrator_VERSION_ARCH.deb into a folder (default: dist).
#
#   PYTHON=.venv/bin/python contrib/debian/build.sh [FOLDER]     or: just deb
#
# Needs Debian's dpkg-deb and strip (binutils), and a Python of the release's own minor version with pip,
# build and hatchling (./just makes one). The libraries are those of requirements.lock,
# by their hashes, as wheels: nothing is compiled, and the package fits one Debian
# release and this machine's architecture. WHEELHOUSE=dir builds offline. Equal sources
# give equal packages: times are those of the last commit (or SOURCE_DATE_EPOCH).
set -eu
umask 022
cd "$(dirname "$0")/../.."
here=contrib/debian
python=${PYTHON:-python3}
target=${1:-dist}

version=$("$python" -c 'import s3o; print(s3o.__version__)')
minor=$("$python" -c 'import sys; print(sys.version_info[1])')
maintainer="s3-orchestrator developers <maintainers@s3-orchestrator.invalid>"
architecture=$(dpkg --print-architecture)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH="$epoch"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
library=$root/usr/lib/s3-orchestrator
document=$root/usr/share/doc/s3-orchestrator
mkdir -p "$library" "$document/examples" "$root/DEBIAN" "$root/usr/bin" \
    "$root/usr/share/s3-orchestrator" "$root/lib/systemd/system" "$root/etc/default" \
    "$root/etc/s3-orchestrator" "$root/usr/share/man/man1" \
    "$root/usr/share/lintian/overrides"

# The libraries, then the product over them.
source_of_wheels=${WHEELHOUSE:+--no-index --find-links=$WHEELHOUSE}
# shellcheck disable=SC2086  # the arguments are words on purpose
"$python" -m pip install -q --disable-pip-version-check --no-compile --no-deps \
    --require-hashes --only-binary :all: --target "$library" $source_of_wheels \
    -r requirements.lock
rm -rf "$library/bin"
"$python" -m build --wheel --no-isolation -o "$work/wheel" . >/dev/null 2>&1
"$python" -m pip install -q --disable-pip-version-check --no-compile --no-deps \
    --no-index --target "$library" "$work"/wheel/*.whl
rm -rf "$library/bin" "$library/include"
find "$library" -type d \( -name __pycache__ -o -name tests \) -prune -exec rm -rf {} +
# What pip notes of its own run differs from build to build.
find "$library" \( -name RECORD -o -name direct_url.json -o -name REQUESTED \
    -o -name INSTALLER \) -delete

# A copy of libyaml that Debian would have to mend; PyYAML does without. The rest of the
# compiled code goes without its symbols, and nothing in there is a program.
rm -f "$library"/yaml/_yaml*.so
find "$library" -name '*.so*' -type f -exec strip --strip-unneeded {} + -exec chmod 644 {} +
find "$library" -name '*.py' -exec sed -i '1{/^#!/d}' {} +

install -m 755 $here/launcher "$root/usr/bin/s3-orchestrator"
ln -s s3-orchestrator "$root/usr/bin/s3o"
install -m 644 contrib/systemd/s3-orchestrator.service "$root/lib/systemd/system/"
install -m 640 $here/config.yaml "$root/etc/s3-orchestrator/config.yaml"
chmod 750 "$root/etc/s3-orchestrator"
install -m 640 $here/default "$root/etc/default/s3-orchestrator"
install -m 644 schema/config.schema.json "$root/usr/share/s3-orchestrator/"
install -m 644 config.example.yaml "$document/examples/"
install -m 644 README.md CHANGELOG.md "$document/"
install -m 644 $here/lintian-overrides "$root/usr/share/lintian/overrides/s3-orchestrator"
gzip -9n <$here/s3-orchestrator.1 >"$root/usr/share/man/man1/s3-orchestrator.1.gz"
ln -s s3-orchestrator.1.gz "$root/usr/share/man/man1/s3o.1.gz"
gzip -9n >"$document/changelog.gz" <<CHANGES
s3-orchestrator ($version) stable; urgency=medium

  * What changed for operators is in CHANGELOG.md beside this file.

 -- $maintainer  $(date -R -u -d "@$epoch")
CHANGES
"$python" $here/copyright.py "$library" >"$document/copyright"

cat >"$root/DEBIAN/control" <<CONTROL
Package: s3-orchestrator
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk "$root" | cut -f1)
Depends: adduser, ca-certificates, init-system-helpers (>= 1.52), libc6 (>= 2.28), libgcc-s1, libstdc++6, python3 (>= 3.$minor), python3 (<< 3.$((minor + 1)))
Section: net
Priority: optional
Description: S3 endpoint in front of many S3 backends
 One S3 endpoint over several S3 providers and local directories, with hard
 quotas, monthly usage limits, overflow to the next backend and read failover.
 It brings its Python libraries along, in versions it was tested with.
CONTROL
printf '%s\n' /etc/s3-orchestrator/config.yaml /etc/default/s3-orchestrator \
    >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 755 "$here/$script" "$root/DEBIAN/$script"
done
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -print0 | sort -z |
    xargs -0 md5sum | sed 's# \./# #' >DEBIAN/md5sums)
find "$root" -exec touch -h -d "@$epoch" {} +

mkdir -p "$target"
file=$target/s3-orchestrator_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$file" >/dev/null
echo "$file"
