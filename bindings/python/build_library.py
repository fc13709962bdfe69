"""What meson.build of the Python package cannot say itself.

build_library.py build SOURCE OUT   the library and the program of SOURCE, stripped, into OUT
build_library.py dist SOURCE        copies what that takes into a source distribution (by `meson dist`)"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# Enough to build and install them, without tests and documents.
PARTS = ['meson.build', 'meson_options.txt', 'LICENSE', 'lib', 'include', 'examples', 'docs/meson.build', 'docs/packaging']


def build(source, out):
    with tempfile.TemporaryDirectory() as d:
        folder = str(pathlib.Path(d, 'build'))
        # The program stands beside the library, so it looks there.
        subprocess.run(['meson', 'setup', folder, source, '--buildtype=release', '-Dtests=false', '-Dmpi=disabled',
                        '--prefix=/usr', '--libdir=lib', '-Dc_link_args=-Wl,-rpath,$ORIGIN'], check=True)
        subprocess.run(['meson', 'compile', '-C', folder, 'resnetcompress:shared_library', 'rescomp'], check=True)
        subprocess.run(['meson', 'install', '-C', folder, '--no-rebuild', '--strip', '--tags', 'runtime',
                        '--destdir', d], check=True, stdout=subprocess.DEVNULL)
        shutil.copy(pathlib.Path(d, 'usr/lib/libresnetcompress.so.0'), out)
        shutil.copy(pathlib.Path(d, 'usr/bin/rescomp'), out)


def dist(source):
    to = pathlib.Path(os.environ['MESON_DIST_ROOT'])
    if (to / 'library').exists():
        return  # a distribution of a distribution
    names = subprocess.run(['git', 'ls-files', '-z', '--', *PARTS], cwd=source, check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split('\0')):
        target = to / 'library' / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pathlib.Path(source, name), target)
    shutil.copy(pathlib.Path(source, 'LICENSE'), to)


if __name__ == '__main__':
    {'build': build, 'dist': dist}[sys.argv[1]](*sys.argv[2:])
