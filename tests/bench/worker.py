"""One engine of bench.py: builds its session, prints one JSON line, then runs as often as each line of
standard input says and prints the times in milliseconds. usage: worker.py ENGINE CELL_JSON MODEL"""
import json
import sys
import time

import numpy as np


def images(batch):
    return np.random.default_rng(0).normal(size=(batch, 3, 32, 32)).astype(np.float32)


def start_rescomp(cell, model):
    import rescomp
    if cell['type'] == 'train':
        return start_rescomp_training(cell, model, rescomp)
    session = rescomp.Session(rescomp.Graph.load(model), batch=cell['batch'], threads=cell['threads'])
    x = images(cell['batch'])
    out = session.run(x)
    return (lambda: session.run(x, out=out)), rescomp.version()


def start_onnxruntime(cell, model):
    import onnxruntime as ort
    o = ort.SessionOptions()
    o.intra_op_num_threads = cell['threads']
    o.inter_op_num_threads = 1
    session = ort.InferenceSession(model, o, providers=['CPUExecutionProvider'])
    name, x = session.get_inputs()[0].name, images(cell['batch'])
    return (lambda: session.run(None, {name: x})), ort.__version__


STEPS = 20  # training steps per timed run


def start_rescomp_training(cell, model, rescomp):
    """Steps of rc_trainer on images in memory; time per step from its own throughput."""
    n = cell['batch'] * STEPS
    x = np.random.default_rng(0).integers(0, 255, (n, 3, 32, 32)).astype(np.uint8)
    y = np.random.default_rng(1).integers(0, 10, n)
    data = rescomp.Dataset.from_arrays(x, y, classes=10, mean=(.485, .456, .406), std=(.229, .224, .225))
    graph = rescomp.Graph.create(cell['net'])

    def run():
        r = rescomp.train(graph, data, epochs=1, batch=cell['batch'], lr=0.01)
        return cell['batch'] * 1e3 / r['images_per_second']
    return run, rescomp.version()


def start_torch(cell, model):
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    torch.set_num_threads(cell['threads'])

    class Block(nn.Module):
        def __init__(self, cin, cout, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(cout)
            self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(cout)
            self.stride, self.pad = stride, (cout - cin) // 2

        def forward(self, x):
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            if self.pad:
                x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.pad, self.pad))
            return F.relu(y + x)

    n = {'resnet20': 3, 'resnet56': 9}[cell['net']]
    layers, cin = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for s, w in enumerate((16, 32, 64)):
        for i in range(n):
            layers.append(Block(cin, w, 2 if s and not i else 1))
            cin = w
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    net = net.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    x = torch.from_numpy(images(cell['batch'])).to(memory_format=torch.channels_last)
    y = torch.from_numpy(np.random.default_rng(1).integers(0, 10, cell['batch']))

    def run():
        begin = time.perf_counter()
        for _ in range(STEPS):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
        return (time.perf_counter() - begin) * 1e3 / STEPS
    return run, torch.__version__


def main():
    engine, cell, model = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    start = {'rescomp': start_rescomp, 'onnxruntime': start_onnxruntime, 'torch': start_torch}[engine]
    try:
        run, version = start(cell, model)
        for _ in range(3 if cell['type'] != 'train' else 1):
            run()
        begin = time.perf_counter()
        run()
        seconds = time.perf_counter() - begin
    except Exception as e:  # the parent names it and goes on without this engine
        print(json.dumps({'error': f'{type(e).__name__}: {e}'}), flush=True)
        return
    print(json.dumps({'version': version, 'seconds': seconds}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            told = run()
            times.append(told if cell['type'] == 'train' else (time.perf_counter() - begin) * 1e3)
        print(json.dumps(times), flush=True)


if __name__ == '__main__':
    main()
