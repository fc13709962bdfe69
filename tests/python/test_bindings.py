"""The Python package: arrays in and out, errors with the library's text, lifetimes, threads, Ctrl-C, whole runs."""
import logging
import gc
import os
import pathlib
import pickle
import signal
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref
import zlib

import numpy as np

os.environ['OMP_NUM_THREADS'] = '1'  # before the library is loaded: small work, where threads only wait
import rescomp  # noqa: E402

SHARED = pathlib.Path(os.environ.get('RESCOMP_SHARED', pathlib.Path(os.environ.get('RESCOMP_SOURCE', '.')).parent / 'shared'))
SIDE, CLASSES = 8, 4


def tiny(**options):
    return rescomp.Graph.create('resnet8', classes=CLASSES, height=SIDE, width=SIDE, **options)


def images(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 3, SIDE, SIDE), dtype=np.float32)


def striped(n=128):
    """Images that a small network can tell apart: class k has a bright column pair k."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, CLASSES, n)
    x = rng.integers(0, 80, (n, 3, SIDE, SIDE)).astype(np.uint8)
    for i, k in enumerate(y):
        x[i, :, :, 2 * k:2 * k + 2] += 150
    return x, y


def png(side):
    """A grey PNG file of side x side pixels."""
    def chunk(kind, body):
        return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress((b'\0' + b'\x80' * side) * side)) + chunk(b'IEND', b''))


def import_with(library):
    """What importing the package says with that library."""
    code = 'import rescomp'
    ran = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                         env=dict(os.environ, RESNETCOMPRESS_LIBRARY=str(library)))
    return ran.returncode, ran.stderr.strip().splitlines()[-1]


class Loading(unittest.TestCase):
    def test_what_is_no_library_of_ours_is_one_clear_line(self):
        with tempfile.TemporaryDirectory() as d:
            d = pathlib.Path(d)
            (d / 'text.so').write_text('not a library')
            header = bytearray(pathlib.Path(sys.executable).resolve().read_bytes()[:4096])
            header[18:20] = struct.pack('<H', 183)  # e_machine: AArch64
            (d / 'arm.so').write_bytes(header)
            for name in ('text.so', 'arm.so', 'absent.so'):
                code, said = import_with(d / name)
                self.assertEqual(code, 1)
                self.assertRegex(said, f'^ImportError: cannot load .*{name}.*set RESNETCOMPRESS_LIBRARY')

    @unittest.skipUnless(shutil.which('cc'), 'no C compiler')
    def test_older_and_newer_libraries_are_refused(self):
        with tempfile.TemporaryDirectory() as d:
            for version, said in (('0.0.9', 'need 0.1 or later'), ('7.2.0', 'update the package'),
                                  ('0.1.0', 'does not fit these bindings')):
                source, library = pathlib.Path(d, 'v.c'), pathlib.Path(d, f'v{version}.so')
                source.write_text(f'const char *rc_version_string(void) {{ return "{version}"; }}\n'
                                  'const char *rc_last_error(void) { return ""; }\n'
                                  'const char *rc_status_name(int s) { return s ? "?" : "RC_OK"; }\n')
                subprocess.run(['cc', '-shared', '-fPIC', source, '-o', library], check=True)
                code, line = import_with(library)
                self.assertEqual(code, 1)
                self.assertIn(said, line)


def transpose(batch):
    """An ONNX file of y = Transpose(x), x of shape [batch, 3]."""
    def field(number, body):
        return bytes([number << 3 | 2, len(body)]) + body

    def value(name, *shape):
        dims = [field(1, field(2, d.encode()) if isinstance(d, str) else bytes([8, d])) for d in shape]
        return field(1, name) + field(2, field(1, bytes([8, 1]) + field(2, b''.join(dims))))
    node = field(1, b'x') + field(2, b'y') + field(4, b'Transpose')
    graph = field(1, node) + field(2, b'g') + field(11, value(b'x', batch, 3)) + field(12, value(b'y', 3, batch))
    return bytes([8, 8]) + field(7, graph) + field(8, bytes([16, 13]))


class Folder(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        self.addCleanup(self._folder.cleanup)

    def assertStatus(self, status, text, function, *args, **kwargs):
        with self.assertRaises(rescomp.Error) as caught:
            function(*args, **kwargs)
        self.assertEqual(caught.exception.name, status, caught.exception)
        self.assertIn(text, str(caught.exception))
        return caught.exception


class Graphs(Folder):
    def test_a_saved_graph_loads_again_and_answers_alike(self):
        g = tiny()
        g.set_metadata('rescomp.note', 'grüße')
        g.save(self.folder / 'a.onnx')
        again = rescomp.Graph.load(self.folder / 'a.onnx')
        bytes_too = rescomp.Graph.from_bytes((self.folder / 'a.onnx').read_bytes())
        self.assertEqual(again.metadata('rescomp.note'), 'grüße')
        self.assertIsNone(again.metadata('absent'))
        self.assertEqual(again.info(), g.info())
        x = images(2)
        answers = [rescomp.Session(m, batch=2).run(x) for m in (g, again, bytes_too)]
        np.testing.assert_array_equal(answers[0], answers[1])
        np.testing.assert_array_equal(answers[0], answers[2])

    def test_input_shapes_are_given_as_tuples_or_by_name(self):
        tiny().save(self.folder / 'a.onnx')
        data = (self.folder / 'a.onnx').read_bytes()
        for shape in ((3, None, 16, 16), '3,N,16,16', {'input': (3, 'N', 16, 16)}):
            g = rescomp.Graph.load(self.folder / 'a.onnx', input_shape=shape)
            self.assertEqual(rescomp.Session(g, batch=3).inputs[0][1], (3, 3, 16, 16))
            self.assertFalse(g.info()['dynamic_batch'])
            again = rescomp.Graph.from_bytes(data, input_shape=shape)
            self.assertEqual(again.info(), g.info())
        self.assertStatus('RC_ERR_ARG', 'does not have', rescomp.Graph.load, self.folder / 'a.onnx',
                         input_shape={'other': (1, 3, 16, 16)})
        self.assertStatus('RC_ERR_SHAPE', '2 axes', rescomp.Graph.load, self.folder / 'a.onnx', input_shape=(1, 3))

    def test_a_model_proto_loads_by_its_bytes(self):
        tiny().save(self.folder / 'a.onnx')

        class ModelProto:
            def SerializeToString(_):
                return (self.folder / 'a.onnx').read_bytes()

        self.assertEqual(rescomp.Graph.load(ModelProto()).info(), tiny().info())

    def test_opset_and_storage_are_chosen_when_saving(self):
        g = tiny()
        g.save(self.folder / 'a.onnx', opset=9)
        self.assertEqual(rescomp.Graph.load(self.folder / 'a.onnx').info()['opset'], 9)
        g.save(self.folder / 'half.onnx', storage='f16')
        half = rescomp.Graph.load(self.folder / 'half.onnx')
        self.assertEqual(half.info()['weight_bytes'] * 2, g.info()['weight_bytes'])
        x = images(2)
        np.testing.assert_allclose(rescomp.Session(half, batch=2).run(x), rescomp.Session(g, batch=2).run(x),
                                   rtol=0.02, atol=0.02)
        self.assertStatus('RC_ERR_ARG', 'opset is 26', g.save, self.folder / 'b.onnx', opset=26)
        self.assertStatus('RC_ERR_ARG', 'allowed are f32, f16', g.save, self.folder / 'b.onnx', storage='int3')
        self.assertFalse((self.folder / 'b.onnx').exists())

    def test_a_survey_counts_operators_of_any_file(self):
        g = tiny()
        g.save(self.folder / 'a.onnx')
        data = (self.folder / 'a.onnx').read_bytes().replace(b'Relu', b'Rulu')
        (self.folder / 'b.onnx').write_bytes(data)
        self.assertStatus('RC_ERR_UNSUPPORTED', 'Rulu', rescomp.Graph.load, self.folder / 'b.onnx')
        with rescomp.Survey(self.folder / 'b.onnx') as s:
            operators = {o['name']: o for o in s.operators()}
            self.assertEqual(sum(o['count'] for o in operators.values()), s.info()['nodes'])
            self.assertEqual(s.info()['unsupported'], operators['Rulu']['count'])
            self.assertEqual([o['name'] for o in operators.values() if not o['supported']], ['Rulu'])
            self.assertEqual(len(s.nodes()), s.info()['nodes'])
            self.assertEqual(s.opsets(), [{'domain': '', 'version': g.info()['opset'], 'used': 1}])
        self.assertStatus('RC_ERR_FORMAT', 'empty', rescomp.Survey, self.empty_file())

    def empty_file(self):
        (self.folder / 'empty.onnx').write_bytes(b'')
        return self.folder / 'empty.onnx'

    def test_nodes_add_up_to_the_totals(self):
        g = tiny()
        nodes, info = g.nodes(), g.info()
        self.assertEqual(len(nodes), info['nodes'])
        self.assertEqual(sum(n['macs'] for n in nodes), info['macs'])
        self.assertEqual(nodes[0]['op'], 'Conv')
        self.assertEqual(nodes[0]['shape'], (1, 16, SIDE, SIDE))
        self.assertEqual(nodes[-1]['shape'], (1, CLASSES))
        self.assertIn('parameters', repr(g))

    def test_weights_come_as_read_only_copies(self):
        g = tiny()
        w = g.weight('conv1.weight')
        self.assertEqual((w.shape, w.dtype), ((16, 3, 3, 3), np.float32))
        with self.assertRaises(ValueError):
            w[0] = 0
        self.assertStatus('RC_ERR_ARG', 'nothing', g.weight, 'nothing')

    def test_fusing_a_copy_leaves_the_original(self):
        g = tiny()
        fused = g.copy().fuse()
        self.assertFalse(any(n['op'] == 'BatchNormalization' for n in fused.nodes()))
        self.assertTrue(any(n['op'] == 'BatchNormalization' for n in g.nodes()))
        x = images(1)
        np.testing.assert_allclose(rescomp.Session(fused).run(x), rescomp.Session(g).run(x), atol=1e-4)


class Sessions(Folder):
    def test_answers_equal_the_plain_c_reference(self):
        x = images(3)
        fast, plain = (rescomp.Session(tiny(), batch=4, threads=2, reference=r).run(x) for r in (False, True))
        self.assertEqual((fast.shape, fast.dtype), ((3, CLASSES), np.float32))
        np.testing.assert_allclose(fast, plain, atol=1e-4)

    def test_a_trained_model_answers_as_it_did_in_its_framework(self):
        model = SHARED / 'models/resnet20-cifar10.onnx'
        if not model.exists():
            self.skipTest('no shared models')
        x = np.random.default_rng(0).standard_normal((2, 3, 32, 32), dtype=np.float32)
        g = rescomp.Graph.load(model)
        np.testing.assert_allclose(rescomp.Session(g, batch=2).run(x),
                                   rescomp.Session(g, batch=2, reference=True).run(x), atol=1e-3)

    def test_out_is_filled_in_place(self):
        with rescomp.Session(tiny(), batch=2) as s:
            x, out = images(2), np.full((2, CLASSES), np.nan, np.float32)
            self.assertIs(s.run(x, out=out), out)
            np.testing.assert_array_equal(out, s.run(x))
            whole = np.zeros((4, CLASSES), np.float32)
            s.run(x, out=whole[1:3])
            np.testing.assert_array_equal(whole[1:3], out)
            self.assertFalse(whole[0].any() or whole[3].any())
            for bad in (np.zeros((1, CLASSES), np.float32), np.zeros((2, CLASSES)), whole[::2],
                        np.asfortranarray(np.zeros((2, CLASSES), np.float32)), [out, out]):
                with self.assertRaises(rescomp.ArgumentError):
                    s.run(x, out=bad)
            out.flags.writeable = False
            self.assertStatus('RC_ERR_SHAPE', 'writable', s.run, x, out=out)

    def test_inputs_that_are_not_plain_float32_are_converted(self):
        s = rescomp.Session(tiny(), batch=2)
        x = images(2)
        expected = s.run(x)
        for same in (x.astype(np.float64), x.tolist(), np.asfortranarray(x), x.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)):
            np.testing.assert_array_equal(s.run(same), expected)

    def test_bad_inputs_name_the_shape_that_is_allowed(self):
        s = rescomp.Session(tiny(), batch=2)
        for bad in (images(3), images(0), images(2)[0], images(2)[:, :2], 1.0):
            error = self.assertStatus('RC_ERR_SHAPE', f'must be (1..2, 3, {SIDE}, {SIDE})', s.run, bad)
            self.assertIsInstance(error, ValueError)
        self.assertStatus('RC_ERR_ARG', '2 inputs given', s.run, images(1), images(1))
        with self.assertRaises(ValueError):
            s.run(np.array([['a']]))

    def test_observed_values_follow_the_outputs(self):
        g = tiny()
        name = g.nodes()[0]['output']
        with rescomp.Session(g, batch=2, observe=[name]) as s:
            logits, value = s.run(images(2))
            self.assertEqual(value.shape, (2, 16, SIDE, SIDE))
            self.assertEqual([n for n, _ in s.outputs][1], name)
        self.assertStatus('RC_ERR_ARG', 'nowhere', rescomp.Session, g, observe=['nowhere'])

    def test_profile_latency_and_memory_are_told(self):
        g = tiny()
        with rescomp.Session(g, profile=True) as a, rescomp.Session(g, batch=2) as b:
            a.run(images(1))
            self.assertTrue(all(step['runs'] == 1 for step in a.profile()))
            self.assertEqual(len(a.memory()), 2)
            la, lb = rescomp.measure_latency([a, b], seconds=0.01)
        self.assertLessEqual(la['min_ms'], la['median_ms'])
        self.assertLessEqual(la['median_ms'], la['p90_ms'])
        self.assertGreaterEqual(lb['runs'], 10)
        self.assertGreater(la['joules_per_image'], 0)
        self.assertTrue(la['energy'])
        self.assertStatus('RC_ERR_ARG', 'no sessions', rescomp.measure_latency, [])

    def test_a_device_predicts_what_it_timed(self):
        g, seen = tiny(), []
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'device.json'
            with rescomp.Device.profile(g, cuts=1, seconds=0.003, precisions='f32', name='here',
                                        progress=lambda what, fraction: seen.append(fraction)) as d:
                d.save(path)
                predicted = d.predict(g)
            self.assertEqual(predicted['exact'], predicted['layers'])
            self.assertGreater(predicted['latency_ms'], 0)
            with rescomp.Device(path) as again:
                self.assertEqual(again.info()['name'], 'here')
                self.assertEqual(again.predict(g)['layers'], predicted['layers'])
        self.assertTrue(seen and max(seen) <= 1)
        self.assertStatus('RC_ERR_ARG', 'no graphs', rescomp.Device.profile, [])
        self.assertStatus('RC_ERR_PATH', 'nowhere', rescomp.Device, '/nowhere.json')


    def test_bf16_is_close_or_refused_by_name(self):
        g, x = tiny(), images(2)
        self.assertStatus('RC_ERR_ARG', "precision is 'f16'", rescomp.Session, g, precision='f16')
        if not rescomp.Context().system()['bf16']:
            self.assertStatus('RC_ERR_UNSUPPORTED', 'bf16 needs', rescomp.Session, g, precision='bf16')
            return
        with rescomp.Session(g, batch=2) as exact, rescomp.Session(g, batch=2, precision='bf16') as s:
            want, got = exact.run(x), s.run(x)
        self.assertLess(np.abs(got - want).max(), 0.03 * np.abs(want).max())
        self.assertGreater(np.abs(got - want).max(), 0)


class Errors(Folder):
    def test_errors_carry_status_name_and_the_librarys_text(self):
        error = self.assertStatus('RC_ERR_PATH', 'nowhere.onnx', rescomp.Graph.load, self.folder / 'nowhere.onnx')
        self.assertEqual(error.status, -11)
        self.assertIsInstance(error, OSError)
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), again.status, str(again)), (type(error), error.status, str(error)))
        (self.folder / 'junk.onnx').write_bytes(b'junk' * 100)
        self.assertRaises(rescomp.Error, rescomp.Graph.load, self.folder / 'junk.onnx')
        self.assertRaises(rescomp.Error, rescomp.Graph.from_bytes, b'')
        self.assertStatus('RC_ERR_ARG', 'resnet20', rescomp.Graph.create, 'resnet21')
        self.assertIsInstance(self.assertStatus('RC_ERR_PATH', 'absent', tiny().save, self.folder / 'absent/x.onnx'), OSError)

    def test_numbers_and_text_are_checked_before_c_sees_them(self):
        self.assertStatus('RC_ERR_ARG', 'threads is -1', rescomp.Context, threads=-1)
        before = os.sched_getaffinity(0)
        with rescomp.Context(threads=2, pin=True) as c:
            self.assertEqual(c.system()['threads'], 2)
        self.assertEqual(os.sched_getaffinity(0), before)
        self.assertStatus('RC_ERR_ARG', 'threads is 5000', rescomp.Context, threads=5000)
        self.assertStatus('RC_ERR_ARG', 'batch is -2', rescomp.Session, tiny(), batch=-2)
        self.assertStatus('RC_ERR_ARG', 'NUL', rescomp.Graph.load, 'a\0b')
        self.assertStatus('RC_ERR_ARG', 'NUL', tiny().metadata, 'a\0b')
        for call in (lambda: rescomp.Context(threads=1.5), lambda: rescomp.Graph.load(3), lambda: tiny(seed='x'),
                     lambda: rescomp.Graph.create(8), lambda: rescomp.Graph.create('resnet8', clases=3)):
            self.assertRaises(TypeError, call)
        self.assertEqual(tiny(seed=np.int64(3)).info(), tiny().info())

    def test_the_memory_cap_is_an_error_not_a_crash(self):
        with rescomp.Context(max_memory=100_000) as c:
            error = self.assertStatus('RC_ERR_MEMORY', '', rescomp.Graph.create, 'resnet20', context=c)
            self.assertIsInstance(error, MemoryError)
            gc.collect()
            self.assertLess(c.memory()[0], 50_000)

    def test_the_log_callback_is_given_lines_and_its_errors_come_out(self):
        for i, content in enumerate([png(SIDE), b'no image', png(SIDE), png(SIDE)]):
            (self.folder / 'd' / 'ab'[i % 2]).mkdir(parents=True, exist_ok=True)
            (self.folder / 'd' / 'ab'[i % 2] / f'{i}.png').write_bytes(content)
        spec, options = f'folder:{self.folder / "d"}', dict(resize=SIDE, crop=SIDE, skip_bad=True)
        lines = []
        context = rescomp.Context(log=lambda level, line: lines.append((level, line)))
        if not context.system()['png']:
            self.skipTest('built without libpng')
        d = rescomp.Dataset.open(spec, context=context, **options)
        self.assertEqual(d.read()[0].shape, (4, 3, SIDE, SIDE))
        self.assertEqual(d.class_names, ['a', 'b'])
        self.assertTrue(any(level == logging.WARNING and '1.png' in line for level, line in lines), lines)

        def broken(level, line):
            raise OverflowError(line)
        d = rescomp.Dataset.open(spec, context=rescomp.Context(log=broken), **options)
        self.assertRaisesRegex(OverflowError, '1.png', d.read)

    def test_a_missing_library_says_which_variable_to_set(self):
        env = dict(os.environ, RESNETCOMPRESS_LIBRARY='/nowhere/lib.so')
        ran = subprocess.run([sys.executable, '-c', 'import rescomp'], env=env, capture_output=True, text=True)
        self.assertIn('ImportError: cannot load /nowhere/lib.so', ran.stderr)
        self.assertIn('RESNETCOMPRESS_LIBRARY', ran.stderr)

    def test_the_library_beside_the_package_is_found(self):
        library = os.environ.get('RESNETCOMPRESS_LIBRARY')
        if not library:
            self.skipTest('RESNETCOMPRESS_LIBRARY is not set')
        package = self.folder / 'rescomp'
        package.mkdir()
        for f in pathlib.Path(rescomp.__file__).parent.glob('*.py'):
            (package / f.name).write_text(f.read_text())
        (package / 'libresnetcompress.so.0').symlink_to(pathlib.Path(library).resolve())
        env = {k: v for k, v in os.environ.items() if k != 'RESNETCOMPRESS_LIBRARY'}
        ran = subprocess.run([sys.executable, '-c', 'import rescomp; print(rescomp.__file__, rescomp.version())'],
                             env=dict(env, PYTHONPATH=str(self.folder)), capture_output=True, text=True)
        self.assertIn(str(package), ran.stdout, ran.stderr)


class Lifetimes(Folder):
    def test_closed_handles_say_so(self):
        g = tiny()
        s = rescomp.Session(g)
        g.close()
        g.close()
        self.assertTrue(g.closed)
        self.assertStatus('RC_ERR_STATE', 'Graph is closed', g.info)
        self.assertStatus('RC_ERR_STATE', 'Graph is closed', rescomp.Session, g)
        self.assertStatus('RC_ERR_STATE', 'Graph is closed', g.__enter__)
        self.assertEqual(repr(g), '<rescomp.Graph, closed>')
        self.assertEqual(s.run(images(1)).shape, (1, CLASSES))  # sessions do not need their graph
        with s:
            pass
        self.assertStatus('RC_ERR_STATE', 'Session is closed', s.run, images(1))

    def test_a_session_from_a_file(self):
        g, file = tiny(), self.folder / 'a.onnx'
        g.save(file)
        x = np.random.default_rng(1).standard_normal((1, *rescomp.Session(g).inputs[0][1][1:])).astype(np.float32)
        np.testing.assert_allclose(rescomp.Session(file).run(x), rescomp.Session(g).run(x), rtol=1e-4, atol=1e-5)
        with rescomp.Context(threads=1) as c:
            rescomp.Session(os.fsencode(file), context=c).close()
            self.assertStatus('RC_ERR_ARG', 'that of the graph', rescomp.Session, g, context=c)
        self.assertStatus('RC_ERR_PATH', 'none.onnx', rescomp.Session, self.folder / 'none.onnx')
        self.assertRaises(TypeError, rescomp.Session, 7)

    def test_an_output_without_a_batch_has_its_whole_shape(self):
        s = rescomp.Session(rescomp.Graph.from_bytes(transpose(1)))
        self.assertEqual(s.outputs, [('y', (3, 1))])
        np.testing.assert_array_equal(s.run(np.float32([[1, 2, 3]])), [[1], [2], [3]])
        self.assertStatus('RC_ERR_SHAPE', '(3, 1)', s.run, np.zeros((1, 3)), out=np.zeros((1, 1), np.float32))
        free = rescomp.Session(rescomp.Graph.from_bytes(transpose('N')), batch=3)  # also where it is as long as a batch
        np.testing.assert_array_equal(free.run(np.float32([[1, 2, 3]]))[:, 0], [1, 2, 3])
        self.assertEqual(free.run(np.zeros((1, 3))).shape, (3, 3))

    def test_choices_are_kept_in_a_file(self):
        kept = self.folder / 'choices.txt'
        with rescomp.Context(choices=kept) as c:
            rescomp.Session(tiny(context=c)).close()
        with rescomp.Context(choices='off') as c:
            rescomp.Session(tiny(context=c)).close()
        kept.write_text('precious')
        self.assertStatus('RC_ERR_FORMAT', 'not a file of choices', rescomp.Context, choices=os.fsencode(kept))
        self.assertEqual(kept.read_text(), 'precious')

    def test_closing_a_context_first_is_safe_and_memory_returns(self):
        c = rescomp.Context()
        g = tiny(context=c)
        s = rescomp.Session(g)
        held = c.memory()[0]
        self.assertGreater(held, 0)
        s.close()
        self.assertLess(c.memory()[0], held)
        c.close()
        self.assertEqual(rescomp.Session(g).run(images(1)).shape, (1, CLASSES))
        self.assertStatus('RC_ERR_STATE', 'Context is closed', c.memory)

    def test_dropped_objects_give_their_memory_back(self):
        with rescomp.Context() as c:
            before = c.memory()[0]
            x, y = striped()
            for _ in range(3):
                d = rescomp.Dataset.from_arrays(x, y, context=c)
                g = tiny(context=c)
                t = rescomp.Trainer(g, d, batch=16, images=32, progress=lambda p: t)  # a cycle
                t.run()
                self.assertTrue(rescomp.Pruner(g).groups())
                gone = weakref.ref(t)
                del d, g, t
                gc.collect()
                self.assertIsNone(gone())
            self.assertEqual(c.memory()[0], before)

    def test_a_trainer_keeps_what_it_borrows(self):
        d = rescomp.Dataset.from_arrays(*striped())
        g = tiny()
        t = rescomp.Trainer(g, d, batch=16, images=32)
        self.assertStatus('RC_ERR_STATE', 'Trainer', g.fuse)
        d.close()
        self.assertEqual(t.run()['steps'], 2)
        t.close()
        g.fuse()

    def test_threads_share_sessions_and_close_them_while_running(self):
        g = tiny()
        x = images(4)
        expected = rescomp.Session(g, batch=4, threads=1).run(x)
        shared = rescomp.Session(g, batch=4, threads=1)
        wrong, closed = [], []

        def work():
            try:
                for _ in range(200):
                    if not np.array_equal(shared.run(x), expected):
                        wrong.append(1)
            except rescomp.Error as e:
                closed.append(e.name)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.02)
        shared.close()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])
        self.assertTrue(set(closed) <= {'RC_ERR_STATE'})


class Datasets(Folder):
    def test_arrays_are_read_back_normalised(self):
        x, y = striped(50)
        d = rescomp.Dataset.from_arrays(x, y, mean=[0.5, 0.25, 0], std=[1, 0.5, 2])
        self.assertEqual((len(d), d.shape, d.classes), (50, (3, SIDE, SIDE), CLASSES))
        got, labels = d.read()
        expected = (x / np.float32(255) - np.float32([0.5, 0.25, 0]).reshape(3, 1, 1)) / np.float32([1, 0.5, 2]).reshape(3, 1, 1)
        np.testing.assert_allclose(got, expected, atol=1e-6)
        np.testing.assert_array_equal(labels, y)
        np.testing.assert_array_equal(d.labels(), y)
        out = np.empty((5, 3, SIDE, SIDE), np.float32)
        self.assertIs(d.read(10, 5, out=out)[0], out)
        np.testing.assert_array_equal(out, got[10:15])
        self.assertEqual([len(b) for b, _ in d.batches(20)], [20, 20, 10])
        self.assertIsNone(d.class_names)
        self.assertIn('"mean"', d.preprocess)
        for first, count in ((-1, 2), (0, 51), (50, 1), (3, -1)):
            self.assertStatus('RC_ERR_ARG', 'has 50', d.read, first, count)
        self.assertStatus('RC_ERR_SHAPE', 'out must be', d.read, 0, 2, out=out)

    def test_an_npz_file_and_its_arrays_are_the_same_data_set(self):
        x, y = striped(40)
        np.savez(self.folder / 'd.npz', x=x, y=y)
        opened = rescomp.Dataset.open(f'npz:{self.folder / "d.npz"}')
        np.testing.assert_array_equal(opened.read()[0], rescomp.Dataset.from_arrays(x, y).read()[0])
        self.assertLess(len(rescomp.Dataset.open(f'npz:{self.folder / "d.npz"}', split='calib')), 40)
        self.assertStatus('RC_ERR_ARG', 'nokind', rescomp.Dataset.open, 'nokind:x')
        self.assertStatus('RC_ERR_PATH', 'absent.npz', rescomp.Dataset.open, f'npz:{self.folder / "absent.npz"}')
        self.assertStatus('RC_ERR_ARG', 'split', rescomp.Dataset.open, f'npz:{self.folder / "d.npz"}', split='tests')

    def test_callbacks_deliver_images_and_their_exceptions_come_out(self):
        x, y = striped(20)

        def get(i):
            if i == 13:
                raise KeyError('image 13')
            return x[i], y[i]
        d = rescomp.Dataset.from_callback(get, 20, (3, SIDE, SIDE), CLASSES)
        np.testing.assert_array_equal(d.read(0, 13)[0], rescomp.Dataset.from_arrays(x, y).read(0, 13)[0])
        with self.assertRaisesRegex(KeyError, 'image 13'):
            d.read()
        self.assertEqual(d.read(14, 6)[1].tolist(), y[14:].tolist())  # nothing is left of the failure
        with_labels = rescomp.Dataset.from_callback(get, 20, (3, SIDE, SIDE), CLASSES, labels=y)
        np.testing.assert_array_equal(with_labels.labels(), y)
        bad = rescomp.Dataset.from_callback(lambda i: (x[i, :2], 0), 20, (3, SIDE, SIDE), CLASSES)
        self.assertStatus('RC_ERR_SHAPE', f'must be uint8 (3, {SIDE}, {SIDE})', bad.read)
        label = rescomp.Dataset.from_callback(lambda i: (x[i], 99), 20, (3, SIDE, SIDE), CLASSES)
        self.assertStatus('RC_ERR_DATA', '99', label.read)

    def test_bad_arrays_are_refused(self):
        x, y = striped(20)
        for bad in ((x[0], y), (x, y[:-1]), (x[:0], y[:0]), (x, y.astype(float))):
            self.assertRaises(rescomp.ArgumentError, rescomp.Dataset.from_arrays, *bad)
        self.assertRaises(rescomp.Error, rescomp.Dataset.from_arrays, x, y, mean=[0.5] * 5, std=[1] * 5)
        self.assertRaises(rescomp.Error, rescomp.Dataset.from_arrays, x, y, mean=[0.5])
        self.assertRaises(TypeError, rescomp.Dataset.from_arrays, x, y, nonsense=1)


class Training(Folder):
    def setUp(self):
        super().setUp()
        self.data = rescomp.Dataset.from_arrays(*striped())

    def test_a_few_steps_learn_striped_images(self):
        g = tiny()
        steps = []
        if rescomp.Context().system()['bf16']:
            h = g.copy()
            rounded = rescomp.train(h, self.data, epochs=4, batch=16, lr=0.05, precision='bf16')
            self.assertLess(rescomp.evaluate(h, self.data, precision='bf16')['loss'], 1)
            self.assertLess(rounded['loss'], 1)
        result = rescomp.train(g, self.data, epochs=4, batch=16, lr=0.05, validation=self.data, progress=steps.append)
        self.assertEqual((result['epochs'], result['steps'], len(steps)), (4, 32, 32))
        self.assertEqual([s['step'] for s in steps], list(range(1, 33)))
        self.assertLess(steps[-1]['epoch_loss'], steps[0]['loss'])
        self.assertGreater(result['top1'], 60)
        found = rescomp.evaluate(g, self.data, confusion=True)
        self.assertEqual(found['images'], 128)
        self.assertAlmostEqual(found['top1'], result['top1'])
        self.assertEqual(int(found['confusion'].sum()), 128)
        self.assertAlmostEqual(100 * np.trace(found['confusion']) / 128, found['top1'])

    def test_layers_freeze_and_a_rate_is_found_without_a_trace(self):
        graphs = [tiny() for _ in range(2)]
        options = dict(batch=16, threads=1, layer_rates={'conv1*': 0, 'fc*': 0.5}, clip=1.0, accumulate=2)
        with rescomp.Trainer(graphs[0], self.data, **options) as trainer:
            found = trainer.find_rate(steps=20)
            self.assertEqual(found['steps'], len(found['rates']))
            self.assertEqual(found['steps'], len(found['losses']))
            self.assertAlmostEqual(found['rates'][0], 1e-5)
            self.assertEqual(found['rate'], found['least'] / 10)
            trainer.run()
        rescomp.train(graphs[1], self.data, events=self.folder / 'curves', **options)
        np.testing.assert_array_equal(graphs[0].weight('conv1.weight'), tiny().weight('conv1.weight'))
        np.testing.assert_array_equal(graphs[0].weight('fc.weight'), graphs[1].weight('fc.weight'))
        self.assertFalse(np.array_equal(graphs[0].weight('fc.weight'), tiny().weight('fc.weight')))
        self.assertEqual(len(list((self.folder / 'curves').glob('events.out.tfevents.*'))), 1)
        with self.assertRaisesRegex(rescomp.Error, 'matches none of the'):
            rescomp.train(tiny(), self.data, layer_rates={'nothing': 0})

    def test_the_same_seed_gives_the_same_weights(self):
        graphs = [tiny() for _ in range(2)]
        for g in graphs:
            rescomp.train(g, self.data, batch=16, augmentation='flip', seed=5, threads=1)
        np.testing.assert_array_equal(graphs[0].weight('conv1.weight'), graphs[1].weight('conv1.weight'))
        self.assertFalse(np.array_equal(graphs[0].weight('conv1.weight'), tiny().weight('conv1.weight')))

    def test_a_teacher_changes_what_is_learned_and_bn_is_re_estimated(self):
        teacher = tiny(seed=9)
        rescomp.train(teacher, self.data, epochs=2, batch=16)
        alone, taught = tiny(), tiny()
        for g, t in ((alone, None), (taught, rescomp.Distiller(teacher, temperature=2, alpha=0.9))):
            rescomp.train(g, self.data, teacher=t, batch=16, threads=1)
        self.assertFalse(np.array_equal(alone.weight('fc.weight'), taught.weight('fc.weight')))
        hinted = tiny()
        teach = rescomp.Distiller(teacher, loss='dkd+at:weight=10', hints='layer1*relu2*=layer1*relu2*')
        rescomp.train(hinted, self.data, teacher=teach, batch=16, threads=1, augmentation='trivial-augment+mixup')
        self.assertFalse(np.array_equal(hinted.weight('fc.weight'), taught.weight('fc.weight')))
        with self.assertRaisesRegex(rescomp.Error, 'no value of the student is named "nothing"'):
            rescomp.train(tiny(), self.data, batch=16,
                          teacher=rescomp.Distiller(teacher, loss='sp', hints=['nothing=layer1*']))
        before = taught.weight('bn1.running_mean')
        rescomp.reestimate_bn(taught, self.data, images=64, batch=32)
        self.assertFalse(np.array_equal(before, taught.weight('bn1.running_mean')))

    def test_an_exception_in_progress_stops_the_run_at_that_step(self):
        steps = []

        def progress(p):
            steps.append(p['step'])
            if p['step'] == 3:
                raise ZeroDivisionError('enough')
        with rescomp.Trainer(tiny(), self.data, epochs=50, batch=16, progress=progress) as t:
            self.assertRaisesRegex(ZeroDivisionError, 'enough', t.run)
        self.assertEqual(steps, [1, 2, 3])

    def test_the_contexts_cancel_ends_a_run_and_leaves_a_checkpoint(self):
        asked = []
        c = rescomp.Context(cancel=lambda: len(asked) >= 4)
        data = rescomp.Dataset.from_arrays(*striped(), context=c)
        kept = self.folder / 'c.bin'
        options = dict(epochs=2, batch=16, threads=1)
        g = tiny(context=c)
        self.assertStatus('RC_ERR_CANCELLED', 'cancelled', rescomp.train, g, data, checkpoint=kept,
                          progress=asked.append, **options)
        self.assertTrue(kept.exists())
        asked.clear()
        again, whole = tiny(), tiny()
        rescomp.train(again, self.data, checkpoint=kept, resume=True, **options)
        rescomp.train(whole, self.data, **options)
        np.testing.assert_array_equal(again.weight('fc.weight'), whole.weight('fc.weight'))

    def test_ctrl_c_ends_a_run_as_keyboard_interrupt(self):
        def progress(p):
            steps.append(p['step'])
            if p['step'] == 2:
                os.kill(os.getpid(), signal.SIGINT)
        for _ in range(5):  # wherever Python happens to see the signal
            steps = []
            handler = signal.getsignal(signal.SIGINT)
            with self.assertRaises(KeyboardInterrupt):
                rescomp.train(tiny(), self.data, epochs=50, batch=16, progress=progress)
            self.assertLess(len(steps), 5)
            self.assertIs(signal.getsignal(signal.SIGINT), handler)

    def test_ctrl_c_from_outside_ends_a_program_without_callbacks(self):
        program = self.folder / 'p.py'
        program.write_text('import rescomp, numpy as np\n'
                           'x = np.zeros((64, 3, 8, 8), np.uint8); y = np.arange(64) % 4\n'
                           'd = rescomp.Dataset.from_arrays(x, y)\n'
                           'g = rescomp.Graph.create("resnet8", classes=4, height=8, width=8)\n'
                           'print("ready", flush=True)\n'
                           'try:\n'
                           '    rescomp.train(g, d, epochs=100000, batch=16)\n'
                           'except KeyboardInterrupt:\n'
                           '    print("stopped")\n')
        ran = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(ran.stdout.readline(), 'ready\n')
        time.sleep(0.5)
        ran.send_signal(signal.SIGINT)
        out, err = ran.communicate(timeout=30)
        self.assertEqual((out, err), ('stopped\n', ''))

    def test_options_that_do_not_fit_are_named(self):
        g = tiny()
        self.assertStatus('RC_ERR_ARG', 'sdg', rescomp.train, g, self.data, optimizer='sdg')
        self.assertStatus('RC_ERR_DATA', '', rescomp.train, g, self.data, batch=4096)
        self.assertRaises(rescomp.Error, rescomp.train, rescomp.Graph.create('resnet8'), self.data)
        self.assertRaises(TypeError, rescomp.train, g, self.data, epoch=3)


class Compressing(Folder):
    def setUp(self):
        super().setUp()
        self.data = rescomp.Dataset.from_arrays(*striped())

    def test_pruning_meets_its_target_and_leaves_the_original(self):
        g = tiny()
        with rescomp.Pruner(g, macs=0.6, keep=['conv1']) as p:
            groups = p.groups(members=True)
            self.assertEqual(groups[0]['members'][0]['role'], 'makes')
            self.assertTrue(any(not x['may_cut'] and x['reason'] for x in groups))
            free = next(i for i, x in enumerate(groups) if x['may_cut'])
            self.assertEqual(p.scores(free).shape, (groups[free]['channels'],))
            plan = p.plan()
            self.assertLessEqual(plan['macs_after'], 0.6 * plan['macs_before'])
            small = p.apply()
            self.assertEqual(small.info()['macs'], plan['macs_after'])
            self.assertEqual(p.result['parameters_after'], small.info()['parameters'])
            p.set_kept(free, 1)
            self.assertEqual(p.groups()[free]['kept'], 1)
            self.assertLess(p.apply().info()['macs'], small.info()['macs'])
        self.assertEqual(g.info(), tiny().info())
        self.assertEqual(rescomp.Session(small).run(images(1)).shape, (1, CLASSES))

    def test_costs_and_schedules(self):
        g = rescomp.Graph.create('resnet8', classes=4, seed=1)
        with rescomp.Pruner(g, criterion='l2', schedule='linear:steps=2', allocation='dp', trunk='keep',
                            cost=lambda group, kept: kept * 2.0, cost_keep=0.75) as p:
            p.plan()
            cut = [x for x in p.groups() if x['may_cut']]
            self.assertLessEqual(sum(x['kept'] for x in cut), 0.75 * sum(x['channels'] for x in cut))
        with rescomp.Pruner(g, cost=lambda group, kept: -1.0, cost_keep=0.5) as p:
            self.assertStatus('RC_ERR_DATA', 'the cost callback says -1', p.plan)
        with rescomp.Pruner(g, cost=lambda group, kept: {}[kept], cost_keep=0.5) as p:
            self.assertRaises(KeyError, p.plan)
        self.assertStatus('RC_ERR_ARG', 'cost is NULL', rescomp.Pruner, g, cost_keep=0.5)

    def test_scores_may_come_from_python(self):
        g, asked = tiny(), []

        def last_first(group):
            asked.append((group['index'], group['members'][0]['role']))
            return -np.arange(group['channels'])
        with rescomp.Pruner(g, criterion=last_first, ratio=0.5) as p:
            free = next(i for i, x in enumerate(p.groups()) if x['may_cut'])
            np.testing.assert_array_equal(p.scores(free), -np.arange(p.groups()[free]['channels']))
            self.assertIn((free, 'makes'), asked)
            p.apply()
            self.assertEqual(len(asked), sum(x['may_cut'] for x in p.groups()))
            arrays = {x['name']: np.arange(x['channels']) for x in p.groups()}
        with rescomp.Pruner(g, criterion=arrays, ratio=0.5) as p:
            self.assertEqual(p.scores(free)[1], 1)
        with rescomp.Pruner(g, criterion={}) as p:
            self.assertStatus('RC_ERR_ARG', 'no scores for group', p.plan)
        with rescomp.Pruner(g, criterion=lambda group: [1.0]) as p:
            self.assertStatus('RC_ERR_SHAPE', 'must be', p.plan)
        self.assertRaises(TypeError, rescomp.Pruner, g, criterion=5)

    def test_groups_are_cut_one_by_one_and_replayed(self):
        g, history = tiny(), self.folder / 'history.json'
        with rescomp.Pruner(g, criterion='l2', ratios={'*': 1.0}) as p:
            self.assertEqual(p.plan()['groups_cut'], 0)
            free = next(i for i, x in enumerate(p.groups()) if x['may_cut'])
            p.cut(free, [0, 2])
            p.cut(free, np.array([1]))
            self.assertEqual(p.groups()[free]['kept'], p.groups()[free]['channels'] - 3)
            self.assertStatus('RC_ERR_ARG', 'cut twice', p.cut, free, [2])
            p.save_history(history)
            cut = p.apply()
        with rescomp.Pruner(g, criterion='l2') as p:
            p.replay_history(history)
            self.assertEqual(p.apply().info(), cut.info())
        with rescomp.Pruner(cut) as p:
            self.assertStatus('RC_ERR_ARG', 'another model', p.replay_history, history)
        self.assertStatus('RC_ERR_ARG', 'scope', rescomp.Pruner, g, scope='all')

    def test_pruning_errors_are_named(self):
        g = tiny()
        self.assertStatus('RC_ERR_ARG', 'trunk', rescomp.Pruner, g, trunk='all')
        self.assertStatus('RC_ERR_ARG', 'nothing*', rescomp.Pruner, g, keep='nothing*')
        self.assertStatus('RC_ERR_ARG', 'l9', rescomp.Pruner, g, criterion='l9')
        with rescomp.Pruner(g, macs=0.0001) as p:
            error = self.assertStatus('RC_ERR_GOAL', '', p.plan)
            self.assertIsInstance(error, rescomp.GoalMissed)
            self.assertLess(p.result['macs_after'], p.result['macs_before'])
            self.assertEqual(p.apply().info()['macs'], p.result['macs_after'])

    def test_training_with_simulated_integers(self):
        g = tiny()
        rescomp.train(g, self.data, epochs=3, batch=16, lr=0.05)
        with rescomp.Quantizer(g, weight_bits=4, activation_bits=4, qat='lsq') as q:
            h = q.calibrate(self.data).apply()
            with rescomp.Trainer(h, self.data, quantizer=q, epochs=2, batch=16, lr=0.01) as t:
                self.assertEqual(t.run()['epochs'], 2)
            done = q.finish(h)
        self.assertGreater(rescomp.evaluate(done, self.data)['top1'], 60)
        self.assertIn('QuantizeLinear', {n['op'] for n in done.nodes()})

    def test_quantized_graphs_run_save_and_share_tables(self):
        g = tiny()
        rescomp.train(g, self.data, epochs=3, batch=16, lr=0.05)
        self.assertStatus('RC_ERR_STATE', '', rescomp.Quantizer(g).apply)
        self.assertStatus('RC_ERR_ARG', 'matches no layer', rescomp.Quantizer, g, skip=['nothing'])
        few = rescomp.quantize(g, self.data, images=64, weight_bits=4, activation_bits=6, overrides={'*': 'acts=7'},
                               same_edges=True, rounding='gptq+')
        self.assertIn('"rounding":"gptq+"', few.metadata('rescomp.quantization'))
        self.assertStatus('RC_ERR_ARG', 'rounding', rescomp.Quantizer, g, rounding='up')
        self.assertIn('"activation_bits":6', few.metadata('rescomp.quantization'))
        with rescomp.Quantizer(g, observer='minmax', images=64) as q:
            small = q.calibrate(self.data).apply()
            q.save_table(self.folder / 't.json')
            q.save_table(self.folder / 't.cache', 'tensorrt')
            entries = q.entries()
            self.assertTrue(entries and all(e['scale'] > 0 for e in entries))
            self.assertStatus('RC_ERR_ARG', 'xml', q.save_table, self.folder / 't.xml', 'xml')
        self.assertLess(small.info()['weight_bytes'], g.info()['weight_bytes'] / 3)
        small.save(self.folder / 'q.onnx')
        again = rescomp.Graph.load(self.folder / 'q.onnx')
        np.testing.assert_array_equal(rescomp.Session(again).run(images(1)), rescomp.Session(small).run(images(1)))
        mixed = rescomp.Session(small, precision='mixed').run(images(1))
        np.testing.assert_allclose(mixed, rescomp.Session(small).run(images(1)), atol=0.2)
        self.assertStatus('RC_ERR_ARG', "'f32', 'bf16'", rescomp.train, g, self.data, precision='mixed')
        tops = [rescomp.evaluate(m, self.data, precision='mixed')['top1'] for m in (g, small)]
        self.assertLess(abs(tops[0] - tops[1]), 10)
        loaded = rescomp.Quantizer(g).load_table(self.folder / 't.json')
        self.assertEqual([e['scale'] for e in loaded.entries()], [e['scale'] for e in entries])
        self.assertRaises(rescomp.Error, rescomp.Quantizer(g).load_table, self.folder / 't.json', 'tensorrt')

    def test_the_whole_chain_fits_in_a_few_lines(self):
        original = tiny()
        rescomp.train(original, self.data, epochs=3, batch=16, lr=0.05)
        small = rescomp.prune(original, macs=0.5)
        rescomp.train(small, self.data, teacher=original, epochs=2, batch=16, lr=0.02)
        done = rescomp.quantize(small, self.data, images=64)
        report = rescomp.Report('stripes')
        report.set_fact('seed', 0)
        for name, graph in (('original', original), ('pruned', small), ('quantized', done)):
            report.add_step(name, graph=graph, top1=rescomp.evaluate(graph, self.data)['top1'])
        report.set_layers(original, small)
        report.save(self.folder / 'report')
        self.assertIn('<svg', (self.folder / 'report/report.html').read_text())
        self.assertEqual([s['name'] for s in report.json()['steps']], ['original', 'pruned', 'quantized'])
        self.assertLess(done.info()['weight_bytes'], original.info()['weight_bytes'] / 5)

    def test_a_recipe_runs_and_tells_what_was_gained(self):
        original = tiny()
        rescomp.train(original, self.data, epochs=3, batch=16, lr=0.05)
        calib = rescomp.Dataset.from_arrays(*striped(), split='calib', calib_percent=50)
        steps = [{'step': 'prune', 'macs': 0.7}, {'step': 'train', 'epochs': 1, 'batch': 16, 'augmentation': 'none'},
                 {'step': 'quantize', 'images': 64}]
        stages, report = [], rescomp.Report('recipe')
        small, result = rescomp.compress(original, self.data, calib, recipe=steps, max_drop=90, report=report,
                                         progress=lambda p: stages.append(p['stage']))
        self.assertLessEqual(result['after']['macs'], 0.7 * result['before']['macs'])
        self.assertEqual(result['after']['weight_bytes'], small.info()['weight_bytes'])
        self.assertEqual(result['before']['macs'], original.info()['macs'])
        self.assertTrue(stages and report.json()['steps'])
        with self.assertRaises(rescomp.GoalMissed) as caught:
            rescomp.compress(original, self.data, calib, recipe=steps[2:], max_drop=90, size_ratio=0.01)
        self.assertLess(caught.exception.graph.info()['weight_bytes'], original.info()['weight_bytes'])
        self.assertEqual(caught.exception.result['attempts'], 1)
        self.assertStatus('RC_ERR_FORMAT', 'mac', rescomp.recipe_check, [{'step': 'prune', 'mac': 0.5}])
        rescomp.recipe_check(rescomp.recipe_default())

        def stop(_):
            raise LookupError('no more')
        with self.assertRaisesRegex(LookupError, 'no more'):
            rescomp.compress(original, self.data, calib, recipe=steps, progress=stop)

    def test_methods_are_listed_with_their_parameters(self):
        everything = rescomp.methods()
        self.assertTrue({'optimizer', 'criterion', 'observer', 'rate', 'loss'} <= set(everything))
        sgd = next(m for m in rescomp.methods('optimizer') if m['name'] == 'sgd')
        momentum = next(p for p in sgd['parameters'] if p['name'] == 'momentum')
        self.assertTrue(momentum['min'] <= momentum['default'] <= momentum['max'])
        self.assertEqual(momentum['type'], 'real')
        self.assertStatus('RC_ERR_ARG', 'optimizer', rescomp.methods, 'optimiser')

    def test_the_system_is_described(self):
        info = rescomp.Context(threads=1).system()
        self.assertEqual((info['threads'], info['version']), (1, rescomp.version()))
        self.assertEqual(info['self_test'], 0, info['self_test_message'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
