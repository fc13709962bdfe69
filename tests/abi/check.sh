#!/bin/sh
# Compare the library's interface with the stored baseline of this soname.
# usage: check.sh SOURCE LIBRARY          fails on an incompatible change, prints any change
#        check.sh SOURCE LIBRARY store    rewrites the baseline (only with a new release)
# abidiff's exit code is a bit mask: 1 error, 2 usage, 4 change, 8 incompatible change.
set -u
baseline=$1/tests/abi/0.1.abi
command -v abidw >/dev/null || { echo 'skipped: abigail-tools is not installed'; exit 77; }
if [ "${3:-}" = store ]; then
    exec abidw --headers-dir "$1/include" --drop-private-types --no-corpus-path --no-comp-dir-path \
        --no-show-locs "$2" --out-file "$baseline"
fi
abidiff --headers-dir2 "$1/include" --drop-private-types --no-added-syms "$baseline" "$2"
code=$?
[ $((code & 11)) = 0 ]
