"""The exported QDQ file in another runtime: onnxruntime decides as this library's integers do, and, as no pair of
weights saturates, its integer kernels compute the same logits on every x86 processor.

Needs the PyPI package onnxruntime (python3 -m venv V && V/bin/pip install onnxruntime), the shared model and
CIFAR-10 in $RESCOMP_CIFAR10; exits with 77 (skipped) where one is absent. RESCOMP_IMAGES: test images, 2,000.
"""
import ctypes as c
import json
import os
import pathlib
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime
except ImportError:
    print('skipped: no onnxruntime package')
    sys.exit(77)

source = pathlib.Path(os.environ.get('RESCOMP_SOURCE', '.'))
shared = pathlib.Path(os.environ.get('RESCOMP_SHARED', source.parent / 'shared'))
cifar = pathlib.Path(os.environ.get('RESCOMP_CIFAR10', '/tmp/rescomp-test-data/cifar-10-batches-bin'))
model = shared / 'models/resnet20-cifar10-folded.onnx'
images = int(os.environ.get('RESCOMP_IMAGES', 2000))
if not model.exists() or not (cifar / 'test_batch.bin').exists():
    print('skipped: no model or no CIFAR-10')
    sys.exit(77)

lib = c.CDLL(os.environ['RESNETCOMPRESS_LIBRARY'])
lib.rc_last_error.restype = lib.rc_dataset_get_preprocess.restype = c.c_char_p


def check(status):
    if status != 0:
        raise RuntimeError(f'status {status}: {lib.rc_last_error().decode()}')


def quantize(out):
    """Write the quantized model; return normalised test images, labels and this library's logits."""
    context, graph, data, quantizer, integers = (c.c_void_p() for _ in range(5))
    check(lib.rc_context_new(c.byref(context), None))
    check(lib.rc_graph_load(c.byref(graph), context, str(model).encode()))
    check(lib.rc_dataset_open(c.byref(data), context, f'cifar10:{cifar}'.encode(), None))
    check(lib.rc_quantizer_new(c.byref(quantizer), graph, None))
    check(lib.rc_quantizer_calibrate(quantizer, data))
    check(lib.rc_quantizer_apply(c.byref(integers), quantizer))
    check(lib.rc_graph_save(integers, str(out).encode()))
    form = (c.c_uint64 * 4)(32, 0, 0, 0)  # rc_graph_save_options: size, opset, storage, form
    name = c.create_string_buffer(b'qoperator')
    form[3] = c.addressof(name)
    check(lib.rc_graph_save_with(integers, str(out.with_name('qoperator.onnx')).encode(), form))
    preprocess = json.loads(lib.rc_dataset_get_preprocess(data))
    raw = np.fromfile(cifar / 'test_batch.bin', np.uint8).reshape(-1, 3073)[:images]
    mean, std = (np.array(preprocess[k][:3], np.float32).reshape(3, 1, 1) for k in ('mean', 'std'))
    x = ((raw[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255 - mean) / std).astype(np.float32)
    y = np.zeros((len(x), 10), np.float32)
    session = c.c_void_p()
    check(lib.rc_session_new(c.byref(session), integers, None))
    for i in range(len(x)):
        check(lib.rc_session_run(session, c.c_uint64(1), c.byref(c.c_void_p(x[i].ctypes.data)),
                                 c.byref(c.c_void_p(y[i].ctypes.data))))
    lib.rc_session_free(c.byref(session))
    for free, handle in ((lib.rc_quantizer_free, quantizer), (lib.rc_graph_free, integers),
                         (lib.rc_graph_free, graph), (lib.rc_dataset_free, data),
                         (lib.rc_context_free, context)):
        free(c.byref(handle))
    return x, raw[:, 0], y


def other(path, x, simulate):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    if simulate:  # quantize and dequantize around float layers: no kernel of theirs can saturate
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return np.concatenate([session.run(None, {'input': x[i:i + 100]})[0] for i in range(0, len(x), 100)])


def openvino_logits(path, x):
    """None where the package is not here."""
    try:
        import openvino
    except ImportError:
        print('skipped: no openvino package')
        return None
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape([100, 3, 32, 32])
    compiled = core.compile_model(model, 'CPU', {'INFERENCE_NUM_THREADS': 2})
    return np.concatenate([compiled(x[i:i + 100])[0] for i in range(0, len(x), 100)])


def check_files(*paths):
    try:
        import onnx
    except ImportError:
        print('skipped: no onnx package')
        return
    for path in paths:
        onnx.checker.check_model(str(path), full_check=True)
    print('onnx.checker: ok')


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'int8.onnx'
        x, label, ours = quantize(path)
        right, away = {'here': 100 * (ours.argmax(1) == label).mean()}, {}
        for name, simulate in (('simulated', True), ('kernels', False)):
            logits = other(path, x, simulate)
            right[name] = 100 * (logits.argmax(1) == label).mean()
            away[name] = np.abs(logits - ours).mean() / np.abs(ours).mean()
            print(name, 'mean difference of logits over their size', away[name],
                  'same class', (logits.argmax(1) == ours.argmax(1)).mean())
        check_files(path, path.with_name('qoperator.onnx'))
        logits = other(path.with_name('qoperator.onnx'), x, False)
        right['qoperator'] = 100 * (logits.argmax(1) == label).mean()
        logits = openvino_logits(path, x)
        if logits is not None:
            right['openvino'] = 100 * (logits.argmax(1) == label).mean()
    print('top-1 on', len(x), 'images:', right)
    # OpenVINO rounds at other places: one image may go either way where few are looked at
    for name, v in right.items():
        assert abs(v - right['here']) <= 0.1 + (100 / len(x) if name == 'openvino' else 0), right
    assert abs(right['simulated'] - right['here']) <= 0.1, right
    assert away['kernels'] < 1e-6, away


main()
