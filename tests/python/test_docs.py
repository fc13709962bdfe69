"""What the documents show is real: C programs compile, Python names exist, links lead somewhere.

Programs are fenced blocks: ```c with a main(), ```python anywhere."""
import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import rescomp

SOURCE = pathlib.Path(os.environ.get('RESCOMP_SOURCE', pathlib.Path(__file__).resolve().parents[2]))
PAGES = [SOURCE / 'README.md', *sorted((SOURCE / 'docs').rglob('*.md'))]


def blocks(language):
    for page in PAGES:
        for block in re.findall(rf'^```{language}\n(.*?)^```', page.read_text(), flags=re.S | re.M):
            yield page.relative_to(SOURCE), block


class Documents(unittest.TestCase):
    def test_c_programs_compile_without_warnings(self):
        compiler = shutil.which(os.environ.get('CC', 'cc'))
        if not compiler:
            self.skipTest('no C compiler')
        programs = [(page, block) for page, block in blocks('c') if 'int main' in block]
        self.assertTrue(programs)
        for page, block in programs:
            with self.subTest(page), tempfile.TemporaryDirectory() as folder:
                source = pathlib.Path(folder) / 'program.c'
                source.write_text(block)
                ran = subprocess.run([compiler, '-std=c11', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-I',
                                      str(SOURCE / 'include'), str(source)], capture_output=True, text=True)
                self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_python_examples_use_names_and_options_that_exist(self):
        found = list(blocks('python'))
        self.assertTrue(found)
        for page, block in found:
            with self.subTest(page):
                for node in ast.walk(ast.parse(block)):
                    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == 'rescomp':
                        self.assertTrue(hasattr(rescomp, node.attr), f'rescomp.{node.attr}')

    def test_links_that_lead_nowhere_are_found(self):
        sys.path.insert(0, str(SOURCE / 'tests/lint'))
        import links
        with tempfile.TemporaryDirectory() as d:
            a, b = pathlib.Path(d, 'a.md'), pathlib.Path(d, 'b.md')
            a.write_text('# A b\n## A b\n[x](b.md#no) [y](none.md) [z](#a-b-1) [w](http://x.y) `[c](d.md)`\n'
                         '```\n[q](q.md)\n```\n[r]: gone.md\n')
            b.write_text('# It is `so`\n[a](a.md#a-b) [b](#it-is-so) <i id="here"></i> [c](#here)')
            found, count = links.check(pathlib.Path(d))
        self.assertEqual(count, 8)
        self.assertEqual([(str(p), n, said.split(':')[0]) for p, n, said in found],
                         [('a.md', 3, 'b.md#no'), ('a.md', 3, 'none.md'), ('a.md', 3, 'http'), ('a.md', 7, 'gone.md')])

    def test_links_between_pages_lead_somewhere(self):
        for page in PAGES:
            for target in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', page.read_text()):
                self.assertTrue((page.parent / target).exists(), f'{page.relative_to(SOURCE)}: {target}')


if __name__ == '__main__':
    unittest.main(verbosity=2)
