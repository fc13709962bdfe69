"""Arrays without copies: views of weights in NumPy and DLPack, tensors of torch where it is, notebooks' tables,
and data-parallel training by a hook in Python.

With torch in this Python, or in the one that RESCOMP_TORCH_PYTHON names, tensors are tried too."""
import gc
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np

os.environ['OMP_NUM_THREADS'] = '1'  # before the library is loaded: small work, where threads only wait
import rescomp  # noqa: E402

SIDE, CLASSES = 8, 4
TORCH = importlib.util.find_spec('torch') is not None
OTHER = os.environ.get('RESCOMP_TORCH_PYTHON')


def tiny(**options):
    return rescomp.Graph.create('resnet8', classes=CLASSES, height=SIDE, width=SIDE, **options)


def labelled(n=32):
    rng = np.random.default_rng(1)
    return rng.integers(0, 255, (n, 3, SIDE, SIDE)).astype(np.uint8), rng.integers(0, CLASSES, n)


class Exporter:
    """Something that knows DLPack only."""

    def __init__(self, array, device=1):
        self.array, self.device = array, device

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device, 0


class Views(unittest.TestCase):
    def test_views_have_the_values_and_the_memory_of_the_graph(self):
        g = tiny()
        weights = g.weights()
        self.assertGreater(len(weights), 20)
        for name, w in weights.items():
            np.testing.assert_array_equal(np.asarray(w), g.weight(name))
            self.assertEqual((w.name, w.shape, w.dtype), (name, g.weight(name).shape, np.float32))
        name = next(iter(weights))
        a, b = np.asarray(weights[name]), np.asarray(g.view(name))
        self.assertTrue(np.shares_memory(a, b))
        self.assertTrue(np.shares_memory(a, np.from_dlpack(weights[name])))
        self.assertFalse(a.flags.writeable)
        self.assertEqual(np.asarray(weights[name], np.float64).dtype, np.float64)

    def test_a_view_outlives_its_graph(self):
        g = tiny(seed=3)
        name = next(iter(g.weights()))
        expected, view = g.weight(name), np.from_dlpack(g.view(name))
        g.close()
        del g
        gc.collect()
        tiny(seed=4).fuse()  # would write over memory that was given back
        np.testing.assert_array_equal(view, expected)

    def test_while_a_view_is_alive_the_graph_cannot_change(self):
        g, d = tiny(), rescomp.Dataset.from_arrays(*labelled())
        view = np.asarray(next(iter(g.weights().values())))
        for change in (g.fuse, lambda: rescomp.train(g, d, batch=8), lambda: rescomp.reestimate_bn(g, d)):
            with self.assertRaisesRegex(rescomp.ArgumentError, 'view the graph') as caught:
                change()
            self.assertEqual(caught.exception.name, 'RC_ERR_STATE')
        self.assertEqual(rescomp.prune(g, macs=0.5).fuse().closed, False)
        del view
        gc.collect()
        g.fuse()

    def test_names_that_are_no_weights_are_refused(self):
        with self.assertRaisesRegex(rescomp.Error, 'no such'):
            tiny().view('no such')


