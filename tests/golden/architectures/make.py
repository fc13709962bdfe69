"""Writes the architectures of tests/golden/architectures: small residual networks as exporters write them.

Needs torch, torchvision, timm, onnxscript, onnx and onnxruntime (all from PyPI):

    python tests/golden/architectures/make.py [OUT] [NAME ...]

Structure is what these files are for, so widths and depths are small and every weight is one of a
few values: a file compresses to some ten kilobytes. Each becomes NAME.onnx.gz. What ONNX Runtime
computes from image() goes to expected.txt: the name, channels, side, classes, then the results of
two images. Names end in the exporter: `-ts` TorchScript (opset 13), `-dy` dynamo (opset 18), `-tf`
written by hand the way tf2onnx writes Keras networks, in NHWC."""
import gzip
import io
import pathlib
import sys
import warnings
import zlib

import numpy as np
import onnx
import onnxruntime
import timm
import torch
import torchvision
from onnx import TensorProto, helper, numpy_helper
from timm.layers import BlurPool2d, EcaModule, GroupNorm, SEModule
from timm.models.byobnet import ByoBlockCfg, ByoModelCfg, ByobNet
from timm.models.cspnet import CspModelCfg, CspNet, CspStagesCfg, CspStemCfg
from timm.models.densenet import DenseNet
from timm.models.nfnet import NfCfg, NormFreeNet
from timm.models.regnet import RegNet, RegNetCfg
from timm.models.res2net import Bottle2neck
from timm.models.resnest import ResNestBottleneck
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from timm.models.resnetv2 import ResNetV2
from timm.models.sknet import SelectiveKernelBasic, SelectiveKernelBottleneck
from timm.models.vovnet import VovNet
from torch import nn
from torchvision.models.mobilenetv3 import InvertedResidualConfig as V3
from torchvision.models.mobilenetv3 import MobileNetV3

CLASSES, SIDE, IMAGES = 10, 32, 2
WIDTHS = (8, 16, 24, 32)


def image(channels, side):
    """The images of the test: test_architectures.c has the same formula."""
    i = np.arange(IMAGES * channels * side * side, dtype=np.uint64)
    h = (i * 2654435761 % 2**32) >> 24
    return (h.astype(np.float32) / 64 - 2).reshape(IMAGES, channels, side, side)


def fill(model, seed):
    """Weights of few values (they compress), scaled so that activations neither vanish nor explode."""
    g = torch.Generator().manual_seed(seed)

    def few(shape, low, high, step):
        v = torch.randint(int(low / step), int(high / step) + 1, shape, generator=g)
        return v.float() * step
    with torch.no_grad():
        for m in model.modules():
            w = getattr(m, 'weight', None)
            if isinstance(w, torch.Tensor) and w.dim() > 1:
                fan = w[0].numel() if not isinstance(m, nn.ConvTranspose2d) else w[:, 0].numel()
                scale = 2.0 ** round(np.log2(np.sqrt(2 / fan)))
                w.copy_(few(w.shape, -1, 1, 0.5) * scale)
                if getattr(m, 'bias', None) is not None:
                    m.bias.copy_(few(m.bias.shape, -0.25, 0.25, 0.125))
            elif isinstance(w, torch.Tensor) and not isinstance(m, nn.PReLU):
                w.copy_(few(w.shape, 0.5, 1.5, 0.25))
                m.bias.copy_(few(m.bias.shape, -0.5, 0.5, 0.25))
            if getattr(m, 'running_mean', None) is not None:
                m.running_mean.copy_(few(m.running_mean.shape, -0.5, 0.5, 0.25))
                m.running_var.copy_(few(m.running_var.shape, 0.5, 2, 0.25))
    return model.eval()


def resnet(block=Bottleneck, layers=(1, 1, 1, 1), **options):
    return ResNet(block, layers, num_classes=CLASSES, channels=WIDTHS, **options)


