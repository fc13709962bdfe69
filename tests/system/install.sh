#!/bin/sh
# Install into an empty prefix; a C and a C++ program outside the tree build with pkg-config alone
# and run; the installed command line answers.
# usage: install.sh BUILD_FOLDER
set -eu
build=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
DESTDIR="$place" meson install -C "$build" --no-rebuild --quiet
pc=$(find "$place" -name resnetcompress.pc)
[ -n "$pc" ] || { echo "no resnetcompress.pc was installed"; exit 1; }
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$place"
lib=$(dirname "$(find "$place" -name libresnetcompress.so.0 | head -n 1)")
export LD_LIBRARY_PATH="$lib"

cat >"$place/user.c" <<'C'
#include <rescomp/rescomp.h>
#include <stdio.h>
int main(void)
{
    rc_context *context;
    rc_graph *graph;
    if (rc_context_new(&context, NULL) || rc_graph_new_network(&graph, context, "resnet8", NULL)) {
        printf("%s\n", rc_last_error());
        return 1;
    }
    rc_graph_free(&graph);
    rc_context_free(&context);
    return printf("%s\n", rc_version_string()) < 0;
}
C
cp "$place/user.c" "$place/user.cc"
flags=$(pkg-config --cflags --libs resnetcompress)
# shellcheck disable=SC2086 # the flags are words
cc -std=c11 -Wall -Werror "$place/user.c" -o "$place/user_c" $flags
c++ -std=c++11 -Wall -Werror "$place/user.cc" -o "$place/user_cc" $flags
version=$(pkg-config --modversion resnetcompress)
[ "$("$place/user_c")" = "$version" ] && [ "$("$place/user_cc")" = "$version" ]
[ "$("$(find "$place" -name rescomp -type f -path '*bin*')" --version)" = "rescomp $version" ]
size=$(stat -Lc %s "$lib/libresnetcompress.so.0")
strip -o "$place/stripped.so" "$lib/libresnetcompress.so.0"
size=$(stat -c %s "$place/stripped.so")
[ "$size" -lt 3000000 ] || { echo "the library has $size bytes without debug symbols, allowed are 3,000,000"; exit 1; }
echo "installed, linked from C and C++, $size bytes"
