#!/bin/sh
# Debian packages from a clean export of what is committed, judged by lintian.
# usage: deb.sh OUT_FOLDER      needs dpkg-dev, debhelper, dh-python, meson and the libraries of
#                               debian/control; lintian where it is installed
# CC and the usual variables of the compiler cache are passed on.
set -eu
[ $# = 1 ] || { sed -n 's/^# \(usage:.*\)/\1/p' "$0"; exit 2; }
source=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
version=$(sed -n '1s/.*(\(.*\)-.*/\1/p' "$source/docs/packaging/debian/changelog")
declared=$(sed -n "s/^ *version: '\(.*\)', license.*/\1/p" "$source/meson.build")
[ "$version" = "$declared" ] || { echo "deb.sh: debian/changelog says $version, meson.build $declared" >&2; exit 1; }

tree=$place/libresnetcompress-$version
mkdir "$tree"
if [ -e "$source/.git" ]; then
    git -C "$source" archive HEAD | tar -x -C "$tree"
else # an export already
    (cd "$source" && tar -c --exclude='./build*' --exclude='./quickstart-results' .) | tar -x -C "$tree"
fi
tar -c -C "$place" --sort=name --owner=0 --group=0 --mtime=@0 "libresnetcompress-$version" |
    gzip -n >"$place/libresnetcompress_$version.orig.tar.gz"
cp -r "$tree/docs/packaging/debian" "$tree/debian"
cd "$tree"
dpkg-source -b . >"$place/log" 2>&1 || { tail -30 "$place/log" >&2; exit 1; } # before it is built in
dpkg-buildpackage -us -uc -b >"$place/log" 2>&1 || { tail -30 "$place/log" >&2; exit 1; }
cd "$place"
cp ./*.deb ./*.dsc ./*.orig.tar.gz ./*.debian.tar.xz ./*.changes "$out"
if command -v lintian >/dev/null; then
    lintian --fail-on error --allow-root --suppress-tags initial-upload-closes-no-bugs ./*.changes
    echo "lintian: no errors"
else
    echo "deb.sh: lintian is not installed: not judged"
fi
ls -l "$out"/*.deb
