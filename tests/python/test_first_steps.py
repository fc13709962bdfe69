"""The README's first steps, typed as they stand there: an image in and its label out, a class folder compressed, the
result in ONNX Runtime. Each of the three is at most three commands. usage: test_first_steps.py RESCOMP

The last one is run where onnxruntime and Pillow are in this Python, or in the one that RESCOMP_ORT_PYTHON names."""
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

import numpy as np

RESCOMP = sys.argv.pop(1)
ROOT = pathlib.Path(os.environ['RESCOMP_SOURCE'])
ORT = os.environ.get('RESCOMP_ORT_PYTHON', sys.executable)
CLASSES = ('cat', 'dog', 'owl')


def steps():
    """[[command, ...]] of the three blocks below the heading."""
    section = re.search(r'^## First steps\n(.*?)^## ', (ROOT / 'README.md').read_text(), flags=re.S | re.M)[1]
    return [[line.split('  #')[0].strip() for line in block.splitlines() if line.strip() and not line.startswith('#')]
            for block in re.findall(r'^```sh\n(.*?)^```', section, flags=re.S | re.M)]


def png(pixels):
    def chunk(kind, body):
        return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
    height, width, _ = pixels.shape
    rows = b''.join(b'\0' + row.tobytes() for row in pixels)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


class FirstSteps(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """What a reader has: a trained model, a folder of photographs by class, and a picture."""
        cls.place = tempfile.TemporaryDirectory()
        cls.d = pathlib.Path(cls.place.name)
        rng = np.random.default_rng(0)
        for k, name in enumerate(CLASSES):
            (cls.d / 'photos' / name).mkdir(parents=True)
            for i in range(60):
                pixels = rng.integers(0, 60, (16, 16, 3)).astype(np.uint8)
                pixels[:, 5 * k:5 * k + 5] += 180  # a bright stripe, where tells the class
                (cls.d / 'photos' / name / f'{i}.png').write_bytes(png(pixels))
        shutil.copy(cls.d / 'photos/owl/7.png', cls.d / 'cat.jpg')  # found out by its bytes
        shutil.copytree(ROOT / 'examples', cls.d / 'examples')
        tools = cls.d / 'bin'
        tools.mkdir()
        (tools / 'rescomp').symlink_to(pathlib.Path(RESCOMP).resolve())
        for name, does in (('python3', f'exec {ORT} "$@"'), ('pip', 'exit 0')):  # its packages are there, or it is skipped
            (tools / name).write_text(f'#!/bin/sh\n{does}\n')
            (tools / name).chmod(0o755)
        cls.env = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}", OMP_NUM_THREADS='1')
        cls.run_command('rescomp train resnet8 --init fresh --classes 3 --input 3,16,16 --data folder:photos --resize 16 '
                        '--crop 16 --batch 16 --epochs 8 --lr 0.02 -o model.onnx -q')

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    @classmethod
    def run_command(cls, command):
        done = subprocess.run(command, shell=True, cwd=cls.d, env=cls.env, capture_output=True, text=True, timeout=250)
        if done.returncode:
            raise AssertionError(f'{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}')
        return done.stdout

    def test_first_steps(self):
        blocks = steps()
        self.assertEqual(len(blocks), 3)
        self.assertTrue(all(1 <= len(block) <= 3 for block in blocks), blocks)
        image, folder, deploy = blocks

        said = [self.run_command(command) for command in image][-1]
        self.assertRegex(said, r'cat\.jpg\n +\d+\.\d+ %  owl\n')

        for command in folder:
            self.run_command(command)
        before, after = ((self.d / name).stat().st_size for name in ('model.onnx', 'small.onnx'))
        self.assertLess(after, before / 2)
        self.assertTrue((self.d / 'report/report.html').exists())
        ours = re.findall(r'(\d+\.\d+) %  (\w+)', self.run_command('rescomp run small.onnx --image cat.jpg'))
        self.assertEqual(ours[0][1], 'owl')

        if subprocess.run([ORT, '-c', 'import onnxruntime, PIL'], capture_output=True).returncode:
            print('no onnxruntime or Pillow: its step is not tried')
            return
        theirs = [re.findall(r'(\d+\.\d+) %  (\w+)', self.run_command(command)) for command in deploy][-1]
        self.assertEqual([name for _, name in theirs], [name for _, name in ours])
        self.assertLess(abs(float(theirs[0][0]) - float(ours[0][0])), 2)  # percent: integers round at other places


if __name__ == '__main__':
    unittest.main(verbosity=2)
