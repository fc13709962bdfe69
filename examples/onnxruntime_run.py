"""The five most probable classes of an image, by ONNX Runtime: what a compressed model takes elsewhere. Labels and
preprocessing are those in the model's metadata, where libresnetcompress keeps them.

    onnxruntime_run.py MODEL.onnx IMAGE

Needs onnxruntime and Pillow, nothing of this library."""
import json
import sys

try:
    import numpy as np
    import onnxruntime
    from PIL import Image
except ImportError as missing:
    print(f'onnxruntime_run.py: {missing.name} is not installed: pip install onnxruntime pillow', file=sys.stderr)
    sys.exit(77)


def prepare(image, how):
    """[1, 3, H, W]: shorter side to `resize`, middle square of `crop`, (pixel * scale - mean) / std."""
    image = image.convert('RGB')
    if how.get('resize'):
        ratio = how['resize'] / min(image.size)
        image = image.resize([max(how['resize'], round(n * ratio)) for n in image.size], Image.BILINEAR)
    if how.get('crop'):
        left, top = ((n - how['crop']) // 2 for n in image.size)
        image = image.crop((left, top, left + how['crop'], top + how['crop']))
    x = np.asarray(image, np.float32).transpose(2, 0, 1) * np.float32(how['scale'])
    if how.get('channels') == 'bgr':
        x = x[::-1]
    mean, std = (np.array(how[k], np.float32).reshape(3, 1, 1) for k in ('mean', 'std'))
    return ((x - mean) / std)[None].astype(np.float32)


def main(model, file):
    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    kept = session.get_modelmeta().custom_metadata_map
    how = json.loads(kept.get('rescomp.preprocess') or  # ImageNet's
                     '{"scale": 0.00392156862745098, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], '
                     '"resize": 256, "crop": 224}')
    labels = kept['rescomp.labels'].split('\n') if 'rescomp.labels' in kept else None
    logits, = session.run(None, {session.get_inputs()[0].name: prepare(Image.open(file), how)})
    p = np.exp(logits[0] - logits[0].max())
    p /= p.sum()
    for k in np.argsort(-p)[:5]:
        print(f'{100 * p[k]:8.2f} %  {labels[k] if labels else k}')


if __name__ == '__main__':
    if len(sys.argv) != 3:
        print('usage: onnxruntime_run.py MODEL.onnx IMAGE', file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
