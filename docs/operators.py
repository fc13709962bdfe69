#!/usr/bin/env python3
"""Write the tables of docs/operators.md anew: python3 docs/operators.py BUILD

Operators, opsets and roles come from the library (tests/test_op_table), numbers of ONNX's node tests from a run of
them (tests/test_onnx_node_tests, which needs libonnx-testdata). What stands under "Limits" is kept."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build, page = pathlib.Path(sys.argv[1]), pathlib.Path(__file__).with_name('operators.md')
with tempfile.TemporaryDirectory() as folder:
    files = {'RESCOMP_OPERATOR_ROWS': f'{folder}/rows', 'RESCOMP_OPERATOR_COUNTS': f'{folder}/counts'}
    env = os.environ | files | {'RESCOMP_SOURCE': str(page.parent.parent)}
    for test in ('test_op_table', 'test_onnx_node_tests'):
        subprocess.run([build / 'tests' / test], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    rows = [line.split('\t') for line in open(f'{folder}/rows').read().splitlines()]
    counts = {n: f'{p}/{t}' for n, p, t in (line.split('\t') for line in open(f'{folder}/counts').read().splitlines())}

text = page.read_text()
limits = {m[1]: m[2] for m in re.finditer(r'^\| (\w+) \| \d.*\| ([^|]*) ?\|$', text, flags=re.M)}
ops = ['| Operator | Opsets | Gradient | Prune | int8 | Node tests | Limits |', '|---|---|---|---|---|---|---|']
for kind, name, row in (r[:3] for r in rows if r[0] == 'op'):
    limit = limits.get(name, '').strip()
    ops.append(f"{row}{counts.get(name, '-')} | {limit + ' ' if limit else ''}|")
read = ['| Node | Node tests | Domain | Read as |', '|---|---|---|---|']
for kind, name, domain, as_ in (r for r in rows if r[0] == 'as'):
    tests = '-' if domain or any(o[1] == name for o in rows if o[0] == 'op') else counts.get(name, '-')
    read.append(f"| {name} | {tests} | {domain or 'ai.onnx'} | {as_} |")
for head, table in (('| Operator |', ops), ('| Node | ', read)):
    start = text.index(head)
    end = text.index('\n\n', start)
    text = text[:start] + '\n'.join(table) + text[end:]
page.write_text(text)
