"""Reads packed model files (.rcz) as docs/packed-file.md describes them: NumPy and nothing of the library."""
import struct

import numpy as np

# ONNX element type: (bits, NumPy type, flipped bit of signed integers that are coded by value, real)
TYPES = {1: (32, '<f4', 0, True), 2: (8, 'u1', 0, False), 3: (8, 'i1', 0x80, False), 6: (32, '<i4', 0, False),
         7: (64, '<i8', 0, False), 9: (8, '?', 0, False), 10: (16, '<f2', 0, True), 11: (64, '<f8', 0, True),
         16: (16, '<u2', 0, True), 21: (4, 'u1', 0, False), 22: (4, 'u1', 8, False), 25: (2, 'u1', 0, False),
         26: (2, 'u1', 2, False)}
PATTERNS = [(1, 4), (2, 4), (1, 8), (2, 8), (4, 8)]


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data)
        self.at += n
        return self.data[self.at - n:self.at]

    def byte(self):
        return self.take(1)[0]

    def number(self):
        v = shift = 0
        while True:
            b = self.byte()
            v |= (b & 127) << shift
            shift += 7
            if b < 128:
                return v

    def end(self):
        return self.at == len(self.data)


# --- streams of symbols ---

def fields(c, n, bits):
    raw = np.frombuffer(c.take((n * bits + 7) // 8), np.uint8)
    b = np.unpackbits(raw, bitorder='little')[:n * bits].reshape(n, bits)
    return (b << np.arange(bits)).sum(axis=1).astype(np.uint8)


def frequencies(c):
    def weight(v):
        return v if v < 16 else (16 + v % 16) << (v // 16 - 1)
    knots = [(c.byte(), weight(c.byte())) for _ in range(c.byte() + 1)]
    w = [0] * 256
    for (s, a), (t, b) in zip(knots, knots[1:]):
        for k in range(s, t):
            w[k] = (a * (t - k) + b * (k - s)) // (t - s)
    w[knots[-1][0]] = knots[-1][1]
    present, total, start, below, seen = sum(v > 0 for v in w), sum(w), [], 0, 0
    for v in w:
        start.append(seen + below * (4096 - present) // total)
        below += v
        seen += v > 0
    return start + [4096]


def rans(c, n):
    start = frequencies(c)
    slot = [s for s in range(256) for _ in range(start[s + 1] - start[s])]
    words = c.number()
    lanes = 1 if n < 1024 else 4
    state = list(struct.unpack(f'<{lanes}I', c.take(4 * lanes)))
    word = iter(struct.unpack(f'<{words}H', c.take(2 * words)))
    out = np.empty(n, np.uint8)
    for i in range(n):
        x = state[i % lanes]
        s = slot[x & 4095]
        out[i] = s
        x = (start[s + 1] - start[s]) * (x >> 12) + (x & 4095) - start[s]
        if x < 65536:
            x = x << 16 | next(word)
        state[i % lanes] = x
    assert state == [65536] * lanes and next(word, None) is None
    return out


def huffman(c, n):
    first, last = c.byte(), c.byte()
    nibbles = c.take((last - first + 2) // 2)
    length = {first + i: nibbles[i // 2] >> 4 * (i % 2) & 15 for i in range(last - first + 1)}
    code, codes = 0, {}
    for bits in range(1, 13):
        code <<= 1
        for s in sorted(length):
            if length[s] == bits:
                codes[bits, code] = s
                code += 1
    out, bit = [], 8 * c.at
    while len(out) < n:
        v = bits = 0
        while (bits, v) not in codes:
            v = v << 1 | c.data[bit // 8] >> bit % 8 & 1
            bit += 1
            bits += 1
        out.append(codes[bits, v])
    c.at = (bit + 7) // 8
    return np.array(out, np.uint8)


def stream(c, n, bits):
    if n == 0:
        return np.zeros(0, np.uint8)
    way = c.byte()
    if way == 0:
        return np.full(n, c.byte(), np.uint8)
    return fields(c, n, bits) if way == 1 else rans(c, n) if way == 2 else huffman(c, n)


def text(data):
    c = Cursor(data)
    if c.byte() == 0:
        return data[1:]
    size = c.number()
    lengths = [c.number() for _ in range(4)]
    literals, runs, matches, distances = (Cursor(bytes(stream(c, n, 8))) for n in lengths)
    assert c.end()
    out, back = bytearray(), 0
    while not runs.end():
        out += literals.take(runs.number())
        n = matches.number() + 4
        back = distances.number() or back
        for _ in range(n):
            out.append(out[-back])
    out += literals.take(len(literals.data) - literals.at)
    assert len(out) == size
    return bytes(out)


# --- weights ---

def bits_of(most):
    return int(most).bit_length()


def tensor(c, count, width, rows, flip, real):
    """Bytes [count, width], lowest first."""
    coder = c.byte()
    if coder == 0:
        return np.frombuffer(c.take(count * width), np.uint8).reshape(count, width)
    if coder == 1:
        low, bits = c.byte(), c.byte()
        return ((stream(c, count, bits) + low) ^ flip).astype(np.uint8).reshape(count, 1)
    if coder == 2:
        mapping = c.byte()
        planes = np.stack([stream(c, count, 8) for _ in range(width)], axis=1)
        v = sum(planes[:, b].astype(np.uint64) << np.uint64(8 * b) for b in range(width))
        low = v & np.uint64(1)
        if mapping == 1:
            v = v >> np.uint64(1) | low << np.uint64(8 * width - 1)
        elif mapping == 2:
            v = v >> np.uint64(1) ^ (np.uint64(0) - low)
        return v.astype('<u8').view(np.uint8).reshape(count, 8)[:, :width]
    if coder == 3:
        books = rows if c.byte() else 1
        palettes = []
        for _ in range(books):
            n = c.byte() + 1
            palettes.append(np.frombuffer(c.take(n * width), np.uint8).reshape(n, width))
        index = stream(c, count, bits_of(max(len(p) for p in palettes) - 1)).reshape(books, -1)
        return np.concatenate([p[k] for p, k in zip(palettes, index)])
    if coder == 4:
        m = np.frombuffer(c.take(rows * width), np.uint8).reshape(rows, width)
        out = np.repeat(m, count // rows, axis=0).copy()
        out[:, -1] |= stream(c, count, 1) << 7
        return out
    out = np.zeros((count, width), np.uint8)
    if coder == 5:
        n = c.number()
        where = np.unpackbits(stream(c, (count + 7) // 8, 8), bitorder='little')[:count].astype(bool)
        if n:
            out[where] = tensor(c, n, width, 1, flip, real)
        return out
    n, m = PATTERNS[c.byte()]
    masks = [v for v in range(1 << m) if bin(v).count('1') == n]
    choice = stream(c, count // m, bits_of(len(masks) - 1))
    where = np.array([[masks[k] >> i & 1 for i in range(m)] for k in choice]).ravel().astype(bool)
    out[where] = tensor(c, count // m * n, width, 1, flip, real)
    return out


# --- as much of ONNX as weights need ---

def messages(data):
    """(field, value) of a protobuf message; bytes for what has a length."""
    c = Cursor(data)
    while not c.end():
        key = c.number()
        if key & 7 == 2:
            yield key >> 3, c.take(c.number())
        elif key & 7 == 0:
            yield key >> 3, c.number()
        else:
            yield key >> 3, c.take({1: 8, 5: 4}[key & 7])


def initializers(model):
    """Of each: name, dims, type, raw_data or None."""
    graph = next(v for f, v in messages(model) if f == 7)
    for field, t in messages(graph):
        if field != 5:
            continue
        name, dims, kind, raw = '', [], 0, None
        for f, v in messages(t):
            if f == 1:
                if isinstance(v, int):
                    dims.append(v)
                else:
                    c = Cursor(v)
                    while not c.end():
                        dims.append(c.number())
            name = v.decode() if f == 8 else name
            kind = v if f == 2 else kind
            raw = v if f == 9 else raw
        yield name, dims, kind, raw


def join(data, bits):
    each = 8 // bits
    data = np.concatenate([data, np.zeros(-len(data) % each, np.uint8)]).reshape(-1, each)
    return (data << np.arange(each) * bits).sum(axis=1).astype(np.uint8)


def read(data):
    """name: raw_data of every initializer of a packed file."""
    assert data[:12] == b'\x89RCZ\r\n\x1a\n\1\2\3\4'
    major, _, size, parts, crc = struct.unpack('<HHQII', data[12:32])
    head = data[:32 + 24 * parts]
    assert major == 1 and size == len(data) and crc32c(head[:28] + bytes(4) + head[32:]) == crc
    kinds = []
    for i in range(parts):
        kind, _, crc, offset, length = struct.unpack('<HHIQQ', head[32 + 24 * i:56 + 24 * i])
        kinds.append((kind, data[offset:offset + length]))
        assert crc32c(data[offset:offset + length]) == crc
    graph = text(next(p for k, p in kinds if k == 1))
    table = Cursor(text(next(p for k, p in kinds if k == 2)))
    weights = [(k, p) for k, p in kinds if k in (3, 4)]
    listed = list(initializers(graph))
    out = {name: raw for name, _, _, raw in listed if raw is not None}
    products, names, index, part, at = [], [], 0, -1, 0
    for _ in range(table.number()):
        index += table.number()
        name, dims, kind, raw = listed[index]
        assert raw is None
        index += 1
        names.append(name)
        stored = table.number()
        if stored == 0:
            products.append((name, table.number(), np.frombuffer(table.take(4), '<f4')[0]))
            continue
        if stored & 1:
            part, at = part + 1, 0
        coded = weights[part][1][at:at + (stored >> 1)]
        at += stored >> 1
        if weights[part][0] == 4:
            out[name] = coded
            continue
        bits, _, flip, real = TYPES[kind]
        count = int(np.prod(dims, dtype=np.int64))
        rows = dims[0] if dims else 1
        c = Cursor(coded)
        x = tensor(c, count, max(bits // 8, 1), rows, flip, real)
        assert c.end()
        out[name] = (join(x.ravel(), bits) if bits < 8 else x).tobytes()
    for name, of, factor in products:
        out[name] = (np.frombuffer(out[names[of]], '<f4') * factor).tobytes()
    assert table.end()
    return out, listed
