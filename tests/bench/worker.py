"""One engine of bench.py in a process of its own. It builds its session, prints one JSON line, then runs as often as
each line of standard input says and prints the times in milliseconds.
usage: worker.py ENGINE CELL_JSON FILES_JSON OUTPUT_NPY"""
import json
import os
import sys
import time

import numpy as np

import engines
import training
from models import inputs

COMPARED = {32: 32, 224: 4}  # images whose outputs are written


def timed(run, n, warm):
    times = []
    for _ in range(warm):
        run()
    for _ in range(n):
        begin = time.perf_counter()
        run()
        times.append((time.perf_counter() - begin) * 1e3)
    return times


def start(engine, cell, files, output):
    """(run(n) -> times, what to say first)"""
    if cell['type'].startswith('train'):
        run, version, loss = training.ENGINES[engine](cell, files)
        run(1)
        return run, {'version': version, 'loss': loss, 'ms': min(run(2))}
    run, version = getattr(engines, engine.replace('-', '_'))(cell, files)
    first = np.array(run(), np.float32)
    np.save(output, first[:COMPARED[cell['size']]])
    run()
    ms = min(timed(run, 2, 1))
    # caches and threads of a process that slept are cold; that is not what is measured
    warm = 3 if ms < 5 else 1 if ms < 50 else 0
    return (lambda n: timed(run, n, warm)), {'version': version, 'ms': ms}


def memory(key):
    with open('/proc/self/status') as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(key))


def load(engine, cell, files, output):
    """File to first answer, once, and the peak of memory over the process before it."""
    __import__(engine)
    inputs(cell['batch'], cell['size'])
    time.sleep(0.5)  # numpy's threads spin for a while after they were started, on the processors to be measured
    with open('/proc/self/clear_refs', 'w') as f:
        f.write('5')  # the peak starts anew
    before = memory('VmRSS')
    begin = time.perf_counter()
    run, version = getattr(engines, engine)(cell, files)
    y = run()
    ms = (time.perf_counter() - begin) * 1e3
    np.save(output, y)
    return {'ms': ms, 'peak_bytes': memory('VmHWM') - before, 'version': version}


def main():
    engine, cell, files, output = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4]
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # engines that talk on standard output do not disturb
    try:
        if cell['type'] == 'load':
            print(json.dumps(load(engine, cell, files, output)), file=answers, flush=True)
            return
        run, ready = start(engine, cell, files, output)
    except Exception as e:  # the parent names it and goes on without this engine
        print(json.dumps({'error': f'{type(e).__name__}: {e}'.splitlines()[0]}), file=answers, flush=True)
        return
    print(json.dumps(ready), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(run(int(line))), file=answers, flush=True)


if __name__ == '__main__':
    main()
