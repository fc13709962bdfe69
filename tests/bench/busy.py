#!/usr/bin/env python3
"""This library on a busy machine, beside ONNX Runtime and PyTorch: alone, beside N busy processes (--busy N), two
trainings at once (--pair), four sessions in one process (--sessions), a quota of one processor (--quota). See README.md."""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from cells import SIZE
from models import Models

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENGINES = {'train': ['rescomp', 'torch'], 'infer': ['rescomp', 'onnxruntime', 'torch']}
CGROUP = pathlib.Path('/sys/fs/cgroup/cpu')  # version 1


class Worker:
    """One engine in its own process; asleep until told to run for some seconds."""

    def __init__(self, a, engine, kind, files, library, prefix=(), sessions=1):
        job = dict(net=a.net, threads=a.threads, batch=a.batch if kind == 'train' else 1, size=SIZE[a.net], files=files,
                   type='train' if kind == 'train' else 'f32', sessions=sessions)
        self.sessions = sessions
        env = dict(os.environ, RESNETCOMPRESS_LIBRARY=str(library),
                   PYTHONPATH=os.pathsep.join([str(a.before_python if library == a.before else ROOT / 'bindings/python'),
                                               os.environ.get('PYTHONPATH', '')]))
        for name in ('OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE', 'OMP_WAIT_POLICY', 'OMP_NUM_THREADS'):
            env.pop(name, None)
        self.p = subprocess.Popen([*prefix, sys.executable, str(HERE / 'busy_worker.py'), engine, kind, json.dumps(job)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        self.ready = self.answer()
        if 'error' in self.ready:
            raise RuntimeError(f'{engine}: {self.ready["error"]}')

    def answer(self):
        line = self.p.stdout.readline()
        return json.loads(line) if line else {'error': 'ended'}

    def begin(self, seconds):
        self.p.stdin.write(f'{seconds}\n')
        self.p.stdin.flush()

    def run(self, seconds):
        self.begin(seconds)
        return self.answer()

    def close(self):
        self.p.kill()
        self.p.wait()


@contextlib.contextmanager
def busy(n):
    """N processes that want a processor each."""
    others = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(n)]
    time.sleep(0.2 if n else 0)
    try:
        yield
    finally:
        for p in others:
            p.kill()
            p.wait()


def percentile(values, p):
    s = sorted(values)
    return s[max(0, -(-len(s) * p // 100) - 1)]


class Row:
    """Turns of one engine in one situation."""

    def __init__(self):
        self.rate, self.median, self.p99 = [], [], []

    def add(self, *workers):
        """One turn: the times of every worker that ran in it; rates of all together."""
        times = [t for of_one in workers for t in of_one]
        self.rate.append(sum(1e3 * len(of_one) / sum(of_one) for of_one in workers if of_one))
        if times:
            self.median.append(statistics.median(times))
            self.p99.append(percentile(times, 99))

    def text(self, scale, alone):
        middle = [statistics.median(v) if v else float('nan') for v in (self.rate, self.median, self.p99)]
        text = f'{middle[0] * scale:10.1f} {middle[1]:10.3f} {middle[2]:10.3f}'
        if alone and alone is not self:  # ratios of the same round, then their median
            text += f' {statistics.median(x / y for x, y in zip(self.rate, alone.rate) if y):8.3f}'
        return text


def turn(row, worker, a, threads=1):
    times = worker.run(a.seconds)
    row.add(*(times[i::threads] for i in range(threads)))


def pair_turn(row, workers, a):
    for w in workers:
        w.begin(a.seconds)
    row.add(*[w.answer() for w in workers])


def measure_busy(a, kind, names, files):
    """Alone, beside others and, training, in pairs; engines take turns in every round."""
    made = {}
    for label, engine, library in names:
        made[label] = [Worker(a, engine, kind, files, library)
                       for _ in range(2 if a.pair and kind == 'train' else 1)]
    rows = {label: {} for label in made}
    for _ in range(a.rounds):
        for label, workers in made.items():
            time.sleep(a.rest)
            for n in [0, *a.busy]:
                with busy(n):
                    turn(rows[label].setdefault(f'busy {n}' if n else 'alone', Row()), workers[0], a)
            if len(workers) > 1:
                pair_turn(rows[label].setdefault('pair', Row()), workers, a)
    for workers in made.values():
        for w in workers:
            w.close()
    show(kind, rows, 'alone', a.batch if kind == 'train' else 1)


def measure_sessions(a, names, files):
    """4 sessions of --threads threads beside --threads sessions of one, all of one process."""
    rows = {}
    for label, engine, library in names:
        many = Worker(a, engine, 'infer', files, library, sessions=4)
        one = argparse.Namespace(**{**vars(a), 'threads': 1})
        few = Worker(one, engine, 'infer', files, library, sessions=a.threads)
        rows[label] = {f'{a.threads} x 1': Row(), f'4 x {a.threads}': Row()}
        for _ in range(a.rounds):
            for w, row in zip((few, many), rows[label].values()):
                turn(row, w, a, w.sessions)
        many.close()
        few.close()
    show('sessions', rows, f'{a.threads} x 1', 1)


def measure_quota(a, names, files):
    """As many threads as are taken by default under a quota of one processor, beside one thread that is told."""
    group = CGROUP / f'rescomp-bench-{os.getpid()}'
    rows = {}
    try:
        group.mkdir()
        (group / 'cpu.cfs_quota_us').write_text((group / 'cpu.cfs_period_us').read_text())
        prefix = ['sh', '-c', f'echo $$ > {group}/cgroup.procs; exec "$@"', 'sh']
    except OSError as e:
        print(f'no cgroup can be made ({e}); one processor by affinity instead')
        prefix = ['taskset', '-c', str(min(os.sched_getaffinity(0)))]
    try:
        for label, engine, library in names:
            if engine != 'rescomp':
                continue
            rows[label] = {'1 thread': Row(), 'default': Row()}
            workers = [Worker(argparse.Namespace(**{**vars(a), 'threads': n}), engine, 'infer', files, library, p)
                       for n, p in ((1, ()), (0, prefix))]
            for _ in range(a.rounds):
                for w, row in zip(workers, rows[label].values()):
                    turn(row, w, a)
            for w in workers:
                w.close()
        show('quota', rows, '1 thread', 1)
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()


def show(kind, rows, base, scale):
    unit = 'images/s' if kind == 'train' else 'runs/s'
    print(f'{kind:10} {"":24} {unit:>10} {"median ms":>10} {"p99 ms":>10} {"of " + base:>8}')
    for label, situations in rows.items():
        for name, row in situations.items():
            print(f'{"":10} {label:12} {name:11} {row.text(scale, situations[base])}', flush=True)


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--busy', type=int, action='append', default=[], metavar='N', help='beside N busy processes; repeatable')
    p.add_argument('--pair', action='store_true', help='two trainings at once')
    p.add_argument('--sessions', action='store_true', help='four sessions in one process')
    p.add_argument('--quota', action='store_true', help='a quota of one processor')
    p.add_argument('--kind', choices=list(ENGINES), action='append', help='train or infer; default: both')
    p.add_argument('--net', choices=list(SIZE), default='resnet20')
    p.add_argument('--batch', type=int, default=128, help='of training; default: 128')
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--seconds', type=float, default=2, help='of one turn')
    p.add_argument('--rest', type=float, default=0, help='seconds before a turn alone, in which all is calm again')
    p.add_argument('--library', type=pathlib.Path, default=ROOT / 'build/libresnetcompress.so')
    p.add_argument('--before', type=pathlib.Path, help='an older library, measured too')
    p.add_argument('--before-python', type=pathlib.Path, default=ROOT / 'bindings/python', help='the bindings of that')
    p.add_argument('--rescomp', type=pathlib.Path, default=ROOT / 'build/examples/rescomp')
    p.add_argument('--models', type=pathlib.Path, help='folder with NET.onnx; default: fresh weights')
    p.add_argument('--without', default='', help='engines left out, with commas')
    return p.parse_args()


def main():
    a = arguments()
    with tempfile.TemporaryDirectory() as work:
        models = Models(pathlib.Path(work), a.models, a.rescomp, pathlib.Path(sys.executable).parent)
        files = {form: str(models.get(a.net, SIZE[a.net], form)) for form in ('raw', 'f32', 'train')}

        def names(kind):
            found = [('rescomp', 'rescomp', a.library)]
            found += [('before', 'rescomp', a.before)] if a.before else []
            return found + [(e, e, a.library) for e in ENGINES[kind][1:] if e not in a.without.split(',')]
        print(f'{a.net}, {a.threads} threads, batch {a.batch} in training, {a.rounds} rounds of {a.seconds:g} s')
        for kind in a.kind or list(ENGINES):
            if a.busy or a.pair:
                measure_busy(a, kind, names(kind), files)
        if a.sessions:
            measure_sessions(a, names('infer')[:2 if a.before else 1], files)
        if a.quota:
            measure_quota(a, names('infer'), files)


if __name__ == '__main__':
    main()
