"""Inference: one function per engine, start(cell, files) -> (run, version). run() -> outputs of one batch."""
import inspect

import numpy as np

from models import inputs


def rescomp_session(cell, files, form, **options):
    import rescomp
    graph = files[form]
    if 'context' not in inspect.signature(rescomp.Session.__init__).parameters:  # an older library
        graph = rescomp.Graph.load(graph)
    return rescomp.Session(graph, batch=cell['batch'], threads=cell['threads'], **options)


def running(session, cell):
    import rescomp
    x, out = inputs(cell['batch'], cell['size']), np.empty(session.outputs[0][1], np.float32)
    return (lambda: session.run(x, out=out)), rescomp.version()


def need_option(thing, name):
    """Older libraries beside a newer benchmark: say what is missing."""
    if name not in inspect.signature(thing).parameters:
        raise NotImplementedError(f'this version has no bf16 (option {name})')


def rescomp(cell, files):
    import rescomp as rc
    if cell['type'] == 'bf16':
        need_option(rc.Session.__init__, 'precision')
        return running(rescomp_session(cell, files, 'f32', precision='bf16'), cell)
    return running(rescomp_session(cell, files, 'int8' if 'int8' in cell['type'] else 'f32'), cell)


def bare(session, cell):
    """Ours beside ours: without what Session.run adds on both sides, up to a twentieth."""
    import rescomp
    from rescomp import _ffi
    x, out = inputs(cell['batch'], cell['size']), np.empty(session.outputs[0][1], np.float32)
    call, pointers = _ffi.lib.rc_session_run, (_ffi.pointers([x]), _ffi.pointers([out]))

    def run(_alive=x):
        call(session._h, cell['batch'], *pointers)
        return out
    return run, rescomp.version()


def rescomp_f32(cell, files):
    return (bare if cell['type'] == 'prune' else running)(rescomp_session(cell, files, 'f32'), cell)


def rescomp_pruned(cell, files):
    return bare(rescomp_session(cell, files, 'pruned'), cell)


def rescomp_plain(cell, files):
    """The reference when ONNX Runtime is missing: plain C."""
    return running(rescomp_session(cell, files, 'f32', reference=True), cell)


def onnxruntime(cell, files):
    import onnxruntime as ort
    o = ort.SessionOptions()
    o.intra_op_num_threads = cell['threads']
    o.inter_op_num_threads = 1
    session = ort.InferenceSession(files['int8' if cell['type'] == 'int8' else 'f32'], o,
                                   providers=['CPUExecutionProvider'])
    name, x = session.get_inputs()[0].name, inputs(cell['batch'], cell['size'])
    return (lambda: session.run(None, {name: x})[0]), ort.__version__


def openvino(cell, files):
    import openvino as ov
    core = ov.Core()
    model = core.read_model(files['int8' if cell['type'] == 'int8' else 'f32'])
    x = inputs(cell['batch'], cell['size'])
    model.reshape(list(x.shape))
    compiled = core.compile_model(model, 'CPU', {
        'INFERENCE_PRECISION_HINT': 'bf16' if cell['type'] == 'bf16' else 'f32', 'PERFORMANCE_HINT': 'LATENCY',
        'INFERENCE_NUM_THREADS': cell['threads']})
    request = compiled.create_infer_request()
    return (lambda: request.infer([x], share_inputs=True, share_outputs=True)[0]), ov.__version__.split('-')[0]


def ncnn(cell, files):
    import ncnn as nn
    if cell['batch'] != 1:
        raise NotImplementedError('runs one image at a time')
    net = nn.Net()
    net.opt.num_threads = cell['threads']
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    if net.load_param(files['ncnn']) or net.load_model(files['ncnn'].replace('.param', '.bin')):
        raise RuntimeError('cannot load the converted model')
    x = nn.Mat(inputs(1, cell['size'])[0]).clone()  # a Mat does not keep its array alive
    first, last = net.input_names()[0], net.output_names()[0]

    def run():
        e = net.create_extractor()
        e.input(first, x)
        return e.extract(last)[1].numpy().reshape(1, -1)
    return run, nn.__version__


def mnn(cell, files):
    import MNN
    x = inputs(cell['batch'], cell['size'])
    net = MNN.Interpreter(files['mnn'])
    session = net.createSession({'numThread': cell['threads'], 'precision': 'high', 'backend': 'CPU'})
    target = net.getSessionInput(session)
    net.resizeTensor(target, x.shape)
    net.resizeSession(session)
    source = MNN.Tensor(x.shape, MNN.Halide_Type_Float, x, MNN.Tensor_DimensionType_Caffe)
    shape = net.getSessionOutput(session).getShape()
    out = MNN.Tensor(shape, MNN.Halide_Type_Float, np.zeros(shape, np.float32), MNN.Tensor_DimensionType_Caffe)

    def run():
        target.copyFrom(source)
        net.runSession(session)
        net.getSessionOutput(session).copyToHostTensor(out)
        return out.getNumpyData()
    return (lambda: np.asarray(run()).reshape(shape)), MNN.version()


def torch(cell, files):
    import torch as t
    from torch_net import load
    t.set_num_threads(cell['threads'])
    kind = t.bfloat16 if cell['type'] == 'bf16' else t.float32
    net = load(files['f32']).eval().to(kind).to(memory_format=t.channels_last)
    x = t.from_numpy(inputs(cell['batch'], cell['size'])).to(memory_format=t.channels_last)

    def run():
        with t.no_grad():
            return net(x.to(kind)).float().numpy()
    return run, t.__version__


def one_session(cell, files):
    """Images one after the other, each on all threads."""
    run, version = bare(rescomp_session(cell, files, 'f32'), cell)

    def stream():
        for _ in range(cell['threads'] * 50):
            out = run()
        return out
    return stream, version


def many_sessions(cell, files):
    """As many images, by one session of one thread on every thread; those wait as OpenMP's do."""
    from concurrent.futures import ThreadPoolExecutor
    one = dict(cell, threads=1)
    runs, version = zip(*[bare(rescomp_session(one, files, 'f32'), one) for _ in range(cell['threads'])])
    pool = ThreadPoolExecutor(len(runs))

    def work(run):
        for _ in range(50):
            out = run()
        return out
    return (lambda: list(pool.map(work, runs))[0]), version[0]