class Arrays(unittest.TestCase):
    def test_dlpack_goes_in_and_out(self):
        s = rescomp.Session(tiny(), batch=4)
        x = np.random.default_rng(0).standard_normal((3, 3, SIDE, SIDE), dtype=np.float32)
        y = s.run(x)
        np.testing.assert_array_equal(s.run(Exporter(x)), y)
        self.assertTrue(np.shares_memory(np.from_dlpack(Exporter(y)), y))
        out = np.empty_like(y)
        self.assertIs(s.run(x, out=out), out)
        np.testing.assert_array_equal(out, y)
        with self.assertRaisesRegex(rescomp.ArgumentError, 'DLPack type 2'):
            s.run(Exporter(x, device=2))
        with self.assertRaisesRegex(rescomp.ArgumentError, 'out must be a writable'):
            s.run(x, out=Exporter(y))

    @unittest.skipUnless(TORCH, 'no torch in this Python')
    def test_tensors_of_torch(self):
        import torch
        g, (x, y) = tiny(), labelled()
        s, images = rescomp.Session(g, batch=4), torch.randn(4, 3, SIDE, SIDE)
        out = torch.empty(4, CLASSES)
        self.assertIs(s.run(images.requires_grad_(), out=out), out)
        np.testing.assert_array_equal(out.numpy(), s.run(images.detach().numpy()))
        w = g.view(next(iter(g.weights())))
        self.assertEqual(torch.from_dlpack(w).data_ptr(), np.asarray(w).ctypes.data)
        d = rescomp.Dataset.from_arrays(torch.from_numpy(x), torch.from_numpy(y))
        np.testing.assert_array_equal(d.labels(), y)
        np.testing.assert_array_equal(d.read()[0], rescomp.Dataset.from_arrays(x, y).read()[0])
        with self.assertRaisesRegex(rescomp.ArgumentError, 'out must be a writable'):
            s.run(images, out=torch.empty(4, CLASSES, dtype=torch.float64))

    @unittest.skipUnless(OTHER and not TORCH, 'no RESCOMP_TORCH_PYTHON')
    def test_tensors_of_torch_in_another_python(self):
        ran = subprocess.run([OTHER, __file__, 'Arrays.test_tensors_of_torch'], capture_output=True, text=True,
                             env=dict(os.environ, RESCOMP_TORCH_PYTHON=''))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertNotIn('skipped', ran.stderr)
        example = pathlib.Path(__file__).resolve().parents[2] / 'examples/pytorch_roundtrip.py'
        ran = subprocess.run([OTHER, example], capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn('logits within', ran.stdout)


class Notebooks(unittest.TestCase):
    def test_graph_pruner_and_report_have_tables(self):
        g = tiny()
        page = g._repr_html_()
        self.assertEqual(page.count('<tr>'), 1 + len(g.nodes()))
        self.assertIn('<caption>', page)
        with rescomp.Pruner(g, macs=0.5) as p:
            self.assertEqual(p._repr_html_().count('<tr>'), 1 + len(p.groups()))
        self.assertIn('closed', p._repr_html_())
        with rescomp.Report('a <b> & "c"') as r:
            r.add_step('one', graph=g)
            framed = r._repr_html_()
        self.assertTrue(framed.startswith('<iframe'))
        self.assertNotIn('<b>', framed)
        g.close()
        self.assertIn('closed', g._repr_html_())

    def test_reports_are_loaded_and_compared(self):
        g = tiny()
        with tempfile.TemporaryDirectory() as folder:
            for name, top1 in (('a', 50.0), ('b', 52.5)):
                r = rescomp.Report(name)
                r.add_step('one', graph=g, top1=top1)
                r.set_layers(g, g)
                r.save(f'{folder}/{name}')
            a, b = rescomp.Report.load(f'{folder}/a'), rescomp.Report.load(f'{folder}/b/report.json')
            with self.assertRaises(rescomp.FileError):
                rescomp.Report.load(f'{folder}/none')
        both = rescomp.Report.compare(a, b)
        a.close()
        b.close()
        self.assertEqual((both.json()['before']['top1'], both.json()['after']['top1']), (50.0, 52.5))
        self.assertEqual(both.json()['layers'][0]['width_before'], both.json()['layers'][0]['width_after'])

    def test_text_in_tables_is_escaped_and_long_ones_are_cut(self):
        from rescomp import _html
        page = _html.table('<c>', ['a&b'], [['<x>'], [(1, 2)], [None]], most=2)
        self.assertIn('&lt;x&gt;', page)
        self.assertIn('1 × 2', page)
        self.assertIn('the first 2 of 3 rows', page)
        self.assertNotIn('<x>', page)


class Ranks(unittest.TestCase):
    """Threads stand for processes; their hook adds in shared memory."""

    def ranks(self, count, hook=None):
        barrier, parts, losses, errors = threading.Barrier(count), [None] * count, [[] for _ in range(count)], []

        def work(rank):
            def add(a):
                parts[rank] = a.copy()
                barrier.wait(60)
                a[:] = sum(parts)
                barrier.wait(60)
            try:
                context = rescomp.Context(threads=1)
                g, d = tiny(context=context), rescomp.Dataset.from_arrays(*labelled(), context=context)
                rescomp.train(g, d, batch=16, lr=0.05, epochs=2, seed=5, ranks=count, rank=rank,
                              all_reduce=hook or (add if count > 1 else None),
                              progress=lambda p: losses[rank].append(p['loss']))
            except Exception as error:  # noqa: BLE001 - judged by the caller
                barrier.abort()
                errors.append(error)
        threads = [threading.Thread(target=work, args=(r,)) for r in range(count)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return losses, errors

    def test_two_ranks_train_like_one(self):
        (one,), errors = self.ranks(1)
        self.assertEqual(errors, [])
        (first, second), errors = self.ranks(2)
        self.assertEqual(errors, [])
        self.assertEqual(len(one), 4)
        np.testing.assert_allclose(first, one, rtol=1e-4)
        self.assertEqual(first, second)

    def test_what_the_hook_raises_ends_the_run(self):
        def broken(_array):
            raise OSError('the network is gone')
        _, errors = self.ranks(1, broken)
        self.assertEqual([str(e) for e in errors], ['the network is gone'])

    def test_ranks_without_a_hook_are_refused(self):
        with self.assertRaisesRegex(rescomp.ArgumentError, '2 ranks need all_reduce'):
            rescomp.Trainer(tiny(), rescomp.Dataset.from_arrays(*labelled()), ranks=2)


if __name__ == '__main__':
    unittest.main(verbosity=2)
