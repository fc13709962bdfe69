"""clang-tidy with the checks of .clang-tidy over every file of lib/.
usage: tidy.py SOURCE BUILD [--analyze]     --analyze: clang's path-sensitive checks instead (minutes)"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

source, build = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
ANALYZE = ['--checks=-*,clang-analyzer-core.*,clang-analyzer-deadcode.*,clang-analyzer-unix.*']
CHUNK = 8  # files per process
# what clang says of attributes that only GCC has is no finding
CLANG = ['--extra-arg=-Wno-ignored-attributes', '--extra-arg=-Wno-unknown-attributes']

tidy = shutil.which('clang-tidy')
if not tidy:
    print('skipped: clang-tidy is not installed')
    sys.exit(77)
commands = json.loads((build / 'compile_commands.json').read_text())
files = sorted({str((pathlib.Path(c['directory']) / c['file']).resolve()) for c in commands
                if (pathlib.Path(c['directory']) / c['file']).resolve().is_relative_to(source / 'lib')})
chunks = [files[i:i + CHUNK] for i in range(0, len(files), CHUNK)]


def run(chunk):
    more = ANALYZE if '--analyze' in sys.argv else []
    done = subprocess.run([tidy, '-p', str(build), '--quiet', *CLANG, *more, *chunk], cwd=source,
                          capture_output=True, text=True)
    return done.returncode, done.stdout


with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
    results = list(pool.map(run, chunks))
print('\n'.join(text for code, text in results if code) or f'tidy: ok, {len(files)} files')
sys.exit(any(code for code, _ in results) or len(files) < 100)
