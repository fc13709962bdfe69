#!/bin/sh
# Install into an empty prefix; a C and a C++ program outside the tree build with pkg-config alone
# and with CMake's find_package, and run; the installed command line answers, and every verb has
# its manual page.
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
rescomp=$(find "$place" -name rescomp -type f -path '*bin*')
for verb in $("$rescomp" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    [ -n "$(find "$place" -path "*/man1/rescomp-$verb.1*")" ] || { echo "no manual page of $verb"; exit 1; }
done
[ -n "$(find "$place" -path '*/bash-completion/completions/rescomp')" ] || { echo "no completion for bash"; exit 1; }

if command -v cmake >/dev/null; then
    mkdir "$place/cmake"
    cat >"$place/cmake/CMakeLists.txt" <<'C'
cmake_minimum_required(VERSION 3.16)
project(user C CXX)
find_package(resnetcompress 0.1 REQUIRED)
add_executable(user_c ../user.c)
target_link_libraries(user_c PRIVATE resnetcompress::resnetcompress)
add_executable(user_hpp ../user_hpp.cc)
target_compile_features(user_hpp PRIVATE cxx_std_17)
target_link_libraries(user_hpp PRIVATE resnetcompress::resnetcompress)
if(TARGET resnetcompress::static)
  add_executable(user_static ../user.c)
  target_link_libraries(user_static PRIVATE resnetcompress::static)
endif()
C
    cat >"$place/user_hpp.cc" <<'C'
#include <rescomp/rescomp.hpp>
#include <cstdio>
int main()
{
    const rescomp::Context context;
    rescomp::Graph::network(context, "resnet8");
    std::printf("%s\n", rc_version_string());
}
C
    config=$(dirname "$(find "$place" -name resnetcompressConfig.cmake)")
    cmake -S "$place/cmake" -B "$place/cmake/build" -Dresnetcompress_DIR="$config" >/dev/null
    cmake --build "$place/cmake/build" >/dev/null
    for program in user_c user_hpp user_static; do
        [ $program = user_static ] && [ ! -x "$place/cmake/build/$program" ] && continue
        [ "$("$place/cmake/build/$program")" = "$version" ] || { echo "CMake's $program fails"; exit 1; }
    done
    sed -i 's/resnetcompress 0.1/resnetcompress 9.0/' "$place/cmake/CMakeLists.txt"
    if cmake -S "$place/cmake" -B "$place/cmake/later" -Dresnetcompress_DIR="$config" >/dev/null 2>&1; then
        echo "find_package accepts a version that is not there"; exit 1
    fi
else
    echo "no cmake here: find_package not tried"
fi
size=$(stat -Lc %s "$lib/libresnetcompress.so.0")
strip -o "$place/stripped.so" "$lib/libresnetcompress.so.0"
size=$(stat -c %s "$place/stripped.so")
[ "$size" -lt 3000000 ] || { echo "the library has $size bytes without debug symbols, allowed are 3,000,000"; exit 1; }
echo "installed, linked from C and C++, $size bytes"
