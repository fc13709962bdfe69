"""What comments of public headers and the documents cite exists: functions, types, macros."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
headers = {p: p.read_text() for p in sorted((root / 'include/rescomp').glob('*.h'))}
code = re.sub(r'/\*.*?\*/', '', ''.join(headers.values()), flags=re.S)
names = set(re.findall(r'\b(?:rc|RC)_\w+', code))
functions = set(re.findall(r'\bRC_API\b[^;(]*?\b(rc_\w+)\s*\(', code))
bad = []


def check(where, text, only_calls=False):
    """rc_x_free stands for a family of names, as RC_ERR_* does; a name in quotes is a text."""
    for n, line in enumerate(text.splitlines(), 1):
        for name, call in re.findall(r'(?<!")\b((?:rc|RC)_\w*[A-Za-z0-9])\b(?![_*])(\(\))?', line):
            if name.startswith('rc_x_'):
                continue
            if call and name not in functions:
                bad.append(f'{where}:{n}: no function {name}()')
            elif not only_calls and name not in names:
                bad.append(f'{where}:{n}: no {name}')


for path, text in headers.items():
    comments = re.sub(r'(.*?)(/\*.*?\*/|\Z)',
                      lambda m: re.sub(r'[^\n]', ' ', m.group(1)) + m.group(2), text, flags=re.S)
    check(path.relative_to(root), comments)
for path in sorted((root / 'docs').rglob('*.md')) + [root / 'README.md', root / 'CHANGELOG.md']:
    check(path.relative_to(root), path.read_text(), only_calls=True)
print('\n'.join(bad) or 'names: ok')
sys.exit(bool(bad))
