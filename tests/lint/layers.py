"""Every #include in lib/ must point to the same or a lower layer."""
import pathlib
import re
import sys

ORDER = ['base', 'tensor', 'wire', 'graph', 'kernel', 'op', 'pass', 'zoo', 'io', 'exec', 'data',
         'train', 'fit', 'prune', 'quant', 'distill', 'binary', 'exits', 'search',
         'report', 'api', 'recipe']
PEERS = {'prune', 'quant', 'distill', 'binary', 'exits'}  # methods never include each other


def main(root):
    lib = pathlib.Path(root) / 'lib'
    bad = []
    for path in sorted(lib.rglob('*.[ch]')):
        here = path.relative_to(lib).parts[0]
        for line, text in enumerate(path.read_text().splitlines(), 1):
            m = re.match(r'#include "(\w+)/', text)
            if not m:
                continue
            there = m.group(1)
            up = ORDER.index(there) > ORDER.index(here)
            peer = there != here and {here, there} <= PEERS
            if up or peer:
                bad.append(f'{path}:{line}: {here} must not include {there}')
    print('\n'.join(bad) or 'layers: ok')
    return bool(bad)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
