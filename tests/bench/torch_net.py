"""A residual network from its ONNX file as a PyTorch module, straight-line code, with trainable weights."""
import onnx
import torch
from onnx import helper, numpy_helper


class Net(torch.nn.Module):
    pass


def load(path):
    graph = onnx.load(path).graph
    net = Net()
    arrays = {t.name: numpy_helper.to_array(t).copy() for t in graph.initializer}
    for n in graph.node:
        if n.op_type == 'Constant':
            arrays[n.output[0]] = numpy_helper.to_array(n.attribute[0].t)
    names, lines = {graph.input[0].name: 'x'}, []

    def weight(name, trained=True):
        if not name:
            return 'None'
        if name not in names:
            field = f'w{len(names)}'
            names[name] = f'self.{field}'
            tensor = torch.from_numpy(arrays[name])
            if trained:
                net.register_parameter(field, torch.nn.Parameter(tensor))
            else:
                net.register_buffer(field, tensor)
        return names[name]

    for n in graph.node:
        if n.op_type == 'Constant':
            continue
        a = {x.name: helper.get_attribute_value(x) for x in n.attribute}
        x = names[n.input[0]]
        rest = list(n.input[1:])
        pads = tuple(a.get('pads', (0, 0, 0, 0)))[:2]
        if n.op_type == 'Conv':
            bias = weight(rest[1]) if len(rest) > 1 else 'None'
            code = f'F.conv2d({x}, {weight(rest[0])}, {bias}, {tuple(a.get("strides", (1, 1)))}, {pads}, 1, ' \
                   f'{a.get("group", 1)})'
        elif n.op_type == 'BatchNormalization':
            scale, bias, mean, var = weight(rest[0]), weight(rest[1]), weight(rest[2], False), weight(rest[3], False)
            code = f'F.batch_norm({x}, {mean}, {var}, {scale}, {bias}, self.training, 0.1, {a.get("epsilon", 1e-5)})'
        elif n.op_type == 'Relu':
            code = f'F.relu({x})'
        elif n.op_type == 'Add':
            code = f'{x} + {names[rest[0]]}'
        elif n.op_type == 'MaxPool':
            code = f'F.max_pool2d({x}, {tuple(a["kernel_shape"])}, {tuple(a["strides"])}, {pads})'
        elif n.op_type == 'GlobalAveragePool':
            code = f'F.adaptive_avg_pool2d({x}, 1)'
        elif n.op_type == 'Flatten':
            code = f'torch.flatten({x}, 1)'
        elif n.op_type == 'Gemm':
            w = weight(rest[0]) + ('' if a.get('transB') else '.t()')
            code = f'F.linear({x}, {w}, {weight(rest[1]) if len(rest) > 1 else None})'
        elif n.op_type == 'Slice':
            step = int(arrays[rest[3]][-1])
            code = f'{x}[:, :, ::{step}, ::{step}]'
        elif n.op_type == 'Pad':
            p = arrays[rest[0]]
            code = f'F.pad({x}, (0, 0, 0, 0, {int(p[1])}, {int(p[5])}))'
        else:
            raise NotImplementedError(n.op_type)
        names[n.output[0]] = f'v{len(names)}'
        lines.append(f'    {names[n.output[0]]} = {code}')
    lines.append(f'    return {names[graph.output[0].name]}')
    scope = {'F': torch.nn.functional, 'torch': torch}
    exec('def forward(self, x):\n' + '\n'.join(lines), scope)  # our own file's code
    net.__class__ = type('Net', (Net,), {'forward': scope['forward']})
    return net
