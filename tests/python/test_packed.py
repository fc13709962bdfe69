"""Packed files read by a reader that shares no code with the library: what docs/packed-file.md says is enough."""
import pathlib
import tempfile
import unittest

import numpy as np
import packed_reader
import rescomp


def fill(kind, n, rows, rng):
    """n finite floats that one coder is made for."""
    x = rng.normal(size=n)
    if kind == 'codebook':
        x = rng.integers(-3, 4, n) / 7
    elif kind == 'signs':
        x = np.repeat(rng.uniform(0.1, 1, rows), n // rows) * rng.choice([-1, 1], n)
    elif kind == 'sparse':
        x[rng.random(n) < 0.9] = 0
    elif kind == 'groups':
        x = x[:n // 4 * 4].reshape(-1, 4)
        np.put_along_axis(x, np.argsort(rng.random(x.shape), axis=1)[:, :2], 0, axis=1)
        x = np.concatenate([x.ravel(), np.zeros(n % 4)])
    return x.astype('<f4').tobytes()


class PackedFiles(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(lambda: [p.unlink() for p in self.folder.iterdir()] and self.folder.rmdir())

    def expect_same(self, graph, coding=None):
        """{coder: weights} of a graph whose weights the reader finds to be those of its ONNX file."""
        onnx, packed = self.folder / 'a.onnx', self.folder / 'a.rcz'
        graph.save(onnx)
        graph.save_packed(packed, coding=coding)
        want = {name: raw for name, _, _, raw in packed_reader.initializers(onnx.read_bytes())}
        have, _ = packed_reader.read(packed.read_bytes())
        self.assertEqual(have.keys(), want.keys())
        for name, raw in want.items():
            self.assertEqual(have[name], raw, name)
        rescomp.Graph.load(packed).save(self.folder / 'b.onnx')
        self.assertEqual((self.folder / 'b.onnx').read_bytes(), onnx.read_bytes())
        with rescomp.Packed(packed) as p:
            info, tensors = p.info(), p.tensors()
        self.assertEqual(info['file_bytes'], packed.stat().st_size)
        self.assertEqual(sum(t['bytes'] for t in tensors), info['bytes'])
        self.assertEqual(len(tensors), info['tensors'])
        return {t['coder']: t for t in tensors}

    def test_every_coding_is_read(self):
        g = rescomp.Graph.create('resnet8', multiplier=0.5)
        self.assertIn('planes', self.expect_same(g))
        self.expect_same(g, 'fields')
        self.assertEqual(set(self.expect_same(g, 'raw')), {'raw'})
        with self.assertRaises(rescomp.Error):
            g.save_packed(self.folder / 'c.rcz', coding='zip')

    def test_every_coder_is_read(self):
        g, seen = rescomp.Graph.create('resnet8', multiplier=0.5), set()
        for kind in ('codebook', 'signs', 'sparse', 'groups'):
            g.save(self.folder / 'm.onnx')
            data, rng = (self.folder / 'm.onnx').read_bytes(), np.random.default_rng(1)
            for name, dims, _, raw in packed_reader.initializers(data):
                if len(dims) == 4:
                    self.assertEqual(data.count(raw), 1)
                    data = data.replace(raw, fill(kind, len(raw) // 4, dims[0], rng))
            coders = self.expect_same(rescomp.Graph.from_bytes(data), 'fields' if kind == 'groups' else None)
            self.assertIn(kind, coders)
            seen |= set(coders)
        self.assertLessEqual({'codebook', 'signs', 'sparse', 'groups'}, seen)

    def test_integer_networks_are_read(self):
        g = rescomp.Graph.create('resnet8', multiplier=0.5, height=8, width=8, seed=3)
        rng = np.random.default_rng(2)
        np.savez(self.folder / 'd.npz', x=rng.normal(size=(32, 3, 8, 8)).astype(np.float32),
                 y=rng.integers(0, 10, 32))
        data = rescomp.Dataset.open(f"npz:{self.folder / 'd.npz'}")
        with rescomp.Quantizer(g, weight_bits=4) as q:
            q.calibrate(data)
            coders = self.expect_same(q.apply())
        self.assertEqual(coders['bits']['bits'], 4)
        self.assertIn('product', coders)
        self.assertLess(coders['bits']['stored'] * 8, 4 * coders['bits']['elements'] + 100)


if __name__ == '__main__':
    unittest.main()
