"""Every model that the library writes passes onnx.checker, with its names, batch and opset kept.

Loads the library with ctypes. Exits with 77 (skipped) where the onnx package or the models are absent."""
import ctypes
import os
import pathlib
import sys
import tempfile

try:
    import onnx
    from onnx import numpy_helper
except ImportError:
    print('skipped: no onnx package')
    sys.exit(77)

lib = ctypes.CDLL(os.environ['RESNETCOMPRESS_LIBRARY'])
lib.rc_last_error.restype = ctypes.c_char_p
source = pathlib.Path(os.environ.get('RESCOMP_SOURCE', '.'))
shared = pathlib.Path(os.environ.get('RESCOMP_SHARED', source.parent / 'shared'))


def check(status):
    if status != 0:
        raise RuntimeError(f'status {status}: {lib.rc_last_error().decode()}')


def through_the_library(path, out):
    context, graph = ctypes.c_void_p(), ctypes.c_void_p()
    check(lib.rc_context_new(ctypes.byref(context), None))
    check(lib.rc_graph_load(ctypes.byref(graph), context, str(path).encode()))
    check(lib.rc_graph_save(graph, str(out).encode()))
    lib.rc_graph_free(ctypes.byref(graph))
    lib.rc_context_free(ctypes.byref(context))


def interface(model):
    def shape(value):
        return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
    return [[(v.name, v.type.tensor_type.elem_type, shape(v)) for v in side]
            for side in (model.graph.input, model.graph.output)]


def weights(model):
    found = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:  # exporters share equal initializers through Identity
        if node.op_type == 'Identity' and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def compare(path, out):
    before, after = onnx.load(path), onnx.load(out)
    onnx.checker.check_model(after, full_check=True)
    assert interface(before) == interface(after), (interface(before), interface(after))
    assert [(o.domain, o.version) for o in before.opset_import] == \
           [(o.domain, o.version) for o in after.opset_import]
    assert before.ir_version == after.ir_version
    names = {n.name for n in before.graph.node}
    for node in after.graph.node:
        assert node.name in names, f'{node.name} is new'
    old, new = weights(before), weights(after)
    read = {name for node in after.graph.node for name in node.input}
    for name, array in new.items():
        assert name in read, f'{name} is written but not read'
        if name in old:
            assert array.dtype == old[name].dtype and (array == old[name]).all(), name
    layers = [n for n in before.graph.node if n.op_type in ('Conv', 'Gemm', 'BatchNormalization')]
    for node in layers:
        for name in node.input[1:]:
            assert name in new, f'{name} of {node.name} is lost'


models = sorted(p for folder in ('models', 'golden/pruning', 'golden/training')
                for p in (shared / folder).glob('*.onnx'))
if not models:
    print(f'skipped: no models in {shared}')
    sys.exit(77)
with tempfile.TemporaryDirectory() as folder:
    for path in models:
        out = pathlib.Path(folder) / path.name
        through_the_library(path, out)
        compare(path, out)
        print(f'ok {path.name}')
