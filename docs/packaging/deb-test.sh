#!/bin/sh
# Install the packages of deb.sh on the Debian this runs on, run debian/tests/smoke, remove them
# without a trace, install them again. Root; a chroot of chroot.sh is the place for it.
# usage: deb-test.sh FOLDER_OF_PACKAGES
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$1" && pwd)
names='libresnetcompress0 libresnetcompress-dev rescomp python3-rescomp'
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
install() { apt-get install -y -qq --no-install-recommends "$folder"/*_*.deb gcc libc6-dev pkgconf >/dev/null; }
install
sh "$here/debian/tests/smoke"
files=$(for name in $names; do dpkg -L "$name"; done | grep -E 'rescomp|resnetcompress' | sort -u)
[ -n "$files" ]
# shellcheck disable=SC2086 # names are words
apt-get purge -y -qq $names >/dev/null
for file in $files; do
    [ ! -e "$file" ] || { echo "deb-test.sh: $file is left behind" >&2; exit 1; }
done
install
sh "$here/debian/tests/smoke"
echo "installed, removed and installed again"
