"""Training steps: start(cell, files) -> (run, version, loss). run(n) -> n step times in ms; loss is that of the first
step on the same images and weights. Ours loads and normalises images from a file, PyTorch has them in memory."""
import time

import numpy as np

MEAN, STD, RATE = 0.5, 0.25, 0.001


def rescomp(cell, files, bf16=False):
    import rescomp as rc
    from engines import need_option
    options = {}
    if bf16:
        need_option(rc.Trainer.__init__, 'precision')
        options['precision'] = 'bf16'
    data = rc.Dataset.open('npz:' + files['train'], mean=(MEAN,) * 3, std=(STD,) * 3)
    graph = rc.Graph.load(files['raw'])
    losses = []

    def run(n):
        at = []

        def note(p):
            at.append(time.perf_counter())
            losses.append(p['loss'])
        rc.train(graph, data, epochs=1, batch=cell['batch'], lr=RATE, images=cell['batch'] * (n + 1), in_order=True,
                 augmentation='none', threads=cell['threads'], progress=note, **options)
        return list(np.diff(at) * 1e3)
    run(1)
    return run, rc.version(), losses[0]


def torch(cell, files, layout='channels_last', compiled=False, bf16=False):
    import torch as t
    from torch_net import load
    t.set_num_threads(cell['threads'])
    layout = getattr(t, layout)
    net = load(files['raw']).train().to(memory_format=layout)
    model = t.compile(net) if compiled else net
    optimizer = t.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, weight_decay=5e-4)
    with np.load(files['train']) as f:
        x, y = f['x'][:cell['batch']], f['y'][:cell['batch']]
    x = ((t.from_numpy(x).float() / 255 - MEAN) / STD).to(memory_format=layout)
    y = t.from_numpy(y)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with t.autocast('cpu', t.bfloat16, enabled=bf16):
            loss = t.nn.functional.cross_entropy(model(x).float(), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    def run(n):
        times = []
        for _ in range(n):
            begin = time.perf_counter()
            step()
            times.append((time.perf_counter() - begin) * 1e3)
        return times
    return run, t.__version__, step()


ENGINES = {
    'rescomp': rescomp,
    'rescomp-bf16': lambda c, f: rescomp(c, f, bf16=True),
    'torch': torch,
    'torch-nchw': lambda c, f: torch(c, f, layout='contiguous_format'),
    'torch-compile': lambda c, f: torch(c, f, compiled=True),
    'torch-bf16': lambda c, f: torch(c, f, bf16=True),
}
