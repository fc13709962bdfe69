"""No object file refers to a symbol of a higher layer, nor a method to one of another method.

Includes are what layers.py looks at; a function declared by hand, or in a public header, is seen here
only. Object files of the static library carry their folder in the name."""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from layers import ORDER, PEERS  # noqa: E402


def layer_of(member):
    m = re.search(r'lib_([a-z]+)_\w', member)
    return m.group(1) if m and m.group(1) in ORDER else 'wire'  # generated code: the ONNX schema


def symbols(archive):
    """{symbol: layer that defines it}, [(layer, object, symbol it lacks)]"""
    out = subprocess.run(['nm', '-A', archive], capture_output=True, text=True, check=True).stdout
    defined, lacking = {}, []
    for line in out.splitlines():
        m = re.match(r'(.*):\s*[0-9a-f]*\s+([A-Za-z])\s+(\S+)$', line)
        if not m or not m.group(3).startswith(('rc_', 'rci_')):
            continue
        member, kind, name = m.groups()
        if kind == 'U':
            lacking.append((layer_of(member), member.rsplit('/', 1)[-1], name))
        elif kind.isupper():
            defined[name] = layer_of(member)
    return defined, lacking


def main(archive):
    defined, lacking = symbols(archive)
    bad = []
    for here, member, name in lacking:
        there = defined.get(name)
        if there is None:
            bad.append(f'{member}: {name} is defined nowhere')
        elif ORDER.index(there) > ORDER.index(here) or (there != here and {here, there} <= PEERS):
            bad.append(f'{member}: {here} must not refer to {name} of {there}')
    if len(defined) < 500:
        bad.append(f'only {len(defined)} symbols found: the names of object files have changed')
    print('\n'.join(sorted(bad)) or 'symbols_layers: ok')
    return bool(bad)


if __name__ == '__main__':
    sys.exit(main(sys.argv[3]))