def resnetv2(**options):
    return ResNetV2((1, 1, 1, 1), channels=tuple(4 * c for c in WIDTHS), num_classes=CLASSES, stem_chs=8, **options)


def byob(kind, **options):
    blocks = tuple(ByoBlockCfg(type=kind, d=1 + (i > 1), c=4 * c, s=2 if i else 1, gs=0, br=0.25)
                   for i, c in enumerate(WIDTHS))
    return ByobNet(ByoModelCfg(blocks=blocks, stem_chs=8, stem_type='3x3', **options), num_classes=CLASSES)


class OptionA(nn.Module):
    """The shortcut of CIFAR ResNets: every second pixel, channels of zeros around."""

    def __init__(self, extra):
        super().__init__()
        self.extra = extra

    def forward(self, x):
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra // 2, self.extra // 2))


class CifarBlock(nn.Module):
    def __init__(self, c, out, stride, norm, act, shortcut):
        super().__init__()
        self.conv1, self.n1 = nn.Conv2d(c, out, 3, stride, 1, bias=False), norm(out)
        self.conv2, self.n2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), norm(out)
        self.act1, self.act2 = act(out), act(out)
        self.shortcut = nn.Identity() if stride == 1 else shortcut(c, out, norm)

    def forward(self, x):
        y = self.n2(self.conv2(self.act1(self.n1(self.conv1(x)))))
        return self.act2(y + self.shortcut(x))


class Cifar(nn.Module):
    def __init__(self, norm=nn.BatchNorm2d, act=lambda c: nn.ReLU(), shortcut=None, head=None, n=1):
        super().__init__()
        shortcut = shortcut or (lambda c, out, norm: nn.Sequential(nn.Conv2d(c, out, 1, 2, bias=False), norm(out)))
        self.stem, self.norm, self.act = nn.Conv2d(3, 16, 3, 1, 1, bias=False), norm(16), act(16)
        widths = [16] * n + [32] * n + [64] * n
        self.blocks = nn.Sequential(*[
            CifarBlock(widths[i - 1] if i else 16, w, 2 if i and w != widths[i - 1] else 1, norm, act, shortcut)
            for i, w in enumerate(widths)])
        self.head = head or nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))

    def forward(self, x):
        return self.head(self.blocks(self.act(self.norm(self.stem(x)))))


class StandardConv(nn.Conv2d):
    """Weight standardisation in the graph, as Big Transfer's ResNets have it."""

    def forward(self, x):
        w = self.weight
        mean, var = w.mean((1, 2, 3), keepdim=True), w.var((1, 2, 3), keepdim=True, unbiased=False)
        return self._conv_forward(x, (w - mean) / torch.sqrt(var + 1e-5), self.bias)


