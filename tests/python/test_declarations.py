"""The bindings declare what the headers declare: every function, every struct member in its order and type.

Parses include/rescomp/*.h; where a C compiler is at hand, compares sizeof and offsetof as well."""
import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from rescomp import _ffi

SOURCE = pathlib.Path(os.environ.get('RESCOMP_SOURCE', pathlib.Path(__file__).resolve().parents[2]))
HEADERS = sorted((SOURCE / 'include/rescomp').glob('*.h'))
CODE = re.sub(r'/\*.*?\*/', '', '\n'.join(h.read_text() for h in HEADERS), flags=re.S)


def split(declaration):
    """'const char *const *keep' -> ('char', 2, 'keep', None); the last: length of a member array."""
    words = re.sub(r'\bconst\b', ' ', declaration)
    base, stars, name, length = re.fullmatch(r'\s*(\w+)([\s*]*?)\s*(\w+)(?:\[(\d+)\])?\s*', words).groups()
    return base, stars.count('*'), name, length and int(length)


def functions():
    """{name: (returned type, [parameter declarations])}"""
    found = {}
    for returned, name, parameters in re.findall(r'RC_API\s+([\w\s*]+?)(rc_\w+)\(([^;]*?)\);', CODE):
        found[name] = (' '.join(returned.split()), [p for p in parameters.split(',') if p.strip() != 'void'])
    return found


def structs():
    """{name: [declaration]}, public structs with their members in order."""
    found = {}
    for body, name in re.findall(r'typedef struct rc_\w+ \{(.*?)\}\s*(rc_\w+);', CODE, flags=re.S):
        found[name] = [line for line in body.split(';') if line.strip()]
    return found


def struct_class(name):
    return getattr(_ffi, ''.join(part.capitalize() for part in name.split('_')[1:]), None)


def allowed(base, stars):
    """The ctypes types that may stand for a C type."""
    plain = {'size_t': [ctypes.c_size_t], 'uint64_t': [_ffi.U], 'int64_t': [_ffi.I],
             'int32_t': [ctypes.c_int32], 'uint32_t': [ctypes.c_uint32], 'double': [_ffi.D], 'float': [ctypes.c_float],
             'void': [], 'char': []}
    pointer = ctypes.POINTER
    if base.endswith('_fn'):
        return [_ffi.P] + [v for v in vars(_ffi).values() if isinstance(v, type) and issubclass(v, ctypes._CFuncPtr)]
    struct = struct_class(base)
    if struct:
        return [pointer(struct)] if stars else [struct]
    if stars == 0:
        return plain[base]
    if stars == 1:
        return [_ffi.S] if base == 'char' else [_ffi.P] + [pointer(t) for t in plain.get(base, [])]
    return [pointer(_ffi.S)] if base == 'char' else [pointer(_ffi.P)] + [pointer(pointer(t)) for t in plain.get(base, [])]


class Declarations(unittest.TestCase):
    def test_every_public_function_is_declared_or_left_out_for_a_reason(self):
        extra = {'rc_last_error', 'rc_status_name', 'rc_version_string'}  # declared before all others
        declared = set(_ffi._FUNCTIONS) | extra
        public = set(functions())
        self.assertGreater(len(public), 60)
        self.assertEqual(public - declared - set(_ffi.ABSENT), set(), 'missing in _ffi.py')
        self.assertEqual(declared - public, set(), 'not public')
        self.assertEqual(declared & set(_ffi.ABSENT), set(), 'declared and left out')
        self.assertTrue(all(_ffi.ABSENT.values()))

    def test_functions_take_and_return_what_the_headers_say(self):
        public = functions()
        returns = {'rc_status': _ffi.STATUS, 'void': None, 'uint64_t': ctypes.c_uint64, 'uint32_t': ctypes.c_uint32,
                   'const char *': ctypes.c_char_p}
        for name, (returned, arguments) in _ffi._FUNCTIONS.items():
            with self.subTest(name):
                self.assertEqual(returned, returns[public[name][0]])
                self.assertEqual(len(arguments), len(public[name][1]))
                for argument, parameter in zip(arguments, public[name][1]):
                    base, stars, _, length = split(parameter)
                    self.assertIn(argument, allowed(base, stars + bool(length)), parameter)

    def test_struct_members_have_the_order_and_types_of_the_headers(self):
        public = structs()
        self.assertGreater(len(public), 25)
        for name, declarations in public.items():
            with self.subTest(name):
                mine = struct_class(name)
                self.assertIsNotNone(mine, f'no Struct for {name}')
                members = [split(d) for d in declarations]
                self.assertEqual([m[0] for m in mine._fields_], [m[2] for m in members])
                for (member, kind), (base, stars, _, length) in zip(mine._fields_, members):
                    if length:
                        self.assertEqual(kind._length_, length, member)
                        kind = kind._type_
                    self.assertIn(kind, allowed(base, stars), member)

    def test_sizes_and_offsets_agree_with_the_c_compiler(self):
        compiler = shutil.which(os.environ.get('CC', 'cc'))
        if not compiler:
            self.skipTest('no C compiler')
        lines = ['#include <rescomp/rescomp.h>', '#include <stdio.h>', 'int main(void)', '{']
        expected = []
        for name, members in structs().items():
            mine = struct_class(name)
            lines.append(f'printf("%zu\\n", sizeof({name}));')
            expected.append(ctypes.sizeof(mine))
            for member in (split(d)[2] for d in members):
                lines.append(f'printf("%zu\\n", offsetof({name}, {member}));')
                expected.append(getattr(mine, member).offset)
        with tempfile.TemporaryDirectory() as folder:
            source, program = pathlib.Path(folder) / 'sizes.c', pathlib.Path(folder) / 'sizes'
            source.write_text('\n'.join(lines + ['return 0;', '}', '']))
            subprocess.run([compiler, '-I', str(SOURCE / 'include'), str(source), '-o', str(program)], check=True)
            printed = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout
        self.assertEqual([int(n) for n in printed.split()], expected)

    def test_statuses_have_the_numbers_of_the_header(self):
        numbers = {name: int(value) for name, value in re.findall(r'(RC_ERR_\w+) = (-\d+)', CODE)}
        for name in ('ARG', 'SHAPE', 'STATE', 'GOAL'):
            self.assertEqual(getattr(_ffi, name), numbers['RC_ERR_' + name])
        for status in _ffi._CLASSES:
            self.assertIn(status, numbers.values())
            self.assertEqual(_ffi.status_name(status), {v: k for k, v in numbers.items()}[status])

    def test_only_one_file_knows_ctypes(self):
        for file in sorted((SOURCE / 'bindings/python/rescomp').glob('*.py')):
            if file.name != '_ffi.py':
                self.assertIsNone(re.search('import ctypes|from ctypes', file.read_text()), file.name)


if __name__ == '__main__':
    unittest.main(verbosity=2)
