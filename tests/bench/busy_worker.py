"""One process of busy.py: prints {"version": ...}, then for each line of standard input, a number of seconds, works that
long and prints how long every step took, in milliseconds. Asleep otherwise.
usage: busy_worker.py ENGINE KIND JOB_JSON"""
import json
import os
import sys
import threading
import time

import numpy as np

import engines
import training

ANSWERS = os.fdopen(os.dup(1), 'w')


def say(what):
    print(json.dumps(what), file=ANSWERS, flush=True)


def seconds():
    """Of the next turn; the process ends with its standard input."""
    line = sys.stdin.readline()
    if not line:
        os._exit(0)
    return float(line)


def serve(run):
    while True:
        until = seconds() + time.perf_counter()
        times = []
        while (begin := time.perf_counter()) < until:
            run()
            times.append((time.perf_counter() - begin) * 1e3)
        say(times)


def train_rescomp(job, files):
    """One long run, which waits for its turns where it reports progress."""
    import rescomp as rc
    data = rc.Dataset.open('npz:' + files['train'], mean=(training.MEAN,) * 3, std=(training.STD,) * 3)
    turn = {'until': 0.0, 'at': 0.0, 'times': None}

    def note(_p):
        now = time.perf_counter()
        if turn['times'] is None:
            say({'version': rc.version()})
        else:
            turn['times'].append((now - turn['at']) * 1e3)
        if now >= turn['until']:
            if turn['times'] is not None:
                say(turn['times'])
            turn.update(times=[], until=seconds() + time.perf_counter())
        turn['at'] = time.perf_counter()
    rc.train(rc.Graph.load(files['raw']), data, epochs=10 ** 5, batch=job['batch'], lr=0.001, augmentation='none',
             threads=job['threads'], progress=note)


def train_torch(job, files):
    run, version, _ = training.ENGINES['torch'](job, files)
    run(1)
    say({'version': version})
    serve(lambda: run(1))


def infer(job, files, engine):
    """Sessions of one process, each on a thread of its own; a step is one run of any of them."""
    made = [getattr(engines, engine)(job, files) for _ in range(job['sessions'])]
    for run, _ in made:
        for _ in range(20):
            run()
    say({'version': made[0][1]})
    if len(made) == 1:
        serve(made[0][0])
    while True:
        until, times = seconds() + time.perf_counter(), []

        def work(run, until=until, times=times):
            own = []
            while (begin := time.perf_counter()) < until:
                run()
                own.append((time.perf_counter() - begin) * 1e3)
            times.extend(own)
        threads = [threading.Thread(target=work, args=(run,)) for run, _ in made]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        say(times)


def main():
    engine, kind, job = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    os.dup2(2, 1)
    np.seterr(all='ignore')
    if job.get('affinity'):
        os.sched_setaffinity(0, job['affinity'])
    try:
        if kind == 'train':
            (train_rescomp if engine == 'rescomp' else train_torch)(job, job['files'])
        else:
            infer(job, job['files'], engine)
    except Exception as e:  # the parent names it and goes on without this engine
        say({'error': f'{type(e).__name__}: {e}'.splitlines()[0]})


if __name__ == '__main__':
    main()
