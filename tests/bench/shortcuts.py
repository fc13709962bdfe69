"""Write shortcuts that slice and pad as 1x1 convolutions, for converters that know no slice with steps.
usage: shortcuts.py IN.onnx OUT.onnx"""
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference


def main():
    model = onnx.load(sys.argv[1])
    graph = model.graph
    constant = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for n in graph.node:
        if n.op_type == 'Constant':
            constant[n.output[0]] = numpy_helper.to_array(n.attribute[0].t)
    shapes = {v.name: v.type.tensor_type.shape.dim for v in shape_inference.infer_shapes(model).graph.value_info}
    made = {n.output[0]: n for n in graph.node}
    nodes = []
    for n in graph.node:
        if n.op_type != 'Pad' or made[n.input[0]].op_type != 'Slice':
            nodes.append(n)
            continue
        cut = made[n.input[0]]
        nodes.remove(cut)
        before, after = constant[n.input[1]][1], constant[n.input[1]][5]
        channels = shapes[cut.input[0]][1].dim_value
        weight = np.zeros((before + channels + after, channels, 1, 1), np.float32)
        weight[np.arange(channels) + before, np.arange(channels)] = 1
        graph.initializer.append(numpy_helper.from_array(weight, n.output[0] + '.weight'))
        nodes.append(helper.make_node('Conv', [cut.input[0], n.output[0] + '.weight'], n.output, kernel_shape=[1, 1],
                                      strides=[2, 2]))
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, sys.argv[2])


if __name__ == '__main__':
    main()
