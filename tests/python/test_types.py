"""The package and a program that uses it satisfy mypy --strict, and a wrong use does not.

Skipped (77) without mypy: `mypy` on PATH, in this Python, or the program that RESCOMP_MYPY names."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get('RESCOMP_SOURCE', pathlib.Path(__file__).resolve().parents[2]), 'bindings/python')
MYPY = os.environ.get('RESCOMP_MYPY') or shutil.which('mypy')
PROGRAM = '''
import numpy as np

import rescomp
import rescomp.__main__

graph = rescomp.Graph.load("model.onnx", input_shape=(None, 3, 224, 224))
weights: dict[str, rescomp.Weight] = graph.weights()
shape: tuple[int, ...] = weights["conv1.weight"].shape
with rescomp.Pruner(graph, macs=0.5, criterion=lambda group: np.ones(int(group["channels"]))) as pruner:
    gain: dict[str, int] = pruner.plan()
    smaller: rescomp.Graph = pruner.apply()
images, labels = rescomp.Dataset.open("folder:images").read(0, 4)
logits = rescomp.Session(smaller, batch=4).run(images)
total: float = float(images.sum()) + float(labels.sum())
'''


def mypy(folder, *arguments):
    env = dict(os.environ, MYPYPATH=str(SOURCE), MYPY_CACHE_DIR=f'{folder}/cache')
    return subprocess.run([MYPY, '--strict', *arguments], cwd=folder, env=env, capture_output=True, text=True)


class Types(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = pathlib.Path(place.name)

    def test_package_program_and_wrong_use(self):
        (self.folder / 'right.py').write_text(PROGRAM)
        (self.folder / 'wrong.py').write_text('import rescomp\nrescomp.Pruner(rescomp.Graph.create("resnet8"), macs="half")\n'
                                              'x: str = rescomp.Graph.create("resnet8").info()\n')
        # one run: reading NumPy's own types takes most of it; errors of the imported package are told too
        lines = mypy(self.folder, 'right.py', 'wrong.py').stdout.splitlines()
        errors = [line for line in lines if ': error:' in line]
        self.assertEqual(len(errors), 2, '\n'.join(lines))
        self.assertRegex(errors[0], '^wrong.py:2: error: Argument "macs"')
        self.assertRegex(errors[1], '^wrong.py:3: error: Incompatible types in assignment')
        self.assertTrue((SOURCE / 'rescomp/py.typed').exists())


if __name__ == '__main__':
    if not MYPY:
        print('skipped: no mypy')
        sys.exit(77)
    unittest.main(verbosity=2)
