"""Reads TensorBoard event files without any library: TFRecord frames with their checksums, and as much of Protocol Buffers
as they use. Prints what is in them, a line each; the test compares that with the store.   tensorboard_read.py FILE"""
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        (n,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked(data[at : at + 8]), "checksum of a length"
        body = data[at + 12 : at + 12 + n]
        assert len(body) == n, "a record is cut off"
        assert struct.unpack_from("<I", data, at + 12 + n)[0] == masked(body), "checksum of a record"
        yield body
        at += 16 + n


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 1:
            value, at = struct.unpack_from("<d", data, at)[0], at + 8
        elif wire == 5:
            value, at = struct.unpack_from("<f", data, at)[0], at + 4
        else:
            assert wire == 2, "wire type %d" % wire
            n, at = varint(data, at)
            value, at = data[at : at + n], at + n
            assert len(value) == n, "a field is cut off"
        yield key >> 3, value


def first(data, number, otherwise=None):
    return next((v for k, v in fields(data) if k == number), otherwise)


def every(data, number):
    return [v for k, v in fields(data) if k == number]


def hparam(entry):
    ((kind, value),) = fields(first(entry, 2))
    return first(entry, 1).decode() + " = " + (value.decode() if kind == 3 else repr(value))


def show_value(step, value):
    tag = first(value, 1).decode()
    if first(value, 2) is not None:
        print("scalar", step, tag, struct.pack(">f", first(value, 2)).hex())
        return
    plugin = first(first(value, 9), 1)
    name, content = first(plugin, 1).decode(), first(plugin, 2)
    if name == "text":
        tensor = first(value, 8)
        assert first(tensor, 1) == 7, "a text is a tensor of strings"
        print("text", step, tag, first(tensor, 8).decode().encode("unicode_escape").decode())
        return
    assert name == "hparams", name
    start, end = first(content, 3), first(content, 4)
    for entry in every(start, 1) if start else []:
        print("hparam", hparam(entry))
    print("session", "end %d" % first(end, 1) if end else "start of " + first(start, 4).decode())


def show_graph(graph):
    for node in every(graph, 1):
        print("node", first(node, 1).decode(), first(node, 2).decode(), " ".join(i.decode() for i in every(node, 3)))
        for attr in every(node, 5):
            if first(attr, 1) == b"_output_shapes":
                for shape in every(first(first(attr, 2), 1), 7):
                    sizes = [first(d, 1) for d in every(shape, 2)]
                    assert sizes[0] == 2**64 - 1, "the batch is open"
                    print("shape", "x".join(map(str, sizes[1:])))
            elif first(attr, 1) == b"parameters":
                print("parameters", first(first(attr, 2), 3))


with open(sys.argv[1], "rb") as file:
    last = 0
    for event in records(file.read()):
        time, step = first(event, 1), first(event, 2, 0)
        assert time >= last, "time goes back"
        last = time
        if first(event, 3) is not None:
            print("version", first(event, 3).decode())
        if first(event, 4) is not None:
            show_graph(first(event, 4))
        for value in every(first(event, 5, b""), 1):
            show_value(step, value)
