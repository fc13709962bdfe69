"""Layers above lib/op know operators by what they say of themselves (slots of graph/op.h), never by name.
A name may stand where a node is made: on a line that calls one of MAKERS."""
import pathlib
import re
import sys

MAKERS = ('rci_op_find(', 'rci_build_node(', 'replace_node(')

lib = pathlib.Path(sys.argv[1]) / 'lib'
names = set()
for path in (lib / 'op').rglob('*.c'):
    names |= set(re.findall(r'^    \.name = "(\w+)",', path.read_text(), flags=re.M))
bad = [] if len(names) > 30 else ['lib/op: the names of the operators were not found']
for path in sorted(lib.rglob('*.[ch]')):
    if path.relative_to(lib).parts[0] == 'op':
        continue
    for line, text in enumerate(path.read_text().splitlines(), 1):
        named = set(re.findall(r'"(\w+)"', text)) & names and not any(m in text for m in MAKERS)
        if named or re.search(r'\bstrn?c(ase)?mp\([^;]*op->name', text):
            bad.append(f'{path.relative_to(lib.parent)}:{line}: asks for an operator by its name')
print('\n'.join(bad) or 'operators: ok')
sys.exit(bool(bad))
