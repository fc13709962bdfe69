#!/bin/sh
# Install what is missing (Debian packages), build, and run every test.
#   sh tests/run.sh            everything: the normal build, then sanitizers
#   sh tests/run.sh quick      the normal build only
# Data outside the repository (../shared: trained models, CIFAR) is used when it is there.
set -eu
cd "$(dirname "$0")/.."
. examples/setup.sh

began=$(date +%s)
passed=0 failed=0 skipped=0
stage() { printf '\n== %s (at %s s)\n' "$1" "$(( $(date +%s) - began ))"; }
field() { sed -n "s/^$2: *//p" "$1" | awk '{ n += $1 } END { print n + 0 }'; }

# suite NAME FOLDER [meson test arguments]: run, and add its counts to the totals
suite() {
    log=$1 folder=$2
    shift 2
    meson test -C "$folder" --logbase "$log" --print-errorlogs --num-processes 2 "$@" || true
    file=$folder/meson-logs/$log.txt
    [ -f "$file" ] || { failed=$((failed + 1)); return 0; }
    passed=$((passed + $(field "$file" Ok)))
    failed=$((failed + $(field "$file" Fail) + $(field "$file" Timeout) + $(field "$file" 'Unexpected Pass')))
    skipped=$((skipped + $(field "$file" Skipped)))
}

stage 'build'
setup_build build -Dwerror=true -Dtests=true -Dtools=true
stage 'tests'
suite normal build

if [ "${1:-all}" != quick ]; then
    stage 'build with AddressSanitizer and UndefinedBehaviorSanitizer'
    setup_build build-asan -Db_sanitize=address,undefined -Db_lundef=false -Dtools=false
    stage 'tests with sanitizers'
    export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
    # creating an AMX int8 kernel for tiny images, oneDNN 2.6 reads 8 bytes behind a block of its own:
    # harmless but where ASan's heap ends
    export ONEDNN_MAX_CPU_ISA="${ONEDNN_MAX_CPU_ISA:-AVX512_CORE_BF16}"
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    suite sanitizers build-asan --timeout-multiplier 6 --suite unit --suite op --suite method --suite fuzz
fi

stage 'done'
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
