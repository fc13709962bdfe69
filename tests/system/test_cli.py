"""The command line: its contract for scripts (verbs, JSON keys, exit codes, whole files), and what a
person sees who types something wrong. usage: test_cli.py RESCOMP"""
import gzip
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

import numpy as np

RESCOMP = sys.argv.pop(1)
ENV = dict(os.environ, OMP_WAIT_POLICY='passive', NO_COLOR='1')


def run(*args, code=0, env=None):
    r = subprocess.run([RESCOMP, *map(str, args)], capture_output=True, text=True, env={**ENV, **(env or {})},
                       timeout=250)
    if r.returncode != code:
        raise AssertionError(f'{args}: exit {r.returncode}, expected {code}\n{r.stdout}\n{r.stderr}')
    return r


def run_json(*args, code=0, env=None):
    return json.loads(run(*args, '--json', '-q', code=code, env=env).stdout)


def held_out(n):
    """Numbers of the training images that are "calib" when there are n."""
    import rescomp
    every = np.arange(n)
    calib = rescomp.Dataset.from_arrays(np.zeros((n, 1, 1, 1), np.uint8), every, split='calib')
    return calib.read(0, n // 10)[1]


def write_idx(folder, n_train=600, n_test=200, invert_held_out=False):
    """A learnable data set in MNIST's layout: the class is where the bright square is."""
    rng = np.random.default_rng(1)
    for name, n in (('train', n_train), ('t10k', n_test)):
        labels = rng.integers(0, 4, n).astype(np.uint8)
        images = rng.integers(0, 60, (n, 16, 16)).astype(np.uint8)
        for i, k in enumerate(labels):
            images[i, 8 * (k // 2) + 1:8 * (k // 2) + 7, 8 * (k % 2) + 1:8 * (k % 2) + 7] += 150
        if invert_held_out and name == 'train':
            images[held_out(n)] = 255 - images[held_out(n)]
        with gzip.open(folder / f'{name}-images-idx3-ubyte.gz', 'wb') as f:
            f.write(struct.pack('>IIII', 0x803, n, 16, 16) + images.tobytes())
        with gzip.open(folder / f'{name}-labels-idx1-ubyte.gz', 'wb') as f:
            f.write(struct.pack('>II', 0x801, n) + labels.tobytes())


def write_png(path, pixels):
    """RGB of [H, W, 3], without a filter."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    h, w, _ = pixels.shape
    rows = b''.join(b'\0' + row.tobytes() for row in pixels)
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0)) +
                     chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.d = pathlib.Path(cls.folder.name)
        write_idx(cls.d)
        cls.data = f'idx:{cls.d}'
        cls.fresh = cls.d / 'fresh.onnx'
        run('create', 'resnet8', '-o', cls.fresh, '--classes', 4, '--input', '1,16,16')
        cls.model = cls.d / 'model.onnx'
        cls.trained = run_json('train', cls.fresh, '-o', cls.model, '--data', cls.data, '--epochs', 3, '--batch', 32,
                               '--lr', 0.05, '--augment', 'none')

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_train_reports_its_keys_and_learns(self):
        self.assertLessEqual({'epochs', 'images_per_second', 'top1', 'loss', 'seconds'}, set(self.trained))
        self.assertGreater(self.trained['top1'], 90)

    def test_profile_counts_passes_and_share_of_peak(self):
        r = run_json('bench', self.model, '--profile', '--seconds', 0.05, '--threads', 1)['models'][0]
        layers, passes = r['layers'], r['passes']
        self.assertEqual(passes['steps'], len(layers))
        self.assertEqual(passes['without_macs'], sum(not x['macs'] for x in layers))
        self.assertEqual(passes['reorders'], sum(x['op'] == 'reorder' for x in layers))
        self.assertEqual(passes['bytes'], sum(x['bytes'] for x in layers))
        if 'peak_gmacs_per_second' in passes:  # known on x86
            for x in layers:
                self.assertAlmostEqual(x['share_of_peak'] * passes['peak_gmacs_per_second'], x['gmacs_per_second'],
                                       places=4)
        text = run('bench', self.model, '--profile', '--seconds', 0.05, '--threads', 1).stdout
        self.assertIn('passes over activations', text)

    def test_pinned_threads_compute_the_same(self):
        free, pinned = (run_json('eval', self.model, '--data', self.data, '--choices', 'off', *how)
                        for how in ([], ['--pin', '--threads', 2]))
        self.assertEqual(free['top1'], pinned['top1'])
        self.assertAlmostEqual(free['loss'], pinned['loss'], places=4)

    def test_eval_keys_and_per_class(self):
        r = run_json('eval', self.model, '--data', self.data, '--per-class', '--confusion')
        self.assertLessEqual({'images', 'top1', 'top5', 'loss', 'seconds'}, set(r))
        self.assertEqual(r['images'], 200)
        self.assertEqual(len(r['classes']), 4)
        self.assertEqual(sum(map(sum, r['confusion'])), 200)
        self.assertAlmostEqual(r['top1'], self.trained['top1'], places=6)

    def test_inspect_of_a_refused_file_says_what_is_in_it(self):
        bad = self.d / 'refused.onnx'
        bad.write_bytes(self.model.read_bytes().replace(b'Relu', b'Rulu'))
        r = run('inspect', bad, code=1)
        self.assertIn('unsupported nodes', r.stderr)
        self.assertRegex(r.stdout, r'\d+ Rulu   NOT SUPPORTED')
        self.assertRegex(r.stdout, r'\d+ Conv\n')
        self.assertIn('opset 13 of ai.onnx', r.stdout)
        j = run_json('inspect', bad, code=1)
        self.assertIn('Rulu', j['error'])
        self.assertEqual(len(j['layers']), j['nodes'])
        self.assertEqual(sum(o['count'] for o in j['operators'] if not o['supported']), j['unsupported'])

    def test_inspect_draws_the_graph(self):
        dot = run('inspect', self.model, '--dot').stdout
        layers = run_json('inspect', self.model)['layers']
        self.assertTrue(dot.startswith('digraph'))
        self.assertEqual(dot.count('[label='), len(layers))
        self.assertEqual(dot.count('{'), dot.count('}'))
        self.assertIn('-> n1;', dot)

        run('inspect', self.model, '--report', self.d / 'seen')
        page = (self.d / 'seen' / 'report.html').read_text()
        self.assertIn('class="graph"', page)
        self.assertGreater(page.count('class="box'), sum(l['op'] == 'Conv' for l in layers))

    def test_stored_outputs_are_compared(self):
        x = np.random.default_rng(0).standard_normal((1, 1, 16, 16)).astype(np.float32)
        np.save(self.d / 'input_0.npy', x)
        run('run', self.model, '--input', self.d / 'input_0.npy', '--output', self.d / 'output_0.npy')
        r = run_json('inspect', self.model, '--stored', self.d, '--check')
        self.assertLess(r['stored']['difference'], 1e-4)
        y = np.load(self.d / 'output_0.npy')
        self.assertEqual(r['stored']['compared'], y.size)
        np.save(self.d / 'output_0.npy', y + 1)
        self.assertIn('differs by', run('inspect', self.model, '--stored', self.d, code=1).stderr)
        run('fuse', self.model, '-o', self.d / 'checked.onnx', '--check')

    def test_fuse_writes_other_opsets_and_storage(self):
        run('fuse', self.model, '-o', self.d / 'old.onnx', '--opset', 9, '--storage', 'f16')
        r, before = run_json('inspect', self.d / 'old.onnx'), run_json('inspect', self.model)
        self.assertEqual(r['opset'], 9)
        self.assertLess(r['file_bytes'], 0.6 * before['file_bytes'])
        self.assertLess(run_json('compare', self.model, self.d / 'old.onnx', '--random', 4)['max_abs'], 0.05)
        run('fuse', self.model, '-o', self.d / 'old.onnx', '--opset', 6, code=2)

    def test_pack_and_unpack_give_the_same_model(self):
        packed, back = self.d / 'm.rcz', self.d / 'back.onnx'
        run('fuse', self.model, '-o', self.d / 'plain.onnx')
        r = run_json('pack', self.d / 'plain.onnx', '-o', packed)
        self.assertEqual(r['after_bytes'], packed.stat().st_size)
        self.assertAlmostEqual(r['ratio'], r['before_bytes'] / r['after_bytes'], 5)
        self.assertGreater(r['ratio'], 1.1)
        self.assertIn('1/0.', run('unpack', packed, '-o', back).stdout)
        self.assertEqual(back.read_bytes(), (self.d / 'plain.onnx').read_bytes())
        self.assertEqual(run_json('compare', self.model, packed, '--random', 2)['top1_agreement'], 100)
        j, text = run_json('inspect', packed), run('inspect', packed).stdout
        self.assertEqual(sum(t['stored'] for t in j['packed']['tensors']), j['packed']['stored'])
        self.assertLessEqual({'name', 'type', 'coder', 'entropy', 'bits', 'elements', 'bytes', 'stored'},
                             set(j['packed']['tensors'][0]))
        self.assertRegex(text, r'FLOAT +planes')
        self.assertNotIn('packed', run_json('inspect', self.model))
        run('pack', self.model, '-o', packed, '--coding', 'zip', code=1)
        packed.write_bytes(packed.read_bytes()[:-1])
        self.assertIn('its header says', run('inspect', packed, code=1).stderr)

    def test_input_shape_is_an_option_of_every_verb(self):
        r = run_json('inspect', self.model, '--input-shape', '2,N,N,N')
        self.assertFalse(r['dynamic_batch'])
        self.assertIn('does not have', run('inspect', self.model, '--input-shape', 'z=1,3,8,8', code=1).stderr)

    def test_inspect_lists_layers_and_groups(self):
        r = run_json('inspect', self.model)
        self.assertLessEqual({'parameters', 'macs', 'weight_bytes', 'file_bytes', 'layers', 'groups'}, set(r))
        self.assertLessEqual({'name', 'op', 'shape', 'parameters', 'macs', 'bytes'}, set(r['layers'][0]))
        self.assertEqual(sum(x['macs'] for x in r['layers']), r['macs'])
        self.assertEqual(r['file_bytes'], self.model.stat().st_size)
        self.assertTrue(any(g['may_cut'] for g in r['groups']))

    def test_bench_compares_models(self):
        r = run_json('bench', self.model, self.fresh, '--seconds', 0.1, '--batch', 2)
        keys = {'model', 'batch', 'threads', 'runs', 'min_ms', 'median_ms', 'p90_ms', 'p99_ms', 'images_per_second',
                'load_ms', 'peak_bytes'}
        self.assertEqual(len(r['models']), 2)
        for m in r['models']:
            self.assertLessEqual(keys, set(m))
            self.assertLessEqual(m['min_ms'], m['median_ms'])
        self.assertIn('isa', r)
        self.assertIn('onednn', r)
        self.assertEqual(run('bench', self.model, '--seconds', 0.05, '--csv').stdout.count('\n'), 2)

    def test_choices_of_kernels_are_kept_in_a_file(self):
        kept = self.d / 'choices.txt'
        run('bench', self.model, '--seconds', 0.05, '--choices', kept)
        if run_json('doctor')['isa'].startswith('AVX'):
            self.assertTrue(kept.read_text().startswith('rescomp choices 1\nmachine '))
            before = kept.read_bytes()
            run('eval', self.model, '--data', self.data, '--choices', kept)
            self.assertIn(before.rsplit(b'\n', 2)[0], kept.read_bytes())
        run('bench', self.model, '--seconds', 0.05, '--choices', 'off')
        self.assertFalse(os.path.exists('off'))
        kept.write_text('precious')
        error = run('bench', self.model, '--seconds', 0.05, '--choices', kept, code=1).stderr
        self.assertIn(f'{kept}: not a file of choices', error)
        self.assertEqual(kept.read_text(), 'precious')
        self.assertIn('not a regular file', run('bench', self.model, '--choices', self.d, code=1).stderr)

    def test_bf16_computes_alike_or_is_refused_by_name(self):
        info = run_json('doctor')
        self.assertIn('allowed are f32, bf16 and mixed', run('bench', self.model, '--precision', 'f64', code=2).stderr)
        if not info['bf16']:
            error = run('bench', self.model, '--precision', 'bf16', code=1).stderr
            self.assertIn('bf16 needs AVX-512 BF16 or AMX', error)
            return
        result = run_json('bench', self.model, '--precision', 'bf16', '--seconds', 0.1)
        self.assertEqual(result['precision'], 'bf16')
        exact = run_json('eval', self.model, '--data', self.data)
        rounded = run_json('eval', self.model, '--data', self.data, '--precision', 'bf16')
        self.assertLess(abs(exact['top1'] - rounded['top1']), 2)
        self.assertNotEqual(exact['loss'], rounded['loss'])
        trained = run_json('train', self.fresh, '-o', self.d / 'bf16.onnx', '--data', self.data, '--epochs', 3, '--batch',
                           32, '--lr', 0.05, '--augment', 'none', '--precision', 'bf16')
        self.assertLess(abs(trained['train_loss'] - self.trained['train_loss']), 0.1)

    def test_fuse_keeps_the_answers(self):
        run('fuse', self.model, '-o', self.d / 'fused.onnx')
        r = run_json('compare', self.model, self.d / 'fused.onnx', '--data', self.data)
        self.assertLessEqual({'max_abs', 'mean_abs', 'top1_agreement'}, set(r))
        self.assertLess(r['max_abs'], 1e-3)
        self.assertEqual(r['top1_agreement'], 100)
        self.assertNotIn('BatchNormalization', run('inspect', self.d / 'fused.onnx').stdout)

    def test_compare_of_layers_names_values(self):
        r = run_json('compare', self.model, self.model, '--random', 8, '--layers')
        self.assertEqual(r['max_abs'], 0)
        self.assertGreater(len(r['values']), 10)

    def test_run_reads_and_writes_arrays(self):
        x = np.random.default_rng(0).normal(size=(3, 1, 16, 16)).astype(np.float32)
        np.save(self.d / 'x.npy', x)
        run('run', self.model, '--input', self.d / 'x.npy', '--output', self.d / 'y.npy')
        run('run', self.model, '--input', self.d / 'x.npy', '--output', self.d / 'z.npy', '--reference')
        y, z = np.load(self.d / 'y.npy'), np.load(self.d / 'z.npy')
        self.assertEqual(y.shape, (3, 4))
        np.testing.assert_allclose(y, z, atol=1e-3)
        np.save(self.d / 'bad.npy', x[:, :, :8])
        self.assertIn('does not have the shape', run('run', self.model, '--input', self.d / 'bad.npy', code=1).stderr)

    def test_run_names_what_is_in_an_image(self):
        import rescomp
        model, labels = self.d / 'c.onnx', self.d / 'labels.txt'
        run('create', 'resnet8', '-o', model, '--classes', 4)
        graph = rescomp.Graph.load(model)
        graph.set_metadata('rescomp.preprocess', '{"mean": [0.5], "std": [0.25], "resize": 0, "crop": 0}')
        graph.set_metadata('rescomp.labels', 'ant\nbee\ncat\ndog')
        graph.save(model)
        pixels = np.random.default_rng(1).integers(0, 256, (32, 48, 3)).astype(np.uint8)
        write_png(self.d / 'a.png', pixels)
        write_png(self.d / 'b.png', 255 - pixels)
        x, _ = rescomp.Dataset.open(f'image:{self.d / "a.png"}', resize=32, crop=32, mean=[0.5], std=[0.25]).read(0, 1)
        np.testing.assert_allclose(x[0], (pixels[:, 8:40].transpose(2, 0, 1) / 255 - 0.5) / 0.25, atol=1e-5)
        y = rescomp.Session(graph).run(x)[0].astype(np.float64)
        p = np.exp(y - y.max()) / np.exp(y - y.max()).sum()
        r = run_json('run', model, '--image', self.d / 'a.png', '--image', self.d / 'b.png', '--top', 3)
        self.assertEqual([i['file'] for i in r['images']], [str(self.d / 'a.png'), str(self.d / 'b.png')])
        top = r['images'][0]['top']
        self.assertEqual([t['class'] for t in top], list(np.argsort(-p)[:3]))
        np.testing.assert_allclose([t['probability'] for t in top], np.sort(p)[::-1][:3], atol=1e-4)
        self.assertEqual([t['label'] for t in top], [['ant', 'bee', 'cat', 'dog'][t['class']] for t in top])
        labels.write_text('w\nx\ny\nz\n')
        text = run('run', model, '--image', self.d / 'a.png', '--labels', labels).stdout.split()
        self.assertEqual(text[3], 'wxyz'[int(np.argmax(p))])
        for args, code, word in ((['--image', self.d / 'none.png'], 1, 'cannot open'),
                                 (['--image', labels], 1, 'neither a PNG nor a JPEG'),
                                 (['--image', self.d / 'a.png', '--crop', 16], 1, 'becomes 16x16 pixels'),
                                 (['--image', self.d / 'a.png', '--labels', self.d / 'none'], 1, 'no labels'),
                                 (['--image', self.d / 'a.png', '--input', 'x.npy'], 2, 'exclude each other')):
            self.assertIn(word, run('run', model, *args, code=code).stderr)
        self.assertIn('one input [N, 3, S, S]', run('run', self.model, '--image', self.d / 'a.png', code=1).stderr)

    def test_prune_and_fine_tune(self):
        r = run_json('prune', self.model, '-o', self.d / 'pruned.onnx', '--data', self.data, '--macs', 0.6,
                     '--epochs', 2, '--batch', 32, '--lr', 0.02, '--augment', 'none', '--teacher', self.model)
        for key in ('before', 'after'):
            self.assertLessEqual({'parameters', 'macs', 'weight_bytes', 'file_bytes', 'top1', 'median_ms'}, set(r[key]))
        self.assertLessEqual(r['after']['macs'], 0.6 * r['before']['macs'])
        self.assertGreater(r['after']['top1'], 90)
        self.assertEqual([s['name'] for s in r['steps']], ['prune', 'train'])
        r = run('prune', self.model, '--dry-run', '--macs', 0.6)
        self.assertIn('plan: multiply-adds', r.stdout)
        self.assertIn('without --data channels are chosen by their weights', r.stderr)

    def test_training_with_simulated_integers(self):
        out = self.d / 'qat.onnx'
        r = run_json('quantize', self.model, '-o', out, '--data', self.data, '--weights', 4, '--acts', 4, '--epochs', 1,
                     '--qat', 'lsq:freeze=0.02', '--norm', 'frozen', '--batch', 32, '--lr', 0.002, '--augment', 'none')
        self.assertEqual(r['steps'][0]['epochs'], 1)
        self.assertGreater(r['after']['top1'], 80)
        self.assertIn('QuantizeLinear', run('inspect', out).stdout)
        for options, word in ((['--qat', 'lsqq'], 'lsq+'), (['--norm', 'none'], 'batch, frozen and folded')):
            text = run('quantize', self.model, '-o', self.d / 'none.onnx', '--data', self.data, '--epochs', 1, *options,
                       code=2).stderr
            self.assertIn(word, text)
        for option in (['--qat', 'lsq'], ['--norm', 'batch'], ['--teacher', self.model]):
            self.assertIn('needs --epochs N', run('quantize', self.model, '-o', self.d / 'none.onnx', '--data', self.data,
                                                  *option, code=2).stderr)
        self.assertFalse((self.d / 'none.onnx').exists())

    def test_prune_history_is_replayed_to_the_same_bytes(self):
        first, second, history = self.d / 'first.onnx', self.d / 'second.onnx', self.d / 'history.json'
        common = ['--data', self.data, '--repair', 'bn']
        run('prune', self.model, '-o', first, '--macs', 0.6, '--criterion', 'energy', '--history', history, *common)
        self.assertEqual(json.loads(history.read_text())['repair'], 'bn')
        run('prune', self.model, '-o', second, '--replay', history, *common)
        self.assertEqual(first.read_bytes(), second.read_bytes())
        none = self.d / 'none.onnx'
        self.assertIn('history of another model', run('prune', first, '-o', none, '--replay', history, code=1).stderr)
        self.assertIn('no targets', run('prune', self.model, '-o', none, '--replay', history, '--macs', 0.5,
                                        code=2).stderr)
        self.assertFalse(none.exists())

    def test_prune_takes_scopes_and_ratios_of_layers(self):
        def plan(*options):
            out = run('prune', self.model, '--dry-run', '--criterion', 'l2', *options).stdout
            return {f[0]: (int(f[1]), int(f[2])) for f in map(str.split, out.splitlines()[1:]) if len(f) == 5}
        half = plan('--scope', 'local', '--ratio', 0.5, '--trunk', 'keep')
        self.assertTrue(any(kept * 2 == n for n, kept in half.values()))
        name = next(k for k, (n, kept) in half.items() if kept < n)
        other = plan('--layer-ratio', f'{name}=0.25')
        self.assertEqual({k: kept * 4 for k, (n, kept) in other.items() if kept < n}, {name: other[name][0]})
        self.assertEqual(plan('--scope-of', f'{name}=0.25'), other)
        self.assertIn('no layer that may be cut',
                      run('prune', self.model, '--dry-run', '--layer-ratio', 'nobody=0.5', code=2).stderr)

    def prune_plan(self, *options):
        return run('prune', self.model, '--dry-run', '--macs', 0.6, '--data', self.data, *options).stdout

    def test_prune_defaults_to_the_best_and_takes_every_method(self):
        self.assertEqual(self.prune_plan(), self.prune_plan('--criterion', 'block-obs', '--repair', 'least-squares'))
        self.assertEqual(self.prune_plan('--criterion', 'l2'),
                         self.prune_plan('--criterion', 'l2', '--reduction', 'mean', '--normalizer', 'max'))
        plans = {self.prune_plan('--criterion', 'l2', '--normalizer', n, '--reduction', r)
                 for n, r in (('max', 'mean'), ('none', 'mean'), ('none', 'sum'))}
        self.assertGreater(len(plans), 1)
        self.assertIn('no normalizer named "maxx"',
                      run('prune', self.model, '--dry-run', '--normalizer', 'maxx', code=2).stderr)

    def test_prune_takes_schedules_allocations_and_blocks(self):
        plans = [self.prune_plan('--criterion', 'l2', *o) for o in
                 ([], ['--schedule', 'geometric:steps=4'], ['--allocation', 'lagrangian'])]
        self.assertEqual(len(set(plans)), 3)
        for wrong, text in ((['--schedule', 'sudden'], 'small-steps'), (['--allocation', 'dp:bins=2'], 'bins'),
                            (['--blocks', '--criterion', 'l2'], 'only where scores are losses')):
            self.assertIn(text, run('prune', self.model, '--dry-run', '--data', self.data, *wrong, code=2).stderr)
        out = self.d / 'blocks.onnx'
        r = run_json('prune', self.model, '-o', out, '--data', self.data, '--macs', 0.3, '--blocks')
        self.assertIn('blocks_cut', r['steps'][0])
        self.assertTrue(out.exists())

    def test_train_takes_penalties_and_minutes(self):
        common = ['train', self.model, '--data', self.data, '--batch', 32, '--augment', 'none']
        plain, pulled = self.d / 'plain.onnx', self.d / 'pulled.onnx'
        r = run_json(*common, '-o', plain, '--minutes', 0.001)
        self.assertGreaterEqual(r['epochs'], 1)
        run_json(*common, '-o', pulled, '--epochs', r['epochs'], '--sparsity', 'group-sl:reg=0.01')
        self.assertNotEqual(plain.read_bytes(), pulled.read_bytes())
        none = self.d / 'none.onnx'
        for wrong, text in ((['--sparsity', 'wish'], 'group-lasso'),):
            self.assertIn(text, run(*common, '-o', none, *wrong, code=1).stderr)
        self.assertIn('not with --epochs', run(*common, '-o', none, '--minutes', 1, '--epochs', 2, code=2).stderr)
        self.assertFalse(none.exists())
    def test_training_takes_layers_averages_and_a_range_test(self):
        common = ['train', self.fresh, '--data', self.data, '--batch', 32, '--augment', 'none']
        found = run_json(*common, '--find-lr')
        self.assertAlmostEqual(found['rate'], found['least'] / 10, delta=1e-6 * found['rate'])
        self.assertGreaterEqual(len(found['points']), 10)
        self.assertIn('the loss falls fastest at', run(*common, '--find-lr').stdout)
        out = ['-o', self.d / 'extra.onnx', '--epochs', 2]
        r = run_json(*common, *out, '--optimizer', 'lars', '--freeze', '*conv1*', '--layer-rate', 'fc*=0.5', '--clip', 1,
                     '--accumulate', 2, '--swa', 0.5, '--patience', 5, '--tensorboard', self.d / 'curves')
        self.assertEqual(r['epochs'], 2)
        self.assertEqual(len(list((self.d / 'curves').iterdir())), 1)
        for options, code, message in (
                (['--freeze', 'nothing*'], 1, '"nothing*" matches none'),
                (['--freeze', 'a,b'], 2, 'without commas'),
                (['--swa', 0.5, '--ema', 0.9], 1, 'two averages'),
                (['--patience', 2, '--all-images'], 2, '--patience judges'),
                (['--find-lr'], 2, 'writes no -o')):
            self.assertIn(message, run(*common, *out, *options, code=code).stderr)

    def test_distillation_losses_are_chosen_by_name(self):
        common = ['train', self.model, '-o', self.d / 'taught.onnx', '--data', self.data, '--epochs', 1, '--batch', 32,
                  '--augment', 'none']
        loss = {spec: run_json(*common, '--teacher', self.model, '--distill-loss', spec)['train_loss']
                for spec in ('hinton', 'logits-mse', 'logits-mse:alpha=0.1')}
        self.assertEqual(len(set(loss.values())), 3)
        taught = run_json(*common, '--teacher', self.model, '--distill-loss', 'dkd:nckd=1+at:weight=10', '--lr', 0.01,
                          '--hint', 'layer1*relu2*=layer1*relu2*', '--hint', 'layer2*relu2*=layer2*relu2*')
        self.assertGreater(taught['train_loss'], 0)
        self.assertIn('no value of the teacher is named "no*"',
                      run(*common, '--teacher', self.model, '--distill-loss', 'at', '--hint', 'layer1*relu2*=no*',
                          code=1).stderr)
        for options, message in ((['--hint', 'a=b'], '--hint needs --teacher'),
                                 (['--distill-loss', 'hinton'], '--distill-loss needs --teacher'),
                                 (['--teacher', self.model, '--loss', 'mse'], 'takes --distill-loss'),
                                 (['--keep-best', '--all-images'], 'not with --all-images')):
            self.assertIn(message, run(*common, *options, code=2).stderr)

    def test_split_is_only_offered_where_it_is_honoured(self):
        images = {s: run_json('eval', self.model, '--data', self.data, '--split', s)['images']
                  for s in ('train', 'calib', 'test')}
        self.assertEqual(images, {'train': 600, 'calib': 60, 'test': 200})
        for verb in ('train', 'prune', 'quantize', 'compress'):
            r = run(verb, self.model, '-o', self.d / 'n.onnx', '--data', self.data, '--split', 'test', code=2)
            self.assertIn('unknown option --split', r.stderr)
        differ = {s: run_json('compare', self.model, self.fresh, '--data', self.data, '--split', s)['max_abs']
                  for s in ('train', 'calib')}
        self.assertNotEqual(differ['train'], differ['calib'])

    def test_calibration_looks_at_held_out_images_only(self):
        """Held-out training images are inverted here, so whoever looks at them shows it."""
        first, second = self.d / 'a', self.d / 'b'
        for folder in (first, second):
            folder.mkdir()
        write_idx(first)
        write_idx(second, invert_held_out=True)
        table = {}
        for folder in (first, second):
            run('quantize', self.model, '-o', folder / 'q.onnx', '--data', f'idx:{folder}', '--observer', 'minmax',
                '--table', folder / 't.json')
            table[folder] = json.loads((folder / 't.json').read_text())
            self.assertEqual(table[folder]['images'], 60)
        self.assertNotEqual(table[first]['tensors'], table[second]['tensors'])
        # neither training nor pruning sees them
        for verb, options in (('train', ['--epochs', 1, '--batch', 32]), ('prune', ['--macs', 0.6])):
            for folder in (first, second):
                run(verb, self.model, '-o', folder / 'm.onnx', '--data', f'idx:{folder}', *options)
            self.assertEqual((first / 'm.onnx').read_bytes(), (second / 'm.onnx').read_bytes(), verb)
        for folder in (first, second):
            run('train', self.model, '-o', folder / 'm.onnx', '--data', f'idx:{folder}', '--epochs', 1, '--batch', 32,
                '--all-images')
        self.assertNotEqual((first / 'm.onnx').read_bytes(), (second / 'm.onnx').read_bytes())

    def test_quantize_writes_table_and_smaller_file(self):
        r = run_json('quantize', self.model, '-o', self.d / 'int8.onnx', '--data', self.data, '--images', 128,
                     '--table', self.d / 'table.json')
        self.assertLess(r['after']['weight_bytes'], 0.35 * r['before']['weight_bytes'])
        self.assertGreater(r['after']['top1'], r['before']['top1'] - 3)
        json.loads((self.d / 'table.json').read_text())
        run('quantize', self.model, '-o', self.d / 'again.onnx', '--table', self.d / 'table.json', '--load-table',
            '--no-bias-correction')
        trt = self.d / 'cache.txt'
        run('quantize', self.model, '-o', self.d / 'again.onnx', '--data', self.data, '--images', 64, '--table', trt,
            '--table-format', 'tensorrt')
        self.assertTrue(trt.read_text().startswith('TRT-8601-'))
        run('quantize', self.model, '-o', self.d / 'again.onnx', '--data', self.data, '--images', 64, '--table', trt,
            '--table-format', 'tensorrt', '--tensorrt', '10.3.0', '--weights', 4)
        self.assertTrue(trt.read_text().startswith('TRT-100300-'))
        four, eight = (run_json('inspect', self.d / name)['weight_bytes'] for name in ('again.onnx', 'int8.onnx'))
        self.assertEqual(four, eight)  # fewer bits coarsen the grid, a weight still takes a byte
        self.assertIn('tensorrt is "11.0.0"', run('quantize', self.model, '-o', self.d / 'again.onnx', '--data', self.data,
                                                  '--tensorrt', '11.0.0', code=2).stderr)

    def test_bits_are_set_by_layer(self):
        names = [l['name'] for l in run_json('inspect', self.model)['layers'] if l['op'] == 'Conv']
        out = self.d / 'bits.onnx'
        common = ('quantize', self.model, '-o', out, '--data', self.data, '--images', 64)
        run(*common, '--weight-bits', 4, '--activation-bits', 6, '--layer', f'{names[1]}:weights=3', '--skip', names[2])
        layers = run_json('inspect', out)['layers']
        self.assertIn('Clip', [l['op'] for l in layers])
        self.assertIn('matches no layer', run(*common, '--skip', 'nothing', code=2).stderr)
        run(*common, '--weights', 3, '--round', 'nearest')
        nearest = run_json('compare', self.model, out, '--data', self.data, '--images', 64)['mean_abs']
        run(*common, '--weights', 3, '--round', 'gptq+:ridge=0.1')
        self.assertLess(run_json('compare', self.model, out, '--data', self.data, '--images', 64)['mean_abs'], nearest)
        self.assertIn('rounding', run(*common, '--rounding', 'up', code=2).stderr)
        self.assertIn('expected PATTERN', run(*common, '--layer', 'nothing', code=2).stderr)

    def test_integer_layers_may_run_in_f32(self):
        int8 = self.d / 'mixed.onnx'
        run('quantize', self.model, '-o', int8, '--data', self.data, '--images', 64)
        env = {'RESCOMP_INT8_KERNEL': 'f32-onednn'}
        kernels = {}
        for precision in ('f32', 'mixed'):
            result = run_json('bench', int8, '--precision', precision, '--profile', '--seconds', 0.05, env=env)
            self.assertEqual(result['precision'], precision)
            kernels[precision] = [s['kernel'] for s in result['models'][0]['layers'] if s['op'] == 'QConv']
        self.assertTrue(kernels['mixed'])
        self.assertTrue(all(k.startswith('f32 on integers') for k in kernels['mixed']), kernels)
        self.assertFalse(kernels['f32'] == kernels['mixed'], kernels)
        exact = run_json('eval', int8, '--data', self.data)
        mixed = run_json('eval', int8, '--data', self.data, '--precision', 'mixed')
        self.assertLess(abs(exact['top1'] - mixed['top1']), 1)
        self.assertIn('allowed are f32 and bf16', run('train', self.fresh, '-o', self.d / 'x.onnx', '--data', self.data,
                                                      '--precision', 'mixed', code=2).stderr)

    def test_compress_runs_a_recipe_and_reports(self):
        recipe = self.d / 'r.json'
        recipe.write_text(json.dumps({'schema': 1, 'steps': [
            {'step': 'prune', 'macs': 0.7, 'round_to': 4},
            {'step': 'train', 'epochs': 2, 'batch': 32, 'lr': 0.02, 'augmentation': ''},
            {'step': 'quantize', 'images': 128, 'weight_bits': 7, 'activation_bits': 7, 'layers': '*:acts=8', 'skip': [],
             'rounding': 'gptq',
             'same_edges': True}]}))
        r = run_json('compress', self.model, '-o', self.d / 'small.onnx', '--data', self.data, '--recipe', recipe,
                     '--max-drop', 5, '--report', self.d / 'report', '--work', self.d / 'work')
        self.assertTrue(r['goals_met'])
        self.assertLess(r['after']['weight_bytes'], 0.3 * r['before']['weight_bytes'])
        report = json.loads((self.d / 'report/report.json').read_text())
        self.assertEqual(len(report['steps']), 3)
        for key in ('before', 'after'):  # what the command prints, and the steps say of which images they are
            for figure in ('top1', 'median_ms', 'macs', 'file_bytes'):
                self.assertAlmostEqual(report[key][figure], r[key][figure], places=6)
            self.assertEqual(report[key]['top1_on'], 'test images')
        self.assertEqual({s['top1_on'] for s in report['steps']}, {'held-out training images'})
        self.assertAlmostEqual(report['steps'][0]['top1'], r['calib_top1_before'], places=6)
        table = json.loads((self.d / 'report/calibration.json').read_text())
        self.assertEqual(table['images'], 60)
        self.assertTrue(table['tensors'])
        self.assertIn('<svg', (self.d / 'report/report.html').read_text())
        e = run_json('eval', self.d / 'small.onnx', '--data', self.data)
        self.assertAlmostEqual(e['top1'], r['after']['top1'], places=6)
        again = run_json('compress', self.model, '-o', self.d / 'small2.onnx', '--data', self.data, '--recipe', recipe,
                         '--max-drop', 5, '--work', self.d / 'work', '--resume')
        self.assertEqual(again['after']['macs'], r['after']['macs'])

    def test_report_compares_two_and_refuses_others(self):
        for name, top1 in (('ra', 90.5), ('rb', 91.0)):
            (self.d / name).mkdir()
            (self.d / name / 'report.json').write_text(json.dumps({
                'schema': 1, 'title': name, 'facts': {}, 'steps': [{'name': 'original', 'top1': top1, 'macs': 10**6}]}))
        said = run('report', self.d / 'ra', self.d / 'rb/report.json', '-o', self.d / 'both').stdout
        self.assertEqual(said.strip(), str(self.d / 'both/report.html'))
        self.assertIn('+0.50 points', (self.d / 'both/report.html').read_text())
        self.assertEqual(run_json('report', self.d / 'ra', self.d / 'rb')['after']['top1'], 91.0)
        run('report', self.d / 'ra', '-o', self.d / 'anew')
        self.assertTrue((self.d / 'anew/report.html').exists())
        self.assertIn('needs -o', run('report', self.d / 'ra', code=2).stderr)
        (self.d / 'rb/report.json').write_text('{"schema": 2, "title": "later"}')
        said = run('report', self.d / 'ra', self.d / 'rb', '-o', self.d / 'none', code=1).stderr
        self.assertRegex(said, r'rb/report.json: a report of schema 2, this version reads 1\n$')
        self.assertEqual(said.count('\n'), 1)
        self.assertFalse((self.d / 'none').exists())

    def test_compress_writes_the_best_when_goals_are_missed(self):
        recipe = self.d / 'small.json'
        recipe.write_text(json.dumps({'steps': [{'step': 'quantize', 'images': 64}]}))
        r = run_json('compress', self.model, '-o', self.d / 'goal.onnx', '--data', self.data, '--recipe', recipe,
                     '--max-drop', 10, '--size', 0.01, code=3)
        self.assertFalse(r['goals_met'])
        self.assertIn('the goal was 0.010', r['missed'])
        run('eval', self.d / 'goal.onnx', '--data', self.data)
        # a rounding that was given up leaves no table
        bad = [{'step': 'quantize', 'images': 64, 'epochs': 1, 'lr': 10}]
        recipe.write_text(json.dumps({'steps': bad}))
        r = run_json('compress', self.model, '-o', self.d / 'goal.onnx', '--data', self.data, '--recipe', recipe,
                     '--max-drop', 0.5, '--report', self.d / 'no-table', code=3)
        self.assertEqual(r['after']['macs'], r['before']['macs'])
        self.assertFalse((self.d / 'no-table/calibration.json').exists())
        self.assertTrue((self.d / 'no-table/report.json').exists())

    def test_compress_reaches_for_goals(self):
        device, points = self.d / 'device.json', self.d / 'points'
        told = run_json('profile-device', self.model, '-o', device, '--cuts', 2, '--seconds', 0.01)
        self.assertEqual(told['batch'], 1)
        self.assertGreater(run_json('bench', self.model, '--device', device, '--seconds', 0.05)['models'][0]
                           ['predicted_ms'], 0)
        r = run_json('compress', self.model, '-o', self.d / 'aim.rcz', '--data', self.data, '--max-drop', 100,
                     '--macs', 0.6, '--size', 0.4, '--minutes', 0.3, '--device', device, '--points', points,
                     '--report', self.d / 'aim')
        self.assertTrue(r['goals_met'])
        self.assertLessEqual(r['after']['macs'], 0.6 * r['before']['macs'])
        self.assertEqual((self.d / 'aim.rcz').stat().st_size > 0, True)
        self.assertLessEqual(r['after']['file_bytes'], 0.4 * r['before']['file_bytes'])
        self.assertTrue((points / 'point-1.onnx').exists())
        report = json.loads((self.d / 'aim/report.json').read_text())
        self.assertTrue(any(s['front'] for s in report['steps']))
        self.assertIn('class="front"', (self.d / 'aim/report.html').read_text())
        told = run('compress', self.model, '-o', self.d / 'no.onnx', '--data', self.data, '--macs', 0.001, code=2)
        self.assertIn('cannot be reached', told.stderr)
        self.assertFalse((self.d / 'no.onnx').exists())
        told = run('profile-device', self.model, '-o', device, '--precisions', 'int3', code=2)
        self.assertIn('int3', told.stderr)
        told = run('compress', self.model, '-o', self.d / 'no.onnx', '--data', self.data, '--minutes', 1, '--recipe',
                   self.d / 'recipe-of-nothing.json', code=1)

    def test_wrong_recipes_are_named(self):
        bad = self.d / 'bad.json'
        for text, message in (('{"steps": [{"step": "prun"}]}', 'step "prun" is unknown'),
                              ('{"steps": [{"step": "prune", "mac": 0.5}]}', 'mac'),
                              ('{"steps": []}', '0 steps'), ('{', 'recipe')):
            bad.write_text(text)
            r = run('compress', self.model, '-o', self.d / 'no.onnx', '--data', self.data, '--recipe', bad, code=2)
            self.assertIn(message, r.stderr)

    def test_methods_and_doctor(self):
        kinds = run_json('methods')
        self.assertLessEqual({'criterion', 'observer', 'loss', 'optimizer', 'rate', 'augmentation'}, set(kinds))
        self.assertEqual(run_json('methods', 'criterion', 'l2')['criterion'][0]['name'], 'l2')
        self.assertTrue(run_json('doctor')['self_test'])
        run('methods', 'nothing', code=2)

    def test_the_processor_can_be_given(self):
        info = run_json('doctor')
        self.assertEqual(info['cpu_given'], '')
        self.assertGreater(info['l2_bytes'], 0)
        given = run_json('doctor', env={'RESCOMP_CPU': 'l2=384K,l3=5M,cores=7,isa=sse41'})
        self.assertEqual((given['l2_bytes'], given['l3_bytes'], given['cores']), (384 << 10, 5 << 20, 7))
        self.assertEqual((given['isa'], given['l1_bytes']), ('SSE4.1', info['l1_bytes']))
        self.assertIn('RESCOMP_CPU=l2=2M', run('doctor', env={'RESCOMP_CPU': 'l2=2M'}).stdout)
        error = run('doctor', code=1, env={'RESCOMP_CPU': 'l2=big'}).stderr.strip()
        self.assertIn('RESCOMP_CPU=l2=big: l2 is allowed from 64K to 1G', error)
        self.assertEqual(len(error.splitlines()), 1)

    def test_mistakes_get_one_clear_line(self):
        for args, code, text in (
                (['evl'], 2, 'did you mean eval?'), ([], 2, 'usage'),
                (['eval', self.model, '--dta', self.data], 2, 'did you mean --data?'),
                (['eval', self.model], 2, '--data is required'),
                (['eval', self.model, '--data', 'nope:x'], 2, 'nope'),
                (['eval', self.d / 'missing.onnx', '--data', self.data], 1, 'missing.onnx: cannot open'),
                (['inspect', self.d / 'train-images-idx3-ubyte.gz'], 1, 'train-images-idx3-ubyte.gz'),
                (['inspect', self.d], 1, 'not a regular file'),
                (['bench', self.model, '--batch', '0'], 2, '--batch is "0", allowed is a whole number in [1, 65536]'),
                (['bench', self.model, '--batch'], 2, '--batch needs a value'),
                (['create', 'resnet21', '-o', self.d / 'n.onnx'], 2, 'resnet21'),
                (['create', 'resnet20'], 2, '-o is required'),
                (['prune', self.model, '-o', self.d / 'n.onnx', '--criterion', 'l3'], 2, 'no criterion named "l3"'),
                (['fuse', self.model, '-o', '/nonexistent/x.onnx'], 1, '/nonexistent/x.onnx'),
                (['train', self.model, '-o', self.d / 'n.onnx', '--data', f'idx:{self.d}/none'], 1, 'none')):
            r = run(*args, code=code)
            self.assertIn(text, r.stderr, args)
            self.assertEqual(r.stdout, '', args)
            self.assertLessEqual(r.stderr.count('\n'), 1, args)
        self.assertFalse((self.d / 'n.onnx').exists())

    def test_help_and_version(self):
        self.assertRegex(run('--version').stdout, r'^rescomp \d+\.\d+\.\d+\n$')
        for verb in ('create', 'inspect', 'run', 'eval', 'bench', 'compare', 'fuse', 'train', 'prune', 'quantize',
                     'compress', 'methods', 'doctor'):
            self.assertIn(f'usage: rescomp {verb}', run(verb, '--help').stdout)
            self.assertIn(verb, run('--help').stdout)

    def test_interrupt_leaves_a_checkpoint_and_resumes(self):
        out, ckpt = self.d / 'long.onnx', self.d / 'long.ckpt'
        args = ['train', self.fresh, '-o', out, '--data', self.data, '--epochs', 400, '--batch', 32, '--checkpoint', ckpt,
                '-q']
        p = subprocess.Popen([RESCOMP, *map(str, args)], stderr=subprocess.PIPE, text=True, env=ENV)
        for _ in range(600):
            if ckpt.exists() or p.poll() is not None:
                break
            time.sleep(0.1)
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=120)
        self.assertEqual(p.returncode, 130, err)
        self.assertIn('interrupted', err)
        self.assertFalse(out.exists())
        self.assertTrue(ckpt.exists())
        self.assertEqual([x.name for x in self.d.iterdir() if 'long.onnx' in x.name], [])
        r = run('train', self.model, '-o', out, '--data', self.data, '--epochs', 2, '--checkpoint', ckpt, '--resume', code=1)
        self.assertIn('long.ckpt', r.stderr)


if __name__ == '__main__':
    unittest.main()