class Standardised(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = StandardConv(3, 16, 3, 1, 1)
        self.a, self.na = StandardConv(16, 16, 3, 1, 1), nn.GroupNorm(4, 16)
        self.b, self.nb = StandardConv(16, 16, 3, 1, 1), nn.GroupNorm(4, 16)
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.b(torch.relu(self.nb(self.a(torch.relu(self.na(x))))))
        return self.fc(x.mean((2, 3)))


class Attention(nn.Module):
    """CBAM: a gate of channels from mean and maximum, a gate of pixels from both over channels."""

    def __init__(self, c):
        super().__init__()
        self.mlp = nn.Sequential(nn.Conv2d(c, c // 4, 1), nn.ReLU(), nn.Conv2d(c // 4, c, 1))
        self.conv = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x):
        x = x * torch.sigmoid(self.mlp(nn.functional.adaptive_avg_pool2d(x, 1)) +
                              self.mlp(nn.functional.adaptive_max_pool2d(x, 1)))
        both = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
        return x * torch.sigmoid(self.conv(both))


class Face(nn.Module):
    """IResNet of face recognition: BN, Conv, BN, PReLU, Conv, BN; a linear layer over all pixels."""

    class Block(nn.Module):
        def __init__(self, c, out, stride):
            super().__init__()
            self.body = nn.Sequential(nn.BatchNorm2d(c), nn.Conv2d(c, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out),
                                      nn.PReLU(out), nn.Conv2d(out, out, 3, stride, 1, bias=False),
                                      nn.BatchNorm2d(out), SEModule(out, rd_channels=4))
            self.down = nn.Sequential(nn.Conv2d(c, out, 1, stride, bias=False), nn.BatchNorm2d(out))

        def forward(self, x):
            return self.body(x) + self.down(x)

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        self.blocks = nn.Sequential(self.Block(8, 16, 2), self.Block(16, 24, 2), self.Block(24, 32, 2))
        self.tail = nn.Sequential(nn.BatchNorm2d(32), nn.Dropout(0.4), nn.Flatten(), nn.Linear(32 * 16, 16),
                                  nn.BatchNorm1d(16), nn.Linear(16, CLASSES))

    def forward(self, x):
        return self.tail(self.blocks(self.stem(x)))


class Cbam(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.a = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                               nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), Attention(16))
        self.head = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES),
                                  nn.LogSoftmax(1))

    def forward(self, x):
        x = self.stem(x)
        return self.head(x + self.a(x))


