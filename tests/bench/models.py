"""Model files for the engines: networks with fresh weights (or given ones), and what the peers make of them."""
import pathlib
import subprocess

import numpy as np

CLASSES = {32: 10, 224: 1000}
CALIBRATION = {32: 64, 224: 8}
TRAINING = {32: 128 * 17, 224: 16 * 9}  # images: the largest number of steps of one turn and a first one


def tool(*args):
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    if r.returncode:
        said = (r.stderr or r.stdout).strip().splitlines()
        raise RuntimeError(f'{pathlib.Path(args[0]).name} {args[1]}: {said[-1] if said else r.returncode}')


def inputs(batch, size):
    return np.random.default_rng(0).normal(size=(batch, 3, size, size)).astype(np.float32)


class Models:
    """Files by network and form, made when first asked for."""

    def __init__(self, folder, given, rescomp, bin_folder):
        self.folder, self.given, self.rescomp, self.bin = pathlib.Path(folder), given, rescomp, bin_folder

    def get(self, net, size, form):
        path = self.folder / f'{net}-{form}{".npz" if form in ("train", "calib") else ".onnx"}'
        if not path.exists():
            getattr(self, form)(path, net, size)
        return path

    def raw(self, path, net, _size):
        for name in (f'{net}.onnx', f'{net}-cifar10.onnx') if self.given else ():
            if (self.given / name).exists():
                path.symlink_to((self.given / name).resolve())
                break
        else:
            tool(self.rescomp, 'create', net, '-o', path)

    def f32(self, path, net, size):
        tool(self.rescomp, 'fuse', self.get(net, size, 'raw'), '-o', path)

    def int8(self, path, net, size):
        tool(self.rescomp, 'quantize', self.get(net, size, 'f32'), '-o', path, '--data',
             f'npz:{self.get(net, size, "calib")}', '--images', CALIBRATION[size], '-q')

    def pruned(self, path, net, size):
        tool(self.rescomp, 'prune', self.get(net, size, 'f32'), '-o', path, '--macs', '0.5', '--round-to', '8', '-q')

    def calib(self, path, _net, size):
        n = CALIBRATION[size]
        np.savez(path, x=inputs(n, size), y=self._labels(n, size))

    def train(self, path, _net, size):
        n = TRAINING[size]
        x = np.random.default_rng(1).integers(0, 256, (n, 3, size, size)).astype(np.uint8)
        np.savez(path, x=x, y=self._labels(n, size))

    @staticmethod
    def _labels(n, size):
        y = np.random.default_rng(2).integers(0, CLASSES[size], n)
        y[-1] = CLASSES[size] - 1  # a data set has as many classes as its largest label says
        return y

    def mnn(self, net, size):
        path = self.folder / f'{net}.mnn'
        if not path.exists():
            tool(self.bin / 'mnnconvert', '-f', 'ONNX', '--modelFile', self.get(net, size, 'f32'), '--MNNModel', path,
                 '--bizCode', 'bench')
        return path

    def ncnn(self, net, size, python):
        param, weights = self.folder / f'{net}.param', self.folder / f'{net}.bin'
        if not param.exists():
            source = self.folder / f'{net}-conv.onnx'
            tool(python, pathlib.Path(__file__).with_name('shortcuts.py'), self.get(net, size, 'f32'), source)
            tool(self.bin / 'pnnx', source, f'inputshape=[1,3,{size},{size}]', 'fp16=0', f'ncnnparam={param}',
                 f'ncnnbin={weights}')
        return param
