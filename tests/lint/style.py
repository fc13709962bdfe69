"""Rules of the house that a script can see: line length, file length, function length, printing."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
bad = []
for folder in ('include', 'lib', 'examples', 'tests'):
    for path in sorted((root / folder).rglob('*.[ch]')):
        name, lines = path.relative_to(root), path.read_text().splitlines()
        if len(lines) > 500:
            bad.append(f'{name}: {len(lines)} lines, at most 500')
        start = None
        for n, line in enumerate(lines, 1):
            if len(line) > 100:
                bad.append(f'{name}:{n}: {len(line)} columns, at most 100')
            if line == '{':
                start = n
            elif line == '}' and start:
                if n - start - 1 > 80:
                    bad.append(f'{name}:{start}: function of {n - start - 1} lines, at most 80')
                start = None
        if folder == 'lib':
            text = path.read_text()
            for word in (r'\bprintf\s*\(', r'\bputs\s*\(', r'\bstderr\b', r'\bstdout\b', r'\babort\s*\(',
                         r'\bexit\s*\(', r'[^_\w]malloc\s*\(', r'[^_\w]calloc\s*\('):
                for m in re.finditer(word, re.sub(r'/\*.*?\*/', '', text, flags=re.S)):
                    bad.append(f'{name}: {m.group(0).strip()} does not belong in the library')
            # threads, caches and wishes come in the request (kernel/prep.h); these ask the system for the rest
            if str(name).startswith(('lib/kernel/', 'lib/op/')) and path.name not in ('cpu.c', 'team.c', 'selftest.c'):
                for m in re.finditer(r'\b(sysconf|getenv|omp_get_max_threads|omp_get_num_procs)\s*\(', text):
                    bad.append(f'{name}: {m.group(0)} is asked in kernel/cpu.c or exec only')
print('\n'.join(bad) or 'style: ok')
sys.exit(bool(bad))
