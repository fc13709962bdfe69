"""Loops of multiply-adds in object files: instructions, loads, stores and register moves of each.

    python3 tests/bench/hot_loops.py build/librescomp_core.a.p/lib_kernel_vector_avx2.c.o [FUNCTION]

A loop of products that stores on the stack, or moves between registers, does not keep its sums in
place: compilers do that where as many sums are alive as there are registers. Exits with 1 where an
innermost loop at least a third of which are multiply-adds stores on the stack (transforms of tiles
do, they have more values than registers). Needs objdump.
"""
import re
import subprocess
import sys

MULTIPLY_ADD = re.compile(r'v(fn?madd|pmadd|pdpbusd|pdpwssd|dpbf16)')
VECTOR = r'%[xyz]mm\d+'


def functions(path):
    """(name, [(address, instruction)]) of an object file."""
    text = subprocess.run(['objdump', '-d', '--no-show-raw-insn', path], check=True,
                          capture_output=True, text=True).stdout
    name, code = None, []
    for line in text.splitlines():
        head = re.match(r'[0-9a-f]+ <(.*)>:', line)
        body = re.match(r'\s+([0-9a-f]+):\s+(.*)', line)
        if head:
            if name:
                yield name, code
            name, code = head.group(1), []
        elif body:
            code.append((int(body.group(1), 16), body.group(2).strip()))
    if name:
        yield name, code


def loops(code):
    """(begin, instructions) of innermost loops: what a jump back goes over, without another one."""
    index = {address: i for i, (address, _) in enumerate(code)}
    found = []
    for i, (_, text) in enumerate(code):
        jump = re.match(r'j\w+\s+([0-9a-f]+) <', text)
        start = index.get(int(jump.group(1), 16)) if jump else None
        if start is not None and start <= i:
            found.append((start, i))
    for start, end in found:
        if not any(start <= s and e <= end and (s, e) != (start, end) for s, e in found):
            yield code[start][0], [text for _, text in code[start:end + 1]]


def main():
    bad = 0
    wanted = sys.argv[2] if len(sys.argv) > 2 else ''
    print(f'{"function":36} {"at":>7} {"instr":>6} {"mul-add":>8} {"loads":>6} {"stores":>7} {"moves":>6} {"stack":>6}')
    for name, code in functions(sys.argv[1]):
        if wanted not in name:
            continue
        for begin, body in loops(code):
            sums = sum(bool(MULTIPLY_ADD.match(t)) for t in body)
            if sums < 4:
                continue
            stores = sum(bool(re.match(rf'vmov\w+\s+{VECTOR},.*\(', t)) for t in body)
            moves = sum(bool(re.match(rf'vmov\w+\s+{VECTOR},{VECTOR}$', t)) for t in body)
            loads = sum('(%r' in t and not re.match(rf'vmov\w+\s+{VECTOR},', t) and
                        not t.startswith(('lea', 'prefetch', 'nop')) for t in body)
            stack = sum(bool(re.match(rf'vmov\w+\s+{VECTOR},.*\(%r[sb]p', t)) for t in body)
            bad += 3 * sums >= len(body) and stack > 0
            print(f'{name:36} {begin:7x} {len(body):6} {sums:8} {loads:6} {stores:7} {moves:6} {stack:6}')
    return 1 if bad else 0


if __name__ == '__main__':
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main())
