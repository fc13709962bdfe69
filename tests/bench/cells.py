"""What can be measured: the names of cells, which engines run in each, and the goals."""
import re

SIZE = {'resnet18': 224, 'resnet50': 224, 'resnet20': 32, 'resnet56': 32}
BIG = ('resnet18', 'resnet50')
#: engines of a cell beside this library
PEERS = {
    'f32': ['onnxruntime', 'openvino', 'ncnn', 'mnn'],
    'int8': ['onnxruntime', 'openvino'],
    'bf16': ['openvino', 'torch'],
    'int8-avx2': [],
    'train': ['torch-nchw', 'torch', 'torch-compile'],
    'train-bf16': ['torch'],
    'load': ['onnxruntime'],
    'sessions': [],
    'prune': [],
}
#: what an engine needs in the virtual environment: modules (the same names on PyPI)
NEEDS = {'onnxruntime': ['onnxruntime'], 'openvino': ['openvino'], 'ncnn': ['ncnn', 'pnnx', 'onnx'], 'mnn': ['MNN'],
         'torch': ['torch', 'onnx']}
#: largest difference from the f32 reference, relative to its largest output
LIMIT = {'f32': 1e-4, 'int8': 0.1, 'bf16': 0.1, 'int8-avx2': 0.1}
PEER_LIMIT = 0.1  # a peer beyond it does not count


class BadCell(ValueError):
    pass


def parse(text):
    """'resnet20:int8:b1:t2' as a dict."""
    m = re.fullmatch(r'(\w+):([\w-]+):b(\d+):t(\d+)', text)
    if not m:
        raise BadCell(f'cell "{text}" is not NET:TYPE:bBATCH:tTHREADS, such as resnet20:int8:b1:t2')
    net, kind, batch, threads = m[1], m[2], int(m[3]), int(m[4])
    if net not in SIZE:
        raise BadCell(f'cell "{text}": network "{net}", allowed are {", ".join(SIZE)}')
    if kind not in PEERS:
        raise BadCell(f'cell "{text}": type "{kind}", allowed are {", ".join(PEERS)}')
    if not 1 <= batch <= 1024 or not 1 <= threads <= 1024:
        raise BadCell(f'cell "{text}": batch and threads must be 1 to 1024')
    return {'name': text, 'net': net, 'type': kind, 'batch': batch, 'threads': threads, 'size': SIZE[net]}


def all_cells():
    cells = []
    for kind in ('f32', 'int8', 'bf16'):
        for net in SIZE:
            for batch in (1, 32 if net in BIG else 128):
                cells += [f'{net}:{kind}:b{batch}:t{t}' for t in (1, 2)]
    for kind in ('train', 'train-bf16'):
        cells += [f'resnet20:{kind}:b128:t2', f'resnet56:{kind}:b128:t2', f'resnet18:{kind}:b16:t2']
    cells += [f'{net}:int8-avx2:b1:t2' for net in ('resnet20', 'resnet50')]
    cells += ['resnet50:load:b1:t2', 'resnet20:load:b1:t2', 'resnet20:prune:b1:t1', 'resnet20:prune:b1:t2',
              'resnet20:sessions:b1:t2']
    return cells


def must(cell):
    """Largest ratio of times ours / best peer that counts as ahead; None: no goal is set."""
    kind, net, big = cell['type'], cell['net'], cell['net'] in BIG
    one = cell['batch'] == 1
    if kind == 'f32':
        if net == 'resnet50':
            return 0.97
        return (0.95 if one else None) if net == 'resnet18' else 0.85 if one else 0.75
    if kind == 'int8':
        return 0.97 if big else 0.75 if one else None
    goals = {'int8-avx2': 1.0, 'train': 1 / (1.3 if big else 1.4), 'train-bf16': 1 / 1.3, 'load': 0.5, 'prune': 0.65,
             'sessions': 0.8}
    return goals.get(kind)
