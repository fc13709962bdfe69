"""Nodes that are left of a model when it is cleaned up: by `rescomp fuse`, onnxsim and onnxslim, and whether all compute
the same. Constant nodes are weights and not counted.
usage: cleanup.py [--rescomp PATH] [--markdown] [--ops] [FILE.onnx[.gz] or FOLDER ...]     (default: tests/golden/architectures)"""
import argparse
import collections
import gzip
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

HERE = pathlib.Path(__file__).resolve().parent
TOLERANCE = 1e-4  # of the largest result


def operators(model):
    return collections.Counter(n.op_type for n in model.graph.node if n.op_type != 'Constant')


def fused(tool, model):
    with tempfile.TemporaryDirectory() as folder:
        before, after = pathlib.Path(folder, 'a.onnx'), pathlib.Path(folder, 'b.onnx')
        onnx.save(model, before)
        done = subprocess.run([tool, 'fuse', before, '-o', after, '-q'], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[:200])
        return onnx.load(after)


def simplified(model):
    import onnxsim
    return onnxsim.simplify(model)[0]


def slimmed(model):
    import onnxslim
    return onnxslim.slim(model)


def results(model, seed=0):
    """Two images; None without ONNX Runtime."""
    try:
        import onnxruntime
    except ImportError:
        return None
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    rng = np.random.default_rng(seed)
    feed = {}
    for i in session.get_inputs():
        shape = [d if isinstance(d, int) else 2 for d in i.shape]
        feed[i.name] = rng.standard_normal(shape).astype(np.float32)
    return session.run(None, feed)


def difference(want, have):
    if len(want) != len(have) or any(a.shape != b.shape for a, b in zip(want, have)):
        return float('inf')
    return max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30)) for a, b in zip(want, have))


def models(paths):
    for path in paths:
        path = pathlib.Path(path)
        for file in sorted(p for p in path.iterdir() if p.name.endswith(('.onnx', '.onnx.gz'))) if path.is_dir() else [path]:
            data = file.read_bytes()
            yield file.name.split('.')[0], onnx.load_from_string(gzip.decompress(data) if file.suffix == '.gz' else data)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('models', nargs='*', default=[HERE.parent / 'golden' / 'architectures'])
    arguments.add_argument('--rescomp', default=HERE.parent.parent / 'build' / 'rescomp')
    arguments.add_argument('--markdown', action='store_true')
    arguments.add_argument('--ops', action='store_true', help='name the operators that others have fewer of')
    a = arguments.parse_args()
    ways = {'rescomp': lambda m: fused(a.rescomp, m), 'onnxsim': simplified, 'onnxslim': slimmed}
    row = '| {} | {} | {} | {} | {} |' if a.markdown else '{:24} {:>8} {:>8} {:>8} {:>8}'
    print(row.format('model', 'before', *ways))
    if a.markdown:
        print('|---|---:|---:|---:|---:|')
    wrong, more, total = 0, 0, collections.Counter()
    for name, model in models(a.models):
        want, left, counts = results(model), {}, {}
        for way, run in ways.items():
            try:
                m = run(onnx.ModelProto.FromString(model.SerializeToString()))
                counts[way] = operators(m)
                left[way] = str(sum(counts[way].values()))
                off = difference(want, results(m)) if want is not None else 0
                if off > TOLERANCE:
                    left[way] += '!'
                    wrong += way == 'rescomp'
                    print(f'{name}: {way} differs by {off:.2g}', file=sys.stderr)
            except Exception as error:  # a peer that cannot do a model must not stop the table
                left[way] = 'fails'
                wrong += way == 'rescomp'
                print(f'{name}: {way}: {str(error)[:200]}', file=sys.stderr)
        print(row.format(name, sum(operators(model).values()), *left.values()), flush=True)
        total['before'] += sum(operators(model).values())
        for way in counts:
            total[way] += sum(counts[way].values())
        ours = counts.get('rescomp')
        best = min((c for w, c in counts.items() if w != 'rescomp'), key=lambda c: sum(c.values()), default=None)
        if ours and best and sum(ours.values()) > sum(best.values()):
            more += 1
            if a.ops:
                print('   ', {op: f'{ours[op]}:{best[op]}' for op in sorted({*ours, *best}) if ours[op] != best[op]})
    print(row.format('all', total['before'], *(total[w] for w in ways)))
    print(f'{more} models with more nodes than the best other, {wrong} that fail or differ', file=sys.stderr)
    return wrong > 0


if __name__ == '__main__':
    sys.exit(main())
