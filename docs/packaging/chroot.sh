#!/bin/sh
# The README's two commands on a bare Debian: a minbase chroot with nothing but what the commands
# themselves install, and a clean export of what is committed.
# usage: chroot.sh RELEASE FOLDER [COMMAND]
#   RELEASE   bookworm (12) or trixie (13); needs root and debootstrap
#   FOLDER    where the chroot is made, or is already
#   COMMAND   run in the export instead of `sh examples/quickstart.sh && sh tests/run.sh quick`
# JOBS compiles that many files at once (default: all processors). CCACHE names a folder: compiled
# objects are kept there between runs. MIRROR is the Debian mirror. OMP_NUM_THREADS is passed on.
set -eu
[ $# -ge 2 ] || { sed -n 's/^# \(usage:.*\)/\1/p' "$0"; exit 2; }
release=$1 place=$2
command=${3:-sh examples/quickstart.sh && sh tests/run.sh quick}
source=$(cd "$(dirname "$0")/../.." && pwd)
mirror=${MIRROR:-http://deb.debian.org/debian}
case $release in bookworm | trixie) ;; *) echo "chroot.sh: release $release, must be bookworm or trixie" >&2; exit 2 ;; esac
[ "$(id -u)" = 0 ] || { echo "chroot.sh: must be root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "chroot.sh: debootstrap is not installed" >&2; exit 2; }

if [ ! -e "$place/.made" ]; then
    debootstrap --variant=minbase "$release" "$place" "$mirror" >"$place.log" 2>&1 ||
        { tail -5 "$place.log" >&2; exit 1; }
    : >"$place/.made"
fi
place=$(cd "$place" && pwd)
# What the machine needs to reach the mirror is not part of a release.
cp /etc/resolv.conf "$place/etc/resolv.conf"
for part in /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf.d/99*; do
    [ ! -e "$part" ] || cp "$part" "$place/etc/apt/apt.conf.d/"
done

export_folder=$place/root/libresnetcompress
mkdir -p "$export_folder"
find "$export_folder" -mindepth 1 -maxdepth 1 ! -name 'build*' -exec rm -r {} +
git -C "$source" archive HEAD | tar -x -C "$export_folder"
if [ -n "${SHARED:-}" ]; then # trained models and data beside the export, as a work tree has them
    rm -rf "$place/root/shared"
    cp -r "$SHARED" "$place/root/shared"
fi

leave() {
    for folder in root/.cache/ccache dev/pts dev proc; do
        ! mountpoint -q "$place/$folder" || umount "$place/$folder"
    done
}
trap leave EXIT
trap 'exit 130' INT TERM
mountpoint -q "$place/proc" || mount -t proc proc "$place/proc"
mountpoint -q "$place/dev" || mount --bind /dev "$place/dev"
mountpoint -q "$place/dev/pts" || mount --bind /dev/pts "$place/dev/pts"
cc=gcc
if [ -n "${CCACHE:-}" ]; then
    mkdir -p "$CCACHE" "$place/root/.cache/ccache"
    mount --bind "$CCACHE" "$place/root/.cache/ccache"
    chroot "$place" sh -c 'command -v ccache >/dev/null || { apt-get update -qq && apt-get install -y -qq ccache >/dev/null; }'
    cc='ccache gcc'
fi
if [ -n "${JOBS:-}" ]; then # ninja has no variable for it
    mkdir -p "$place/usr/local/bin"
    printf '#!/bin/sh\nexec /usr/bin/ninja -j%d "$@"\n' "$JOBS" >"$place/usr/local/bin/ninja"
    chmod +x "$place/usr/local/bin/ninja"
fi
began=$(date +%s)
chroot "$place" /usr/bin/env -i HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    CC="$cc" CCACHE_NOHASHDIR=1 DEBIAN_FRONTEND=noninteractive \
    ${OMP_NUM_THREADS:+OMP_NUM_THREADS="$OMP_NUM_THREADS"} sh -c "cd /root/libresnetcompress && $command"
echo "$release: passed in $(($(date +%s) - began)) s"
