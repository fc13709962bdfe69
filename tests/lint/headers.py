"""Every public header compiles alone as C11 and as C++ (rescomp.hpp as C++17 and C++20), and holds
only what the ABI rules allow."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(sys.argv[1])
include = root / 'include'
bad = []
for header in sorted((include / 'rescomp').glob('*.h')):
    text = header.read_text()
    code = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    for word in (r'\blong\b', r'\b_?[Bb]ool\b', r'\bFILE\b', r'\btime_t\b', r'\.\.\.'):
        if re.search(word, code):
            bad.append(f'{header.name}: {word} does not belong in a public header')
    for suffix, command in (('.c', ['cc', '-std=c11']), ('.cc', ['c++', '-std=c++11'])):
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, 'alone' + suffix)
            pathlib.Path(source).write_text(f'#include <rescomp/{header.name}>\nint main(void) {{ return 0; }}\n')
            run = subprocess.run(command + ['-Wall', '-Wextra', '-pedantic', '-Werror', '-fsyntax-only',
                                            '-I', str(include), source], capture_output=True, text=True)
            if run.returncode:
                bad.append(f'{header.name} as {suffix}: {run.stderr.strip()}')
with tempfile.TemporaryDirectory() as folder:
    source = pathlib.Path(folder, 'alone.cc')
    source.write_text('#include <rescomp/rescomp.hpp>\nint main() { return 0; }\n')
    for standard in ('c++17', 'c++20'):
        run = subprocess.run(['c++', f'-std={standard}', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-pedantic',
                              '-Werror', '-fsyntax-only', '-I', str(include), str(source)], capture_output=True, text=True)
        if run.returncode:
            bad.append(f'rescomp.hpp as {standard}: {run.stderr.strip()}')
names = sorted(h.name for h in (include / 'rescomp').glob('*.h') if h.name != 'rescomp.h')
umbrella = (include / 'rescomp/rescomp.h').read_text()
bad += [f'rescomp.h does not include {n}' for n in names if f'<rescomp/{n}>' not in umbrella]
print('\n'.join(bad) or 'headers: ok')
sys.exit(bool(bad))
