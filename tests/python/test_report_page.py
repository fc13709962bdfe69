"""The report's page in a real browser: sorting, filtering, hints, keys, colours, chosen points, two reports
compared; and that nothing of it asks for the network. Clicks and keys go through WebDriver.

Skipped (77) without Chromium and its driver (Debian: chromium, chromium-driver)."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import rescomp

DRIVER, BROWSER = shutil.which('chromedriver'), shutil.which('chromium') or shutil.which('google-chrome')
ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'  # of the WebDriver standard
ENTER, RIGHT, END, ESCAPE = '\ue007', '\ue014', '\ue010', '\ue00c'


class Browser:
    """As much of WebDriver as the tests need, without a package for it."""

    def __init__(self, folder):
        self.log = open(f'{folder}/driver.log', 'w')
        self.driver = subprocess.Popen([DRIVER, '--port=0'], stdout=subprocess.PIPE, stderr=self.log, text=True)
        port = None
        for line in self.driver.stdout:
            if 'successfully on port' in line:
                port = int(line.split('port')[1].strip(' .\n'))
                break
        self.base = f'http://127.0.0.1:{port}'
        arguments = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                     '--window-size=1000,900', f'--user-data-dir={folder}/profile']
        made = self.call('POST', '/session', {'capabilities': {'alwaysMatch': {
            'goog:chromeOptions': {'args': arguments, 'binary': BROWSER}, 'goog:loggingPrefs': {'browser': 'ALL'}}}})
        self.session = f"/session/{made['sessionId']}"

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method, headers={'Content-Type': 'application/json'},
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read())['value']
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def post(self, path, **body):
        return self.call('POST', self.session + path, body)

    def run(self, script, *args):
        return self.post('/execute/sync', script=script, args=list(args))

    def find(self, selector):
        return self.post('/element', using='css selector', value=selector)[ELEMENT]

    def click(self, selector):
        self.post(f'/element/{self.find(selector)}/click')

    def keys(self, text, selector=None):
        """Into an element, or to what has the focus."""
        if selector:
            self.post(f'/element/{self.find(selector)}/value', text=text)
        else:
            downs = [a for c in text for a in ({'type': 'keyDown', 'value': c}, {'type': 'keyUp', 'value': c})]
            self.post('/actions', actions=[{'type': 'key', 'id': 'keyboard', 'actions': downs}])

    def hover(self, selector):
        self.post('/actions', actions=[{'type': 'pointer', 'id': 'mouse', 'actions': [
            {'type': 'pointerMove', 'duration': 0, 'x': 0, 'y': 0, 'origin': {ELEMENT: self.find(selector)}}]}])

    def open(self, file):
        self.post('/url', url=pathlib.Path(file).as_uri())
        self.post('/timeouts', script=60000)
        for _ in range(100):
            if self.run('return document.documentElement.dataset.ready') == 'yes':
                return
            time.sleep(0.1)
        raise AssertionError(f'the page did not get ready: {self.complaints()}')

    def complaints(self):
        return self.call('POST', self.session + '/se/log', {'type': 'browser'})

    def close(self):
        try:
            self.call('DELETE', self.session)
        finally:
            self.driver.terminate()
            self.driver.wait(30)
            self.driver.stdout.close()
            self.log.close()


def report(title, cut, top1):
    """A run that pruned ResNet-8 to `cut` of its multiply-adds."""
    graph = rescomp.Graph.create('resnet8')
    smaller = rescomp.prune(graph, macs=cut)
    r = rescomp.Report(title)
    r.set_fact('processor', 'one <of> them')
    r.set_fact('cut', cut)
    r.add_step('original', graph=graph, top1=86.1, median_ms=0.41, file_bytes=320000)
    r.add_step('pruned', graph=smaller, top1=top1, median_ms=0.41 * cut, file_bytes=150000)
    r.add_step('4 bits', graph=smaller, top1=60.5, median_ms=0.1, kept=False, note='lost too much')
    r.set_layers(graph, smaller)
    return r


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.place.name)
        a, b = report('Run <one>', 0.5, 85.25), report('Run two', 0.7, 86.0)
        a.save(folder / 'a')
        b.save(folder / 'b')
        rescomp.Report.compare(a, rescomp.Report.load(folder / 'b')).save(folder / 'both')
        cls.folder, cls.browser = folder, Browser(folder)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.place.cleanup()

    def setUp(self):
        self.browser.open(self.folder / 'a/report.html')

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])
        asked = self.browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
        self.assertEqual(asked, [], 'the page asks for other files')

    def column(self, table, n):
        return self.browser.run('return Array.from(document.querySelectorAll(arguments[0] + " tbody tr"))'
                                '.filter((r) => !r.hidden).map((r) => r.cells[arguments[1]].dataset.v'
                                ' || r.cells[arguments[1]].textContent)', table, n)

    def test_a_heading_sorts_its_column_both_ways(self):
        heading = 'table.layers th:nth-child(5)'
        self.browser.click(heading + ' button')
        up = [float(v) for v in self.column('table.layers', 4)]
        self.assertEqual(up, sorted(up))
        self.assertGreater(len(up), 5)
        self.browser.keys(ENTER, heading + ' button')  # by the keyboard
        self.assertEqual([float(v) for v in self.column('table.layers', 4)], up[::-1])
        self.assertEqual(self.browser.run('return document.querySelector(arguments[0]).getAttribute("aria-sort")',
                                          heading), 'descending')
        self.browser.click('table.layers th:nth-child(1) button')
        names = self.column('table.layers', 0)
        self.assertEqual(len(set(names)), len(names))
        self.assertEqual(self.browser.run('return document.querySelectorAll("table.layers [aria-sort]").length'), 1)

    def test_words_choose_rows(self):
        whole = len(self.column('table.layers', 0))
        self.browser.keys('gemm', '.find input')
        self.assertEqual(self.column('table.layers', 1), ['Gemm'])
        self.assertEqual(self.browser.run('return document.querySelector(".find [role=status]").textContent'),
                         f'1 of {whole} rows')
        self.browser.keys(' nothing', '.find input')
        self.assertEqual(self.column('table.layers', 0), [])

    def test_items_of_pictures_tell_their_values(self):
        tip = 'const t = document.querySelector(".tip"); return t.hidden ? "" : t.textContent'
        self.assertEqual(self.browser.run(tip), '')
        self.browser.hover('circle[data-step="1"]')
        self.assertIn('pruned: 85.25 %', self.browser.run(tip))
        self.browser.run('document.querySelector("svg g.row").scrollIntoView({block: "center"})')
        self.browser.hover('svg g.row rect.before')
        self.assertRegex(self.browser.run(tip), r': 16 → \d+$')
        self.browser.keys(ESCAPE)
        self.assertEqual(self.browser.run(tip), '')

    def test_keys_reach_and_choose_points(self):
        b, at = self.browser, 'return document.activeElement.dataset.step || null'
        b.run('document.querySelector("figure.points circle").focus()')
        self.assertEqual(b.run(at), '0')
        b.keys(ENTER + RIGHT + ENTER)
        self.assertEqual(b.run(at), '1')
        b.keys(END + RIGHT)
        self.assertEqual(b.run(at), '2')
        rows = b.run('return Array.from(document.querySelectorAll(".chosen-points")[0].querySelectorAll("tbody tr"))'
                     '.map((r) => r.textContent)')
        self.assertEqual(len(rows), 2)
        self.assertTrue(rows[0].startswith('original86.10 %'), rows)
        self.assertIn('(-0.85 points)', rows[1])
        self.assertIn('(0.50 of it)', rows[1])
        self.assertEqual(b.run('return Array.from(document.querySelectorAll("[aria-pressed=true]"))'
                               '.map((e) => e.dataset.step)'), ['0', '1', '0', '1'])  # in both pictures
        b.click('circle[data-step="0"]')  # let go of again
        self.assertEqual(b.run('return document.querySelectorAll("tr.chosen").length'), 1)

    def test_what_a_screen_reader_is_told(self):
        nameless = self.browser.run(
            'return Array.from(document.querySelectorAll("svg [tabindex], svg, button, input")).filter((e) =>'
            ' !(e.getAttribute("aria-label") || e.textContent || (e.labels && e.labels[0].textContent)))'
            '.map((e) => e.outerHTML)')
        self.assertEqual(nameless, [])
        stops = self.browser.run('return Array.from(document.querySelectorAll("svg")).map((s) =>'
                                 ' s.querySelectorAll("[tabindex=\\"0\\"]").length)')
        self.assertGreaterEqual(len(stops), 3)
        self.assertEqual(set(stops), {1})  # every picture is one stop of the Tab key
        self.assertEqual(self.browser.run('return document.querySelectorAll("th:not([scope])").length'), 0)
        self.assertEqual(self.browser.run('return document.documentElement.lang'), 'en')

    def test_colours_are_chosen_and_kept(self):
        b, paper = self.browser, 'return getComputedStyle(document.body).backgroundColor'
        b.run('localStorage.clear()')
        b.open(self.folder / 'a/report.html')
        light = b.run(paper)
        b.click('#colours')
        self.assertEqual((b.run('return document.documentElement.dataset.theme'), b.run(paper)), ('light', light))
        b.click('#colours')
        dark = b.run(paper)
        self.assertEqual((light, dark), ('rgb(255, 255, 255)', 'rgb(20, 24, 30)'))
        b.open(self.folder / 'a/report.html')
        self.assertEqual(b.run(paper), dark)
        b.click('#colours')
        self.assertEqual(b.run(paper), light)

    def test_two_reports_stand_side_by_side(self):
        b = self.browser
        b.open(self.folder / 'both/report.html')
        text = b.run('return document.body.innerText')
        self.assertIn('Run <one> against Run two', text)
        self.assertIn('A: 0.5; B: 0.7', text)
        self.assertIn('A and B', text)
        self.assertIn('+0.75 points', text)
        self.assertEqual(self.column('table.steps', 1)[:4], ['A: original', 'A: pruned', 'A: 4 bits', 'B: original'])
        b.click('table.layers th:nth-child(4) button')
        self.assertEqual(len(self.column('table.layers', 0)), len(set(self.column('table.layers', 0))))

    def test_it_fits_a_phone(self):
        self.browser.post('/window/rect', width=400, height=800)
        try:
            self.browser.open(self.folder / 'a/report.html')
            wide = self.browser.run('return [document.documentElement.scrollWidth, innerWidth]')
            self.assertLessEqual(wide[0], wide[1])
            if os.environ.get('RESCOMP_SCREENSHOTS'):  # a folder, to look at them
                for name in ('a', 'both'):
                    self.browser.open(self.folder / name / 'report.html')
                    for width in (400, 1000):
                        self.browser.post('/window/rect', width=width, height=1400)
                        shot = base64.b64decode(self.browser.call('GET', self.browser.session + '/screenshot'))
                        pathlib.Path(os.environ['RESCOMP_SCREENSHOTS'], f'{name}-{width}.png').write_bytes(shot)
        finally:
            self.browser.post('/window/rect', width=1000, height=900)


if __name__ == '__main__':
    if not (DRIVER and BROWSER):
        print('skipped: no Chromium with its driver')
        sys.exit(77)
    unittest.main(verbosity=2)
