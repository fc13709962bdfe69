#!/usr/bin/env python3
"""This library beside its peers, interleaved, in one process tree, with outputs compared. See README.md."""
import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import platform
import select
import statistics
import subprocess
import sys
import tempfile
import time

import cells

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
READY_SECONDS = 600  # a peer that is not ready by then (compiling) is left out
KEEP_MEMORY = {'MALLOC_TRIM_THRESHOLD_': '8589934592', 'MALLOC_MMAP_THRESHOLD_': '4294967296',
               'MALLOC_TOP_PAD_': '268435456'}
OLD_CPU = {'ONEDNN_MAX_CPU_ISA': 'AVX2'}


def say(text):
    print(text, file=sys.stderr, flush=True)


class Worker:
    """One engine in its own process; asleep until asked to run."""

    def __init__(self, bench, cell, entry, files):
        self.label, self.counts = entry['label'], entry.get('counts', True)
        self.output = bench.work / f'{self.label.replace(" ", "-")}.npy'
        self.output.unlink(missing_ok=True)
        self.times, self.peaks = [], []
        args = [bench.python, str(HERE / 'worker.py'), entry['engine'], json.dumps(dict(cell, **entry.get('cell', {}))),
                json.dumps(files), str(self.output)]
        self.p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=bench.log, text=True,
                                  env=bench.environment(cell, entry))
        self.ready = self.answer() or {'error': 'ended or took too long, see --log'}

    def answer(self):
        if not select.select([self.p.stdout], [], [], READY_SECONDS)[0]:
            self.p.kill()
            return None
        line = self.p.stdout.readline()
        return json.loads(line) if line else None

    def run(self, n):
        self.p.stdin.write(f'{n}\n')
        self.p.stdin.flush()
        times = self.answer()
        if times is None:
            raise RuntimeError(f'{self.label} ended while it was measured, see --log')
        self.times += times

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.p.stdin.close()
        self.p.wait()


