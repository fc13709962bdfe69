"""From Python: train a small network, prune it, let it recover, quantize it, save it, run it.

    python_quickstart.py [FOLDER [KIND:PATH]]

Writes the models and a report to FOLDER (default: a temporary one)."""
import pathlib
import sys
import tempfile

import numpy as np

import rescomp


def images(split, spec):
    """Fashion-MNIST or what the user names; else stripes made here: class k is bright at columns 2k+3.. ."""
    if spec is None and pathlib.Path('/usr/share/datasets/fashion-mnist').is_dir():
        spec = 'idx:/usr/share/datasets/fashion-mnist'
    if spec is not None:
        return rescomp.Dataset.open(spec, split=split, holdout=True)
    y = np.arange(4096) * 7 % 10
    x = np.random.default_rng(0).integers(0, 128, (len(y), 1, 28, 28)).astype(np.uint8)
    for i, k in enumerate(y):
        x[i, :, :, 2 * k + 3:2 * k + 6] += 100
    return rescomp.Dataset.from_arrays(x, y, split=split, holdout=True)


def progress(p):
    if p['step'] % 16 == 0:
        print(f"  step {p['step']}/{p['steps']}: loss {p['loss']:.3f}, {p['seconds_left']:.0f} s left")


folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
spec = sys.argv[2] if len(sys.argv) > 2 else None
train, calib, test = (images(split, spec) for split in ('train', 'calib', 'test'))
channels, height, width = train.shape

print('training')
original = rescomp.Graph.create('resnet8', classes=train.classes, channels=channels, height=height, width=width)
rescomp.train(original, train, images=2048, batch=64, lr=0.1, epochs=2, progress=progress)
original.set_metadata('rescomp.preprocess', train.preprocess)

print('pruning to half of the multiply-adds')
with rescomp.Pruner(original, macs=0.5, round_to=8, dataset=train, images=512) as pruner:
    for group in pruner.groups():
        if not group['may_cut']:
            print(f"  {group['name']} stays: {group['reason']}")
    pruned = pruner.apply()

print('recovering with the original as teacher')
rescomp.train(pruned, train, teacher=original, images=2048, batch=64, lr=0.02, epochs=2, progress=progress)

print('quantizing')
with rescomp.Quantizer(pruned, images=256) as quantizer:
    quantized = quantizer.calibrate(calib).apply()
    quantizer.save_table(folder / 'table.json')

report = rescomp.Report('From Python')
print(f"{'':10} {'parameters':>10} {'MACs':>10} {'bytes':>8} {'top-1':>6} {'ms':>6}")
graphs = {'original': original, 'pruned': pruned, 'quantized': quantized}
latencies = rescomp.measure_latency([rescomp.Session(g) for g in graphs.values()], seconds=0.2)
for (name, graph), latency in zip(graphs.items(), latencies):
    path = folder / f'{name}.onnx'
    graph.save(path)
    info, top1 = graph.info(), rescomp.evaluate(graph, test, images=2000)['top1']
    size = path.stat().st_size
    print(f"{name:10} {info['parameters']:10,} {info['macs']:10,} {size:8,} {top1:6.2f} {latency['median_ms']:6.3f}")
    report.add_step(name, graph=graph, top1=top1, file_bytes=size, median_ms=latency['median_ms'])
report.set_layers(original, pruned)
report.save(folder)

# What was written loads again; arrays go in and out without copies.
x, y = test.read(0, 8)
with rescomp.Session(rescomp.Graph.load(folder / 'quantized.onnx'), batch=8) as session:
    print('answers', session.run(x).argmax(axis=1), 'labels', y)
try:
    rescomp.Graph.load(folder / 'absent.onnx')
except rescomp.Error as error:
    print(f'as it should: {error.name}: {error}')
print(f'see {folder}/report.html')
