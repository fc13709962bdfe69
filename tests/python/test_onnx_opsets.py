"""Models written in every opset from 7 on, and with 16-bit weights, pass onnx.checker and compute the same.

Exits with 77 (skipped) where the onnx package is absent."""
import pathlib
import sys
import tempfile

import numpy as np

try:
    import onnx
except ImportError:
    print('skipped: no onnx package')
    sys.exit(77)

import rescomp

LAST = onnx.defs.onnx_opset_version()


def outputs(graph, x):
    return np.asarray(rescomp.Session(graph, batch=len(x)).run(x))


def check(path, opset):
    model = onnx.load(path)
    assert [(o.domain, o.version) for o in model.opset_import] == [('', opset)], model.opset_import
    onnx.checker.check_model(model, full_check=True)
    return model


def every_opset(graph, x, folder, name):
    want = outputs(graph, x)
    for opset in range(7, 26):
        path = folder / 'm.onnx'
        if name == 'resnet20' and opset < 10:  # its shortcuts take every second pixel
            try:
                graph.save(path, opset=opset)
            except rescomp.Error as refused:
                assert 'step is 2, must be 1 below opset 10' in str(refused), refused
                continue
            raise AssertionError('a strided Slice in opset %d' % opset)
        graph.save(path, opset=opset)
        if opset <= LAST:
            check(path, opset)
        again = rescomp.Graph.load(path)
        assert again.info()['opset'] == opset
        np.testing.assert_allclose(outputs(again, x), want, rtol=1e-4, atol=1e-5)
    print(f'ok {name}: opsets 7 to 25, {min(LAST, 25) - 6} of them by onnx.checker')


def every_storage(graph, x, folder, name):
    want = outputs(graph, x)
    graph.save(folder / 'f32.onnx', opset=13)
    whole = (folder / 'f32.onnx').stat().st_size
    for storage, limit in (('f16', 0.02), ('bf16', 0.2)):
        path = folder / f'{storage}.onnx'
        graph.save(path, opset=13, storage=storage)
        model = check(path, 13)
        assert path.stat().st_size < 0.6 * whole, (path.stat().st_size, whole)
        assert {t.data_type for t in model.graph.initializer if len(t.dims) > 1} == {
            onnx.TensorProto.FLOAT16 if storage == 'f16' else onnx.TensorProto.BFLOAT16}
        loaded = rescomp.Graph.load(path)
        got = outputs(loaded, x)
        assert np.abs(got - want).max() <= limit * np.abs(want).max(), (storage, np.abs(got - want).max())
        loaded.save(folder / 'again.onnx')
        assert (folder / 'again.onnx').read_bytes() == path.read_bytes(), 'written back as it was'
    print(f'ok {name}: f16, bf16')


with tempfile.TemporaryDirectory() as temporary:
    place = pathlib.Path(temporary)
    rng = np.random.default_rng(1)
    for architecture, side in (('resnet8', 32), ('resnet20', 32), ('resnet18', 64)):
        g = rescomp.Graph.create(architecture, height=side, width=side, seed=3)
        x = rng.standard_normal((2, 3, side, side), dtype=np.float32)
        every_opset(g, x, place, architecture)
        every_storage(g, x, place, architecture)
