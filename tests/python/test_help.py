"""What help() shows runs: every public class and function has an example, every method a sentence."""
import doctest
import importlib
import inspect
import pathlib
import pkgutil
import tempfile
import unittest

import numpy as np

import rescomp


def public():
    """(name, object) of what `from rescomp import *` gives."""
    return [(name, getattr(rescomp, name)) for name in rescomp.__all__]


class Help(unittest.TestCase):
    def test_examples_give_what_they_say(self):
        names = [m.name for m in pkgutil.iter_modules(rescomp.__path__) if m.name != '__main__']
        self.assertGreater(len(names), 10)
        ran = 0
        for name in names:
            module = importlib.import_module(f'rescomp.{name}')
            with tempfile.TemporaryDirectory() as folder:
                result = doctest.testmod(module, extraglobs={'rescomp': rescomp, 'np': np, 'folder': pathlib.Path(folder)})
            self.assertEqual(result.failed, 0, name)
            ran += result.attempted
        self.assertGreater(ran, 50)

    def test_every_public_class_and_function_has_an_example(self):
        for name, thing in public():
            if not (inspect.isclass(thing) and issubclass(thing, rescomp.Error) and thing is not rescomp.Error):
                self.assertIn('>>>', thing.__doc__ or '', name)

    def test_every_public_method_says_what_it_does(self):
        for name, thing in public():
            self.assertTrue(thing.__doc__, name)
            for member, value in vars(thing).items() if inspect.isclass(thing) else ():
                if not member.startswith('_') and (callable(value) or isinstance(value, (property, classmethod))):
                    self.assertTrue(inspect.getdoc(getattr(thing, member)), f'{name}.{member}')


if __name__ == '__main__':
    unittest.main(verbosity=2)