class Upsampled(nn.Module):
    """A ResNet with a feature pyramid: nearest and bilinear resizing, a transposed convolution."""

    def __init__(self):
        super().__init__()
        self.c1 = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.c2 = nn.Sequential(nn.Conv2d(16, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.c3 = nn.Sequential(nn.Conv2d(24, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        self.l1, self.l2, self.l3 = nn.Conv2d(16, 16, 1), nn.Conv2d(24, 16, 1), nn.Conv2d(32, 16, 1)
        self.up = nn.ConvTranspose2d(16, 16, 2, 2)
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        a = self.c1(x)
        b = self.c2(a)
        c = self.l3(self.c3(b))
        b = self.l2(b) + nn.functional.interpolate(c, scale_factor=2, mode='nearest')
        a = self.l1(a) + nn.functional.interpolate(b, scale_factor=2, mode='bilinear', align_corners=False)
        return self.fc(self.up(a).mean((2, 3)))


def activations():
    """One block of each activation that exporters write."""
    return nn.Sequential(*[CifarBlock(16 if i else 3, 16, 1, nn.BatchNorm2d, lambda c, a=a: a, None) if i else
                           nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), a)
                           for i, a in enumerate([nn.ELU(), nn.GELU(), nn.SiLU(), nn.Mish(), nn.Hardswish(),
                                                  nn.Hardsigmoid(), nn.LeakyReLU(0.1), nn.Tanh(), nn.Softplus(),
                                                  nn.ReLU6(), nn.SELU(), nn.CELU(), nn.Softsign(),
                                                  nn.GELU(approximate='tanh')])],
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES))


TORCH = {
    'resnet-basic': lambda: resnet(BasicBlock),
    'resnet-bottleneck': lambda: resnet(),
    'resnet-d': lambda: resnet(stem_width=8, stem_type='deep', avg_down=True),
    'resnet-t': lambda: resnet(stem_width=8, stem_type='deep_tiered', avg_down=True),
    'resnext': lambda: resnet(cardinality=4, base_width=16),
    'wide-resnet': lambda: resnet(base_width=96),
    'se-resnet': lambda: resnet(block_args=dict(attn_layer='se')),
    'se-resnext-d': lambda: resnet(cardinality=4, base_width=16, stem_width=8, stem_type='deep', avg_down=True,
                                   block_args=dict(attn_layer='se')),
    'eca-resnet': lambda: resnet(BasicBlock, block_args=dict(attn_layer='eca')),
    'gc-resnet': lambda: resnet(block_args=dict(attn_layer='gca')),
    'blur-resnet': lambda: resnet(aa_layer=BlurPool2d),
    'aa-resnet-d': lambda: resnet(stem_width=8, stem_type='deep', avg_down=True, aa_layer=nn.AvgPool2d),
    'gn-resnet': lambda: resnet(norm_layer=lambda c, **k: GroupNorm(c, num_groups=4, **k)),
    'silu-resnet': lambda: resnet(BasicBlock, act_layer=nn.SiLU),
    'leaky-resnet': lambda: resnet(BasicBlock, act_layer=nn.LeakyReLU),
    'max-resnet': lambda: resnet(BasicBlock, global_pool='max'),
    'catavgmax-resnet': lambda: resnet(BasicBlock, global_pool='catavgmax'),
    'res2net': lambda: resnet(Bottle2neck, base_width=16, block_args=dict(scale=4)),
    'resnest': lambda: resnet(ResNestBottleneck, stem_type='deep', stem_width=8, avg_down=True, base_width=32,
                              block_args=dict(radix=2, avd=True, avd_first=False)),
    'sk-resnet': lambda: resnet(SelectiveKernelBasic, block_args=dict(sk_kwargs=dict(rd_ratio=1 / 4, split_input=True))),
    'sk-resnext': lambda: resnet(SelectiveKernelBottleneck, cardinality=4, base_width=16),
    'resnetv2-bn': lambda: resnetv2(norm_layer=timm.layers.BatchNormAct2d, conv_layer=timm.layers.create_conv2d),
    'resnetv2-bit': lambda: resnetv2(norm_layer=lambda c, **k: timm.layers.GroupNormAct(c, num_groups=4, **k)),
    'resnetv2-d': lambda: resnetv2(stem_type='deep', avg_down=True, norm_layer=timm.layers.BatchNormAct2d,
                                   conv_layer=timm.layers.create_conv2d),
    'densenet': lambda: DenseNet(growth_rate=8, block_config=(2, 2, 2), bn_size=2, num_classes=CLASSES),
    'regnetx': lambda: RegNet(RegNetCfg(depth=6, w0=16, wa=16.0, wm=2.0, group_size=8), num_classes=CLASSES),
    'regnety': lambda: RegNet(RegNetCfg(depth=6, w0=16, wa=16.0, wm=2.0, group_size=8, se_ratio=0.25),
                              num_classes=CLASSES),
    'repvgg': lambda: byob('rep'),
    'byob-dark': lambda: byob('dark', act_layer='leaky_relu'),
    'byob-edge': lambda: byob('edge', act_layer='silu', attn_layer='se'),
    'byob-self': lambda: byob('bottle', attn_layer='gca', act_layer='hard_swish'),
    'cspnet': lambda: CspNet(CspModelCfg(
        stem=CspStemCfg(out_chs=16, kernel_size=3, stride=2),
        stages=CspStagesCfg(depth=(1, 1, 2), out_chs=(32, 48, 64), stride=2, expand_ratio=2.0, bottle_ratio=0.5,
                            cross_linear=True)), num_classes=CLASSES),
    'nf-resnet': lambda: NormFreeNet(NfCfg(depths=(1, 1, 1, 1), channels=tuple(4 * c for c in WIDTHS), stem_type='7x7_pool',
                                           stem_chs=8, group_size=None), num_classes=CLASSES),
    'nf-regnet': lambda: NormFreeNet(NfCfg(depths=(1, 1, 1, 1), channels=(16, 32, 48, 64), stem_type='3x3', group_size=8,
                                           stem_chs=8, width_factor=1.0, bottle_ratio=2.0, reg=True, attn_layer='se',
                                           attn_kwargs=dict(rd_ratio=0.5)), num_classes=CLASSES),
    'vovnet': lambda: VovNet(dict(stem_chs=[8, 8, 16], stage_conv_chs=[8, 16, 24, 32], stage_out_chs=[16, 32, 48, 64],
                                  layer_per_block=2, block_per_stage=[1, 1, 1, 1], residual=True, depthwise=False,
                                  attn='ese'), num_classes=CLASSES),
    'mobilenetv2': lambda: torchvision.models.MobileNetV2(
        CLASSES, 0.5, [[1, 16, 1, 1], [6, 24, 1, 2], [6, 32, 2, 2]]),
    'mobilenetv3': lambda: MobileNetV3(
        [V3(16, 3, 16, 16, True, 'RE', 2, 1, 1), V3(16, 5, 64, 24, True, 'HS', 2, 1, 1),
         V3(24, 3, 72, 24, False, 'HS', 1, 1, 1)], 64, num_classes=CLASSES),
    'shufflenetv2': lambda: torchvision.models.ShuffleNetV2([1, 2, 1], [8, 16, 32, 48, 64], num_classes=CLASSES),
    'convnext': lambda: timm.models.ConvNeXt(depths=(1, 1, 1, 1), dims=WIDTHS, num_classes=CLASSES),
    'cifar-a': lambda: Cifar(shortcut=lambda c, out, norm: OptionA(out - c)),
    'cifar-b': lambda: Cifar(n=2),
    'cifar-in': lambda: Cifar(norm=lambda c: nn.InstanceNorm2d(c, affine=True)),
    'cifar-ln': lambda: Cifar(norm=lambda c: nn.GroupNorm(1, c)),
    'cifar-prelu': lambda: Cifar(act=lambda c: nn.PReLU(c)),
    'cifar-hard': lambda: Cifar(act=lambda c: nn.Hardswish()),
    'cifar-conv-head': lambda: Cifar(head=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(64, CLASSES, 1), nn.Flatten(),
                                                        nn.Softmax(1))),
    'bit': Standardised,
    'iresnet-se': Face,
    'cbam': Cbam,
    'pyramid': Upsampled,
    'activations': activations,
}
DYNAMO = ('resnet-basic', 'resnet-d', 'se-resnet', 'eca-resnet', 'blur-resnet', 'gn-resnet', 'res2net', 'resnest',
          'resnetv2-bit', 'densenet', 'regnety', 'shufflenetv2', 'convnext', 'cifar-a', 'cifar-in', 'bit', 'iresnet-se',
          'cbam', 'pyramid', 'activations')