def percentile(values, p):
    s = sorted(values)
    return s[max(0, -(-len(s) * p // 100) - 1)]


def disagrees(row):
    return not row.get('error', 0) <= cells.PEER_LIMIT  # also when it is not a number


def entries(cell):
    """Who runs in a cell, ours first. 'counts' False: shown, but not the peer that the ratio is with."""
    kind = cell['type']
    if kind == 'prune':
        return [{'label': 'pruned', 'engine': 'rescomp-pruned'}, {'label': 'unpruned', 'engine': 'rescomp-f32'}]
    if kind == 'sessions':
        return [{'label': f'{cell["threads"]} sessions', 'engine': 'many-sessions'},
                {'label': '1 session', 'engine': 'one-session'}]
    if kind == 'int8-avx2':
        return [{'label': 'rescomp', 'engine': 'rescomp', 'env': OLD_CPU},
                {'label': 'rescomp f32', 'engine': 'rescomp-f32', 'env': OLD_CPU},
                {'label': 'rescomp VNNI', 'engine': 'rescomp', 'counts': False}]
    if kind == 'train-bf16':
        return [{'label': 'rescomp', 'engine': 'rescomp-bf16'}, {'label': 'rescomp f32', 'engine': 'rescomp'},
                {'label': 'torch', 'engine': 'torch-bf16', 'counts': False, 'env': KEEP_MEMORY}]
    return [{'label': 'rescomp', 'engine': 'rescomp'}] + [
        {'label': p, 'engine': p, 'env': KEEP_MEMORY if 'torch' in p else {}} for p in cells.PEERS[kind]]


class Bench:
    def __init__(self, a, python, work):
        from models import Models
        self.a, self.python, self.work = a, python, pathlib.Path(work)
        self.log = open(a.log, 'a') if a.log else subprocess.DEVNULL
        self.models = Models(self.work, a.models, a.rescomp, pathlib.Path(python).parent)
        self.references = {}

    def environment(self, cell, entry):
        paths = [str(ROOT / 'bindings/python'), os.environ.get('PYTHONPATH', '')]
        env = dict(os.environ, RESNETCOMPRESS_LIBRARY=str(self.a.library), PYTHONPATH=os.pathsep.join(filter(None, paths)),
                   OMP_NUM_THREADS=str(cell['threads']), **entry.get('env', {}))
        for name in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE', 'OMP_WAIT_POLICY'):
            env.pop(name, None)
        return env

    def files(self, cell, engine):
        net, size, kind = cell['net'], cell['size'], cell['type']
        if engine == 'mnn':
            return {'mnn': str(self.models.mnn(net, size))}
        if engine == 'ncnn':
            return {'ncnn': str(self.models.ncnn(net, size, self.python))}
        forms = ['raw', 'train'] if kind.startswith('train') else ['f32', 'int8'] if 'int8' in kind else ['f32']
        if engine == 'rescomp-pruned':
            forms = ['pruned']
        return {form: str(self.models.get(net, size, form)) for form in forms}

    def start(self, cell, entry):
        try:
            w = Worker(self, cell, entry, self.files(cell, entry['engine']))
        except RuntimeError as e:  # a converter failed
            return None, str(e)
        if 'error' in w.ready:
            w.close()
            return None, w.ready['error']
        return w, None

    def reference(self, cell):
        """Outputs of ONNX Runtime, or of plain C without it, on the first images."""
        import numpy as np
        from worker import COMPARED
        key = cell['net']
        if key not in self.references:
            plain = dict(cell, type='f32', batch=COMPARED[cell['size']])
            for engine in ('onnxruntime', 'rescomp-plain'):
                w, error = self.start(plain, {'label': f'reference {key}', 'engine': engine})
                if w:
                    w.close()
                    self.references[key] = engine, np.load(w.output)
                    break
                say(f'{key}: no reference from {engine}: {error}')
        return self.references[key]

    def compare(self, cell, w):
        import numpy as np
        if cell['type'] == 'prune':
            return {}
        if cell['type'].startswith('train'):
            return {'loss': w.ready['loss']}
        engine, ref = self.reference(cell)
        y = np.load(w.output)
        ref = ref[:len(y)]
        return {'reference': engine, 'error': float(np.abs(y - ref).max() / np.abs(ref).max()),
                'top1_agreement': float((y.argmax(1) == ref.argmax(1)).mean())}

    def measure(self, cell, workers):
        ms, training = workers[0].ready['ms'], cell['type'].startswith('train')
        if cell['type'] == 'load':
            per_round, rounds = 1, self.a.runs
        elif training:
            per_round = max(1, min(8, int(1000 / ms)))
            rounds = -(-self.a.runs // per_round)
        else:
            per_round = max(1, min(50, int(60 / ms)))
            rounds = max(-(-self.a.runs // per_round), min(12, self.a.runs))
        if self.a.seconds:
            rounds = max(3, min(rounds, int(self.a.seconds * 1000 / (per_round * ms * len(workers)))))
        for _ in range(rounds):
            for w in workers:
                time.sleep(0.02)  # let threads of the one before fall asleep
                w.run(per_round)

    def measure_load(self, cell, wanted):
        """A new process for every figure, in turn."""
        kept = {}
        for _ in range(self.a.runs if not self.a.seconds else min(5, self.a.runs)):
            for entry in wanted:
                w, error = self.start(cell, entry)
                if not w:
                    kept.setdefault(entry['label'], error)
                    continue
                w.close()
                first = kept.setdefault(entry['label'], w)
                first.times.append(w.ready['ms'])
                first.peaks.append(w.ready['peak_bytes'])
        return kept

    def run(self, text):
        cell = cells.parse(text)
        wanted = [e for i, e in enumerate(entries(cell)) if not i or 'rescomp' in e['engine'] or 'session' in e['engine'] or
                  e['label'] in self.a.peers]
        left_out = {p: 'not asked for' for p in cells.PEERS[cell['type']] if p not in self.a.peers}
        workers = []
        if cell['type'] == 'load':
            for label, w in self.measure_load(cell, wanted).items():
                if isinstance(w, str):
                    left_out[label] = w
                else:
                    workers.append(w)
        else:
            for entry in wanted:
                w, error = self.start(cell, entry)
                if w:
                    workers.append(w)
                else:
                    left_out[entry['label']] = error
        ours = wanted[0]['label']
        if workers and workers[0].label == ours and cell['type'] != 'load':
            self.measure(cell, workers)
        for w in workers:
            w.close()
        return self.result(cell, ours, workers, left_out)

    def result(self, cell, ours, workers, left_out):
        r = {'cell': cell['name'], 'rows': [], 'left_out': left_out, 'failures': []}
        if not workers or workers[0].label != ours:
            return r
        images = cell['batch'] * (cell['threads'] * 50 if cell['type'] == 'sessions' else 1)
        for w in workers:
            row = {'engine': w.label, 'version': w.ready['version'], 'runs': len(w.times),
                   'median_ms': statistics.median(w.times), 'p90_ms': percentile(w.times, 90),
                   'images_per_second': images * 1e3 / statistics.median(w.times), **self.compare(cell, w)}
            if w.peaks:
                row['peak_bytes'] = statistics.median(w.peaks)
            row['counts'] = w.counts and w is not workers[0] and not disagrees(row)
            r['rows'].append(row)
        first = r['rows'][0]
        limit = cells.LIMIT.get(cell['type'], cells.LIMIT['f32'])
        if not first.get('error', 0) <= limit:
            r['failures'].append(f'outputs are {first["error"]:.2e} from the reference, at most {limit:g} is allowed')
        losses = [row['loss'] for row in r['rows'] if 'loss' in row]
        limit = 2e-2 if 'bf16' in cell['type'] else 1e-3
        if losses and not max(losses) - min(losses) <= limit * abs(losses[0]):
            r['failures'].append(f'losses of the first step differ: {losses}')
        self.judge(cell, r)
        return r

    @staticmethod
    def judge(cell, r):
        first, rivals = r['rows'][0], [row for row in r['rows'] if row['counts']]
        if not rivals:
            return
        best = min(rivals, key=lambda row: row['median_ms'])
        r.update(best=best['engine'], ratio=first['median_ms'] / best['median_ms'], must=cells.must(cell))
        if 'peak_bytes' in best:
            r['memory_ratio'], r['memory_must'] = first['peak_bytes'] / best['peak_bytes'], 0.6
        if r['must']:
            r['met'] = r['ratio'] <= r['must'] and r.get('memory_ratio', 0) <= r.get('memory_must', 0)


def show(r):
    for row in r['rows']:
        notes = [f'{row["runs"]} runs']
        if 'error' in row:
            notes.append(f'error {row["error"]:.1e}, top-1 as reference {row["top1_agreement"] * 100:.0f} %')
        if 'loss' in row:
            notes.append(f'loss {row["loss"]:.5f}')
        if 'peak_bytes' in row:
            notes.append(f'peak {row["peak_bytes"] / 2**20:.0f} MiB')
        if disagrees(row):
            notes.append('DISAGREES, does not count')
        print(f'{r["cell"]:24s} {row["engine"]:14s} {row["median_ms"]:10.3f} ms (p90 {row["p90_ms"]:.3f}) '
              f'{row["images_per_second"]:9.1f} images/s, {", ".join(notes)}')
    for name, why in r['left_out'].items():
        print(f'{r["cell"]:24s} {name:14s} left out: {why}')
    for why in r['failures']:
        print(f'{r["cell"]:24s} FAILED: {why}')
    sys.stdout.flush()


def table(results):
    print('\n| cell | ours ms (p90) | best other | ms (p90) | ours / other | must | |\n|---|---|---|---|---|---|---|')
    for r in results:
        if 'ratio' not in r:
            print(f'| {r["cell"]} | {"%.3f" % r["rows"][0]["median_ms"] if r["rows"] else "-"} | - | | | | |')
            continue
        first, best = r['rows'][0], next(row for row in r['rows'] if row['engine'] == r['best'])
        must = f'{r["must"]:.2f}' if r['must'] else ''
        verdict = 'FAILED' if r['failures'] else '' if not must else 'met' if r['met'] else 'missed'
        memory = f', memory {r["memory_ratio"]:.2f}' if 'memory_ratio' in r else ''
        print(f'| {r["cell"]} | {first["median_ms"]:.3f} ({first["p90_ms"]:.3f}) | {r["best"]} {best["version"]} | '
              f'{best["median_ms"]:.3f} ({best["p90_ms"]:.3f}) | {r["ratio"]:.3f}{memory} | {must} | {verdict} |')


def folder_bytes(path):
    return sum(f.stat().st_size for f in path.rglob('*') if f.is_file() and not f.is_symlink())


def sizes(a, python):
    """Bytes on disk: ours with the shared libraries it needs, and the peers' packages."""
    out = {'libresnetcompress': os.path.getsize(os.path.realpath(a.library))}
    linked = subprocess.run(['ldd', str(a.library)], capture_output=True, text=True).stdout
    for line in linked.splitlines():
        name, _, path = line.strip().partition(' => ')
        if path.startswith('/') and not name.startswith(('libc.', 'libm.', 'libpthread', 'libdl', 'librt')):
            out[name.split('.so')[0]] = os.path.getsize(os.path.realpath(path.split(' ')[0]))
    out['ours, all'] = sum(out.values())
    where = subprocess.run([python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'], capture_output=True,
                           text=True, check=True).stdout.strip()
    for package in ('onnxruntime', 'openvino', 'ncnn', 'MNN', 'torch'):
        parts = [p for p in pathlib.Path(where).iterdir() if p.name.lower().lstrip('_').startswith(package.lower())]
        if parts:
            out[package] = sum(folder_bytes(p) if p.is_dir() else p.stat().st_size for p in parts)
    return out


def make_venv(folder, peers):
    python = folder / 'bin/python'
    if not python.exists():
        subprocess.run([sys.executable, '-m', 'venv', str(folder)], check=True)
    needed = ['numpy'] + [m for p in peers for m in cells.NEEDS[p.split('-')[0]]]
    for module in dict.fromkeys(needed):
        code = f'import importlib.util, sys; sys.exit(importlib.util.find_spec("{module}") is None)'
        if subprocess.run([str(python), '-c', code]).returncode:
            say(f'installing {module} into {folder}')
            if subprocess.run([str(python), '-m', 'pip', 'install', '-q', module]).returncode:
                say(f'cannot install {module}: left out')
    return str(python)


def processor():
    with contextlib.suppress(OSError):
        for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.machine()


def arguments():
    tmp = pathlib.Path(tempfile.gettempdir())
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--venv', default=str(tmp / 'rescomp-bench-venv'), help='"none": this Python, nothing is installed')
    p.add_argument('--library', type=pathlib.Path, default=ROOT / 'build/libresnetcompress.so.0')
    p.add_argument('--rescomp', default=str(ROOT / 'build/examples/rescomp'))
    p.add_argument('--models', type=pathlib.Path, help='folder with NET.onnx to take instead of fresh weights')
    p.add_argument('--cell', action='append', help='NET:TYPE:bN:tN, repeatable; default: all')
    p.add_argument('--match', help='of all cells those with this text in their name')
    p.add_argument('--peers', default=None, help='comma list; "": only this library')
    p.add_argument('--without', action='append', default=[], help='a peer to leave out, repeatable')
    p.add_argument('--runs', type=int, default=30, help='at least this many of each engine')
    p.add_argument('--seconds', type=float, default=0, help='fewer runs (at least 3 turns) when a cell takes longer')
    p.add_argument('--sizes', action='store_true', help='bytes on disk too; always when all cells run')
    p.add_argument('--json', type=pathlib.Path)
    p.add_argument('--log', help='file for what the engines say')
    p.add_argument('--list', action='store_true', help='the cells there are')
    a = p.parse_args()
    if a.runs < 1:
        p.error(f'--runs is {a.runs}, must be at least 1')
    try:
        a.cells = [cells.parse(c)['name'] for c in a.cell or cells.all_cells() if not a.match or a.match in c]
    except cells.BadCell as e:
        p.error(str(e))
    a.sizes = a.sizes or not (a.cell or a.match)
    known = sorted({x for names in cells.PEERS.values() for x in names})
    a.peers = known if a.peers is None else [x for x in a.peers.split(',') if x]
    for x in a.peers + a.without:
        if x not in known:
            p.error(f'peer "{x}", allowed are {", ".join(known)}')
    a.peers = [x for x in a.peers if x not in a.without]
    return a


def main():
    a = arguments()
    if a.list:
        print('\n'.join(a.cells))
        return 0
    used = {p for c in a.cells for p in cells.PEERS[cells.parse(c)['type']] if p in a.peers}
    python = sys.executable if a.venv == 'none' else make_venv(pathlib.Path(a.venv), sorted(used))
    if importlib.util.find_spec('numpy') is None and sys.executable != python:
        os.execv(python, [python, *sys.argv])
    results = []
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(a, python, work)
        for cell in a.cells:
            try:
                r = bench.run(cell)
            except RuntimeError as e:
                r = {'cell': cell, 'rows': [], 'left_out': {}, 'failures': [str(e)]}
            show(r)
            results.append(r)
    table(results)
    disk = sizes(a, python) if a.sizes else {}
    if disk:
        print('\n| on disk | MB |\n|---|---|')
    for name, size in disk.items():
        print(f'| {name} | {size / 1e6:.2f} |')
    print(f'\n{processor()}, {os.cpu_count()} processors')
    if a.json:
        a.json.write_text(json.dumps({'cpu': processor(), 'processors': os.cpu_count(), 'sizes': disk,
                                      'results': results}, indent=1))
    failed = [r['cell'] for r in results if r['failures']]
    if failed:
        say(f'FAILED: {", ".join(failed)}')
    return bool(failed)


if __name__ == '__main__':
    sys.exit(main())
