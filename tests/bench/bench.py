#!/usr/bin/env python3
"""This library beside its peers, interleaved, in one process tree. See README.md.

usage: bench.py [--venv DIR] [--library FILE] [--models DIR] [--cell NET:TYPE:bN:tN]... [--rounds N] [--json FILE]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CELLS = [f'{net}:f32:b{b}:t{t}' for net in ('resnet20', 'resnet56') for b in (1, 128) for t in (2, 1)]
CELLS += ['resnet20:train:b128:t2']
PEERS = {'f32': ['onnxruntime'], 'train': ['torch']}


class Worker:
    """One engine in its own process; idle until asked to run."""

    def __init__(self, python, engine, cell, model, env):
        self.engine = engine
        self.p = subprocess.Popen([python, str(HERE / 'worker.py'), engine, json.dumps(cell), str(model)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.times = []
        line = self.p.stdout.readline()
        self.ready = json.loads(line) if line else {'error': 'the process ended'}

    def run(self, n):
        self.p.stdin.write(f'{n}\n')
        self.p.stdin.flush()
        self.times += json.loads(self.p.stdout.readline())

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def parse_cell(text):
    net, kind, batch, threads = text.split(':')
    return {'net': net, 'type': kind, 'batch': int(batch[1:]), 'threads': int(threads[1:])}


def make_venv(folder):
    python = folder / 'bin/python'
    if not python.exists():
        subprocess.run([sys.executable, '-m', 'venv', str(folder)], check=True)
    for package in ('numpy', 'onnxruntime', 'torch'):
        if subprocess.run([str(python), '-c', f'import {package}'], capture_output=True).returncode:
            print(f'installing {package}', file=sys.stderr)
            subprocess.run([str(python), '-m', 'pip', 'install', '-q', package], check=False)
    return str(python)


def find_model(net, models, rescomp, work):
    given = models / f'{net}-cifar10-folded.onnx'
    if given.exists():
        return given
    made = work / f'{net}.onnx'
    if not made.exists():
        subprocess.run([rescomp, 'create', net, '-o', str(made)], check=True)
    return made


def percentile(values, p):
    s = sorted(values)
    return s[max(0, -(-len(s) * p // 100) - 1)]


def run_cell(text, a, python, work):
    cell = parse_cell(text)
    model = find_model(cell['net'], a.models, a.rescomp, work)
    env = dict(os.environ, RESNETCOMPRESS_LIBRARY=str(a.library), PYTHONPATH=str(ROOT / 'bindings/python'),
               OMP_NUM_THREADS=str(cell['threads']))
    for name in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE', 'OMP_WAIT_POLICY'):
        env.pop(name, None)
    workers = []
    for engine in ['rescomp'] + PEERS[cell['type']]:
        w = Worker(python, engine, cell, model, env)
        if 'error' in w.ready:
            print(f'{text}: {engine} left out: {w.ready["error"]}', file=sys.stderr)
        else:
            workers.append(w)
    per_round = 1 if cell['type'] == 'train' else max(1, min(50, int(0.25 / workers[0].ready['seconds'])))
    rounds = 3 if cell['type'] == 'train' else a.rounds
    for _ in range(rounds):
        for w in workers:
            w.run(per_round)
    for w in workers:
        w.close()
    rows = [{'engine': w.engine, 'version': w.ready.get('version', ''), 'runs': len(w.times),
             'median_ms': statistics.median(w.times), 'p90_ms': percentile(w.times, 90),
             'images_per_second': cell['batch'] * 1e3 / statistics.median(w.times)} for w in workers]
    return {'cell': text, 'rows': rows,
            'ratio': {r['engine']: rows[0]['median_ms'] / r['median_ms'] for r in rows[1:]}}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    tmp = pathlib.Path(tempfile.gettempdir())
    p.add_argument('--venv', type=pathlib.Path, default=tmp / 'rescomp-bench-venv')
    p.add_argument('--library', type=pathlib.Path, default=ROOT / 'build/libresnetcompress.so.0')
    p.add_argument('--rescomp', default=str(ROOT / 'build/examples/rescomp'))
    p.add_argument('--models', type=pathlib.Path, default=ROOT.parent / 'shared/models')
    p.add_argument('--cell', action='append')
    p.add_argument('--rounds', type=int, default=12)
    p.add_argument('--json', type=pathlib.Path)
    a = p.parse_args()
    python = make_venv(a.venv)
    results = []
    with tempfile.TemporaryDirectory() as work:
        for cell in a.cell or CELLS:
            r = run_cell(cell, a, python, pathlib.Path(work))
            results.append(r)
            for row in r['rows']:
                print(f'{r["cell"]:26s} {row["engine"]:12s} {row["median_ms"]:10.3f} ms (p90 {row["p90_ms"]:.3f}) '
                      f'{row["images_per_second"]:10.1f} images/s, {row["runs"]} runs')
            for peer, ratio in r['ratio'].items():
                print(f'{r["cell"]:26s} ours / {peer} = {ratio:.3f}', flush=True)
    if a.json:
        a.json.write_text(json.dumps({'results': results}, indent=1))


if __name__ == '__main__':
    main()
