"""The benchmark reads the names of cells, judges ratios, and runs a cell with only this library.
usage: test_bench.py [RESCOMP]"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'tests/bench'
RESCOMP = sys.argv.pop(1) if len(sys.argv) > 1 else None
sys.path.insert(0, str(FOLDER))

import bench  # noqa: E402
import cells  # noqa: E402


class Cells(unittest.TestCase):
    def test_names_are_read(self):
        self.assertEqual(cells.parse('resnet20:int8-avx2:b128:t2'),
                         {'name': 'resnet20:int8-avx2:b128:t2', 'net': 'resnet20', 'type': 'int8-avx2', 'batch': 128,
                          'threads': 2, 'size': 32})
        names = cells.all_cells()
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertEqual(cells.parse(name)['name'], name)

    def test_bad_names_are_refused_with_what_is_allowed(self):
        for name, said in (('resnet20', 'NET:TYPE'), ('resnet21:f32:b1:t1', 'resnet20'), ('resnet20:f16:b1:t1', 'int8'),
                           ('resnet20:f32:b0:t1', '1 to 1024'), ('resnet20:f32:b1:t2x', 'NET:TYPE')):
            with self.assertRaisesRegex(cells.BadCell, said):
                cells.parse(name)

    def test_ratio_is_with_the_fastest_that_counts(self):
        cell = cells.parse('resnet50:f32:b1:t1')
        rows = [{'engine': 'rescomp', 'median_ms': 9.0, 'counts': False},
                {'engine': 'a', 'median_ms': 12.0, 'counts': True}, {'engine': 'b', 'median_ms': 10.0, 'counts': True},
                {'engine': 'wrong', 'median_ms': 1.0, 'counts': False}]
        r = {'rows': rows}
        bench.Bench.judge(cell, r)
        self.assertEqual((r['best'], r['ratio'], r['must'], r['met']), ('b', 0.9, 0.97, True))
        rows[0]['median_ms'] = 9.9
        bench.Bench.judge(cell, r)
        self.assertFalse(r['met'])

    def test_percentile_is_nearest_rank(self):
        self.assertEqual(bench.percentile(range(1, 11), 90), 9)
        self.assertEqual(bench.percentile([5], 90), 5)


@unittest.skipUnless(RESCOMP, 'the command line is not built')
class Run(unittest.TestCase):
    def bench(self, *args):
        command = [sys.executable, str(FOLDER / 'bench.py'), '--venv', 'none', '--peers', '', '--rescomp', RESCOMP,
                   '--library', os.environ['RESNETCOMPRESS_LIBRARY'], '--runs', '3', '--seconds', '1', *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=250)

    def test_cells_with_only_this_library(self):
        with tempfile.TemporaryDirectory() as d:
            out = pathlib.Path(d, 'r.json')
            names = ['resnet20:f32:b1:t1', 'resnet20:int8:b1:t1', 'resnet20:prune:b1:t1', 'resnet20:load:b1:t1',
                     'resnet20:sessions:b1:t2']
            r = self.bench('--json', str(out), *(x for n in names for x in ('--cell', n)))
            self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
            results = {x['cell']: x for x in json.loads(out.read_text())['results']}
        self.assertEqual(list(results), names)
        for name, x in results.items():
            self.assertEqual(x['failures'], [])
            self.assertGreaterEqual(x['rows'][0]['runs'], 3)
            self.assertGreaterEqual(x['rows'][0]['p90_ms'], x['rows'][0]['median_ms'])
        first = results[names[0]]
        self.assertEqual(first['rows'][0]['reference'], 'rescomp-plain')
        self.assertLess(first['rows'][0]['error'], 1e-4)
        self.assertEqual(first['left_out']['ncnn'], 'not asked for')
        self.assertEqual(results[names[2]]['best'], 'unpruned')
        self.assertGreater(results[names[3]]['rows'][0]['peak_bytes'], 0)
        self.assertIn('| resnet20:prune:b1:t1 |', r.stdout)

    def test_training_and_a_wrong_cell(self):
        r = self.bench('--cell', 'resnet20:train:b2:t1')
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        self.assertIn('loss ', r.stdout)
        r = self.bench('--cell', 'resnet20:f16:b1:t1')
        self.assertEqual(r.returncode, 2)
        self.assertIn('f16', r.stderr)


if __name__ == '__main__':
    unittest.main()
