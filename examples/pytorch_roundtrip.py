"""From torch and back: a torch module is written as ONNX, pruned and trained a little here, and the
weights of the smaller network go into a torch module of its shape, which then gives the same logits.

    pytorch_roundtrip.py

Ends with 77 (skipped) where torch is not installed."""
import pathlib
import sys
import tempfile
import warnings

import numpy as np

import rescomp

try:
    import torch
    from torch import nn
except ImportError:
    print('skipped: torch is not installed')
    sys.exit(77)

SIDE, CLASSES = 16, 4


class Block(nn.Module):
    """x + bn2(conv2(relu(bn1(conv1(x))))), then relu."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(x + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.blocks = nn.Sequential(Block(16), Block(16))
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.blocks(torch.relu(self.norm(self.stem(x))))
        return self.fc(x.mean((2, 3)))


def write(net, file):
    """ONNX with the module's own names: PRESERVE keeps batch normalisation apart from convolutions."""
    torch.onnx.export(net.eval(), torch.zeros(1, 3, SIDE, SIDE), file, input_names=['x'], output_names=['y'],
                      dynamic_axes={'x': {0: 'N'}, 'y': {0: 'N'}}, opset_version=17, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.PRESERVE, dynamo=False)


def take_weights(net, graph):
    """Give every parameter and buffer of `net` the shape and the values of the graph's constant of that name."""
    weights = graph.weights()
    for name, old in list(net.named_parameters()) + list(net.named_buffers()):
        if name not in weights:
            continue  # num_batches_tracked, which the graph does not have
        path, _, leaf = name.rpartition('.')
        module, new = net.get_submodule(path), torch.from_dlpack(weights[name]).clone()  # the module may train on
        if isinstance(old, nn.Parameter):
            new = nn.Parameter(new)
        setattr(module, leaf, new)
        if leaf == 'weight' and isinstance(module, nn.Conv2d):
            module.out_channels, module.in_channels = new.shape[0], new.shape[1] * module.groups
        elif leaf == 'weight' and isinstance(module, nn.Linear):
            module.out_features, module.in_features = new.shape
        elif leaf == 'weight' and isinstance(module, nn.BatchNorm2d):
            module.num_features = new.shape[0]
    return net


def images(n):
    """Tensors that a small network can tell apart: class k has bright columns 4k .. 4k+3."""
    y = torch.arange(n) % CLASSES
    x = torch.randint(0, 100, (n, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    for i, k in enumerate(y.tolist()):
        x[i, :, :, 4 * k:4 * k + 4] += 100
    return x, y


warnings.filterwarnings('ignore', category=DeprecationWarning)  # of the exporter that keeps names
torch.manual_seed(0)
net = Net()
with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder, 'net.onnx')
    write(net, str(file))
    original = rescomp.Graph.load(file)
data = rescomp.Dataset.from_arrays(*images(256))  # tensors, not copied
rescomp.train(original, data, batch=32, epochs=4, lr=0.05)
small = rescomp.prune(original, macs=0.5)
rescomp.train(small, data, batch=32, epochs=4, lr=0.02)
before, after = original.info(), small.info()
print(f"{before['macs']:,} -> {after['macs']:,} MACs, {before['parameters']:,} -> {after['parameters']:,} parameters, "
      f"top-1 {rescomp.evaluate(small, data)['top1']:.1f} %")

pruned = take_weights(net, small).eval()
x, _ = data.read(0, 8)
with torch.no_grad():
    theirs = pruned(torch.from_numpy(x)).numpy()
ours = rescomp.Session(small, batch=8).run(x)
worst = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
print(f"{sum(p.numel() for p in pruned.parameters()):,} parameters in torch, logits within {worst:.1e}")
assert after['macs'] <= 0.5 * before['macs'] and worst < 1e-4