def export(model, dynamo):
    out = io.BytesIO()
    x = torch.from_numpy(image(3, SIDE))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        if dynamo:
            batch = torch.export.Dim('batch', min=1, max=4096)
            program = torch.onnx.export(model, (x,), dynamo=True, opset_version=18, dynamic_shapes=({0: batch},),
                                        verbose=False)
            return program.model_proto
        torch.onnx.export(model, (x,), out, dynamo=False, opset_version=13, input_names=['input'],
                          output_names=['logits'], dynamic_axes={'input': {0: 'batch'}, 'logits': {0: 'batch'}})
    return onnx.load_from_string(out.getvalue())


def tf_like():
    """A Keras ResNet as tf2onnx writes it: NHWC input, a Transpose on each side of what has no NHWC
    form, asymmetric SAME padding, BN kept behind a Reshape of weights, MatMul + Add at the end."""
    r = np.random.RandomState(7)

    def few(*shape):
        return (r.randint(-4, 5, shape) / 16).astype(np.float32)
    nodes, weights, n = [], [], [0]

    def const(a, name):
        weights.append(numpy_helper.from_array(a, name))
        return name

    def op(kind, ins, **attrs):
        n[0] += 1
        out = f'{kind}__{n[0]}:0'
        nodes.append(helper.make_node(kind, ins, [out], name=f'model/{kind}_{n[0]}', **attrs))
        return out

    def conv(x, c, out, k, stride, pads):
        x = op('Transpose', [x], perm=[0, 3, 1, 2])
        w = const(few(k, k, c, out), f'kernel_{n[0]}')
        x = op('Conv', [x, op('Transpose', [w], perm=[3, 2, 0, 1])], strides=[stride] * 2, kernel_shape=[k, k],
               **({'auto_pad': 'SAME_UPPER'} if pads is None else {'pads': pads}))
        bn = [const(a, f'bn_{i}_{n[0]}') for i, a in enumerate(
            [few(out) + 1, few(out), few(out), np.abs(few(out)) + 0.5])]
        x = op('BatchNormalization', [x] + bn, epsilon=1e-3)
        return op('Transpose', [x], perm=[0, 2, 3, 1])
    x = op('Relu', [conv('input_1', 3, 16, 3, 2, None)])
    for c, out, stride in ((16, 16, 1), (16, 32, 2)):
        y = op('Relu', [conv(x, c, out, 3, stride, [0, 0, 1, 1] if stride == 2 else [1, 1, 1, 1])])
        y = conv(y, out, out, 3, 1, [1, 1, 1, 1])
        s = x if c == out else conv(x, c, out, 1, stride, [0, 0, 0, 0])
        x = op('Relu', [op('Add', [y, s])])
    x = op('ReduceMean', [x], axes=[1, 2], keepdims=0)
    x = op('MatMul', [x, const(few(32, CLASSES), 'dense/kernel')])
    x = op('Add', [x, const(few(CLASSES), 'dense/bias')])
    x = op('Softmax', [x], axis=1)
    nodes[-1].output[0] = 'predictions'
    g = helper.make_graph(nodes, 'tf2onnx', [helper.make_tensor_value_info(
        'input_1', TensorProto.FLOAT, ['unk__1', SIDE, SIDE, 3])], [helper.make_tensor_value_info(
            'predictions', TensorProto.FLOAT, ['unk__2', CLASSES])], weights)
    return helper.make_model(g, producer_name='tf2onnx', opset_imports=[helper.make_opsetid('', 13),
                                                                        helper.make_opsetid('ai.onnx.ml', 2)])


