# Sourced by examples/quickstart.sh and tests/run.sh: installs missing packages and builds.
# Needs a Debian 12 or later; uses sudo when not root. Nothing is installed that is already there.

packages='gcc g++ libc6-dev meson ninja-build pkg-config libdnnl-dev libprotobuf-c-dev
protobuf-c-compiler zlib1g-dev libcmocka-dev libpng-dev libjpeg62-turbo-dev dataset-fashion-mnist
python3 python3-numpy python3-onnx abigail-tools libonnx-testdata'

setup_packages() {
    missing=''
    for p in $packages; do
        dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -q '^installed$' || missing="$missing $p"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then as_root=''; else as_root=sudo; fi
    echo "installing:$missing"
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# setup_build FOLDER [meson options]
setup_build() {
    setup_packages
    folder=$1
    shift
    if [ -f "$folder/build.ninja" ]; then
        meson configure "$folder" "$@"
    else
        meson setup "$folder" "$@" >"$folder.log" 2>&1 || { cat "$folder.log"; return 1; }
        rm -f "$folder.log"
    fi
    ninja -C "$folder" --quiet
}
