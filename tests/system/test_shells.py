"""What rescomp completion and rescomp manual print, used as shells and man use it. usage: test_shells.py RESCOMP
Shells and linters that are not installed are skipped by name."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

RESCOMP = sys.argv.pop(1)


def rescomp(*args):
    r = subprocess.run([RESCOMP, *args], capture_output=True, text=True)
    assert r.returncode == 0 and not r.stderr, r
    return r.stdout


def verbs():
    return [line.split()[0] for line in rescomp('--help').splitlines() if line.startswith('  ')]


def bash(*words):
    """What bash offers behind these words; the last one is being typed."""
    script = f'''source <({RESCOMP} completion bash)
compopt() {{ :; }}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rescomp; printf '%s\\n' "${{COMPREPLY[@]}}"'''
    r = subprocess.run(['bash', '-c', script, 'bash', 'rescomp', *words], capture_output=True, text=True)
    assert not r.stderr, r.stderr
    return r.stdout.split()


def fish(line):
    folder = tempfile.mkdtemp()
    try:
        path = pathlib.Path(folder, 'c.fish')
        path.write_text(rescomp('completion', 'fish'))
        r = subprocess.run(['fish', '--no-config', '-c', f'source {path}; complete -C "{line}"'],
                           capture_output=True, text=True, env=dict(os.environ, HOME=folder))
    finally:
        shutil.rmtree(folder)
    assert not r.stderr, r.stderr
    return [x.split('\t')[0] for x in r.stdout.splitlines()]


class Shells(unittest.TestCase):
    @unittest.skipUnless(shutil.which('bash'), 'no bash')
    def test_bash_offers_verbs_options_methods_and_files(self):
        self.assertEqual(bash('pru'), ['prune'])
        self.assertEqual(set(bash('')), {*verbs(), '--help', '--version'})
        self.assertEqual(bash('prune', '--criterio'), ['--criterion'])
        self.assertIn('block-obs', bash('prune', 'm.onnx', '--criterion', 'b'))
        self.assertEqual(bash('train', 'm.onnx', '--rate', 'cos'), ['cosine'])
        self.assertEqual(bash('eval', '--split', '=', 'te'), ['test'])
        self.assertIn('cifar10:', bash('eval', 'm.onnx', '--data', ''))
        self.assertEqual(bash('create', 'resnet11'), ['resnet110'])
        self.assertIn('criterion', bash('methods', ''))
        with tempfile.TemporaryDirectory() as d:
            pathlib.Path(d, 'model.onnx').touch()
            pathlib.Path(d, 'images').mkdir()
            self.assertEqual(bash('inspect', f'{d}/mo'), [f'{d}/model.onnx'])
            self.assertEqual(bash('eval', '--data', 'folder', ':', f'{d}/im'), [f'{d}/images'])
            self.assertEqual(bash('compress', '--report', f'{d}/'), [f'{d}/images'])

    @unittest.skipUnless(shutil.which('zsh'), 'no zsh')
    def test_zsh_reads_its_script_and_names_every_verb_and_option(self):
        text = rescomp('completion', 'zsh')
        subprocess.run(['zsh', '-n'], input=text, text=True, check=True)
        script = 'compdef() { :; }; source /dev/stdin; whence -w _rescomp _rescomp_data'
        r = subprocess.run(['zsh', '-fc', script], input=text, capture_output=True, text=True)
        self.assertEqual((r.stdout, r.stderr), ('_rescomp: function\n_rescomp_data: function\n', ''))
        for verb in verbs():
            self.assertIn(f"        '{verb}:", text)
        self.assertIn("'*--criterion=[", text)

    @unittest.skipUnless(shutil.which('fish'), 'no fish')
    def test_fish_offers_verbs_options_and_methods(self):
        self.assertEqual(set(fish('rescomp ')), set(verbs()))
        self.assertIn('--criterion', fish('rescomp prune --crit'))
        self.assertIn('taylor', fish('rescomp prune m.onnx --criterion ta'))
        self.assertIn('cifar100:', fish('rescomp eval m.onnx --data cif'))

    def test_every_verb_has_a_page_that_names_its_options(self):
        for verb in verbs():
            page = rescomp('manual', verb)
            text = page.replace('\\-', '-')
            self.assertIn(f'.TH RESCOMP-{verb.upper()} 1', text)
            for line in rescomp(verb, '--help').splitlines():
                if line.startswith('  -'):
                    self.assertIn('\\fB' + line.split()[0] + '\\fR', text)
            self.assertIn(f'\\fBrescomp-{verb}\\fR(1)', rescomp('manual').replace('\\-', '-'))

    @unittest.skipUnless(shutil.which('mandoc'), 'no mandoc')
    def test_pages_pass_mandocs_lint(self):
        for verb in ['', *verbs()]:
            page = rescomp('manual', *[verb][:bool(verb)])
            r = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning'], input=page, capture_output=True, text=True)
            found = [x for x in r.stdout.splitlines() if 'missing date' not in x]  # the same bytes on any day
            self.assertEqual(found, [])

    def test_another_shell_or_verb_is_refused(self):
        for args, word in ((['completion', 'tcsh'], 'tcsh'), (['manual', 'prun'], 'prun')):
            r = subprocess.run([RESCOMP, *args], capture_output=True, text=True)
            self.assertEqual(r.returncode, 2)
            self.assertIn(word, r.stderr)
            self.assertEqual(r.stdout, '')


if __name__ == '__main__':
    unittest.main()
