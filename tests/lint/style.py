"""Rules of the house that a script can see: line length, file length, function length, printing, comments of lib."""
import collections
import pathlib
import re
import sys

COMMENTS_LEAST = 8  # percent of the lines of lib that are not blank


def count_lines(text):
    """(lines with a comment or a part of one, lines that are not blank)"""
    comments = total = 0
    inside = False
    for line in filter(str.strip, text.splitlines()):
        total += 1
        opens = inside or '/*' in line or '//' in line
        comments += opens
        inside = (inside or '/*' in line) and line.rfind('*/') <= line.rfind('/*')
    return comments, total


def check_comments(lib):
    """A message when too few lines of a tree are comments; names the folder that has the least."""
    folders = collections.defaultdict(lambda: [0, 0])
    for path in lib.rglob('*.[ch]'):
        for k, n in enumerate(count_lines(path.read_text())):
            folders[path.parent.relative_to(lib.parent)][k] += n
    comments, total = (sum(f[k] for f in folders.values()) for k in (0, 1))
    if comments * 100 >= COMMENTS_LEAST * total:
        return []
    barest = min(folders, key=lambda f: folders[f][0] / folders[f][1])
    share = 100 * folders[barest][0] / folders[barest][1]
    return [f'{lib.name}: {100 * comments / total:.1f} % of the lines are comments, at least {COMMENTS_LEAST} %; '
            f'{barest} has {share:.1f} %']


root = pathlib.Path(sys.argv[1])
bad = check_comments(root / 'lib')
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