def strip(model):
    """What exporters add about their source code: paths of the machine and megabytes of text."""
    for owner in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input,
                  *model.graph.output, *model.functions):
        if hasattr(owner, 'metadata_props'):
            del owner.metadata_props[:]
        owner.doc_string = ''
    return model


def main():
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    wanted = sys.argv[2:]
    expected = out / 'expected.txt'
    known = dict(line.split(' ', 1) for line in expected.read_text().splitlines()) if expected.exists() else {}
    jobs = [(name + '-ts', lambda make=make, name=name: export(fill(make(), zlib.crc32(name.encode())), False))
            for name, make in TORCH.items()]
    jobs += [(name + '-dy', lambda name=name: export(fill(TORCH[name](), zlib.crc32(name.encode())), True))
             for name in DYNAMO]
    jobs += [('keras-nhwc-tf', tf_like)]
    assert not set(wanted) - {name for name, _ in jobs}
    for name, make in jobs:
        if wanted and name not in wanted:
            continue
        try:
            model = strip(make())
            data = model.SerializeToString()
            x = image(3, SIDE)
            session = onnxruntime.InferenceSession(data)
            feed = session.get_inputs()[0]
            y = session.run(None, {feed.name: x.transpose(0, 2, 3, 1) if feed.shape[-1] == 3 else x})[0]
        except Exception as error:  # a name that one release of a package cannot make must not stop the rest
            print(f'{name}: {type(error).__name__}: {str(error)[:300]}')
            continue
        (out / f'{name}.onnx.gz').write_bytes(gzip.compress(data, 9, mtime=0))
        known[name] = ' '.join(f'{v:.9g}' for v in y.reshape(-1))
        expected.write_text(''.join(f'{k} {known[k]}\n' for k in sorted(known)))
        print(name, len(data), (out / f'{name}.onnx.gz').stat().st_size, 'std', float(y.std()),
              sorted({n.op_type for n in model.graph.node}))


main()
