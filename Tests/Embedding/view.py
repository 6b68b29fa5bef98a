"""An in-memory view of services, in Python: the C core through ctypes, no package needed.

    view.py PATH/TO/libconverge.so
"""

import binascii
import ctypes as c
import struct
import sys

ptr, u8, u16, u32, u64 = c.c_void_p, c.c_uint8, c.c_uint16, c.c_uint32, c.c_uint64

# ------------------------------------------------------------------------------------------- converge.h, as ctypes says it

VERSION = 0 << 8 | 1  # major and minor: CVG_VERSION without the patch
OK, E_NOT_OWNER, E_SEALED, E_EMPTY = 0, -14, -16, -17
U16, BOOL, VARSTRING, ARRAY = 2, 12, 15, 17
ASSERT, RETRACT, PATCH = 2, 3, 8
CREATED, UPDATED, DELETED, SOURCE_CHANGE = 1, 2, 3, 4
NOT_FOUND, ALIVE, TOMBSTONE = 0, 1, 2
STATE_FRAME, DELETED_FRAME = 0x81, 0x82


def structure(*fields):
    return type("Structure", (c.Structure,), {"_fields_": fields})


Options = structure(("context", ptr), ("allocate", ptr), ("release", ptr), ("hash_seed", u64), ("pending_bytes_max", u64))
Field = structure(("owners", u64), ("members", ptr), ("max", u16), ("element_max", u16), ("type", u8),
                  ("on_retract", u8), ("element", u8), ("member_count", u8))
Definition = structure(("fields", c.POINTER(Field)), ("field_count", u16), ("schema", u8))
Op = structure(("id", c.c_char_p), ("data", c.c_char_p), ("mask", u64), ("ordinal", u64), ("data_bytes", u32),
               ("connection", u32), ("kind", u16), ("code", u8), ("source", u8), ("schema", u8), ("reserved", u8 * 3))
Refusal = structure(("index", u32), ("status", c.c_int16), ("field", u16))
Applied = structure(("consumed", c.c_size_t), ("refused", c.c_size_t))
Data = structure(("fixed", ptr), ("variable", ptr), ("fixed_bytes", u32), ("variable_bytes", u32))
Change = structure(("id", ptr), ("data", Data), ("previous", Data), ("source_set", u64), ("version", u64),
                   ("changed", u64), ("what", u8), ("reason", u8))
Row = structure(("id", ptr), ("data", Data), ("version", u64), ("source_set", u64), ("presence", u8), ("schema", u8))
Segment = structure(("bytes", ptr), ("capacity", u32), ("used", u32), ("references", u32), ("dispose", ptr), ("owner", ptr))
Slice = structure(("segment", c.POINTER(Segment)), ("offset", u32), ("bytes", u32), ("frames", u32))
Slices = structure(("items", c.POINTER(Slice)), ("count", c.c_size_t))
Class = structure(("number", u16), ("flags", u16))
Progress = structure(("live", c.c_bool), ("rounds", u64), ("sequence", u64), ("rows", u64))

for its, size in ((Options, 40), (Field, 24), (Definition, 16), (Op, 48), (Refusal, 8), (Change, 88), (Row, 56),
                  (Segment, 40), (Slice, 24), (Progress, 32)):
    assert c.sizeof(its) == size, (its._fields_, c.sizeof(its))

FUNCTIONS = {
    "cvg_version": (u32,),
    "cvg_status_text": (c.c_char_p, c.c_int),
    "cvg_engine_create": (c.c_int, c.POINTER(Options), c.POINTER(ptr)),
    "cvg_engine_destroy": (None, ptr),
    "cvg_kind_create": (c.c_int, ptr, u16, c.POINTER(Definition)),
    "cvg_kind_entities": (u64, ptr, u16),
    "cvg_apply": (c.c_int, ptr, c.POINTER(Op), c.c_size_t, c.POINTER(Refusal), c.c_size_t, c.POINTER(Applied)),
    "cvg_seal": (c.c_int, ptr, c.POINTER(ptr)),
    "cvg_batch_sequence": (u64, ptr),
    "cvg_batch_changes": (c.c_size_t, ptr, u16),
    "cvg_batch_change": (None, ptr, u16, c.c_size_t, c.POINTER(Change)),
    "cvg_encode": (c.c_int, ptr, ptr, u16, Class, c.POINTER(Slices)),
    "cvg_install": (None, ptr, ptr),
    "cvg_query": (c.c_int, ptr, u16, c.c_char_p, c.POINTER(Row)),
    "cvg_scan": (c.c_bool, ptr, u16, c.POINTER(u64), c.POINTER(Row)),
    "cvg_catchup_begin": (c.c_int, ptr, u16, Class, c.POINTER(ptr)),
    "cvg_catchup_step": (c.c_int, ptr, ptr, c.c_size_t, c.POINTER(Slices), c.POINTER(Progress)),
    "cvg_catchup_end": (None, ptr, ptr),
}


def load(path):
    library = c.CDLL(path)
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    assert library.cvg_version() >> 8 == VERSION, "view.py declares converge.h of another version"
    return library


# -------------------------------------------------------------------------------------------------------- the kind Service

SERVICE, REGISTRY, BACKUP, HEALTH = 1, 1, 2, 7
LOAD, HEALTHY, ADDRESS, PORTS = range(4)
FIXED = struct.Struct("<HBII")  # load, healthy, bytes of the address, number of ports


def encode(load, address, ports):
    text = address.encode()
    return FIXED.pack(load, 0, len(text), len(ports)) + text + struct.pack(f"<{len(ports)}H", *ports)


def decode(data):
    load, healthy, address_bytes, ports = FIXED.unpack_from(data)
    end = FIXED.size + address_bytes
    return load, bool(healthy), data[FIXED.size:end].decode(), struct.unpack_from(f"<{ports}H", data, end)


def id_of(name):
    return name.encode().ljust(32, b"\0")


def name_of(address):
    return c.string_at(address, 32).rstrip(b"\0").decode()


def both_zones(data):
    variable = c.string_at(data.variable, data.variable_bytes) if data.variable_bytes else b""
    return c.string_at(data.fixed, data.fixed_bytes) + variable


# --------------------------------------------------------------------------------------------------------------- the engine


class Engine:
    def __init__(self, library):
        self.library, self.handle = library, ptr()
        self.check(library.cvg_engine_create(Options(hash_seed=1), self.handle))
        fields = (Field * 4)(Field(type=U16), Field(type=BOOL, owners=1 << HEALTH), Field(type=VARSTRING, max=64),
                             Field(type=ARRAY, element=U16, max=4))
        self.check(library.cvg_kind_create(self.handle, SERVICE, Definition(fields, 4, 1)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.cvg_engine_destroy(self.handle)

    def check(self, status):
        if status != OK:
            raise RuntimeError(self.library.cvg_status_text(status).decode())

    def write(self, code, source, name, data=b"", mask=0):
        """Returns the status of the one write, and the field at fault."""
        op = Op(id=id_of(name), data=data, data_bytes=len(data), mask=mask, kind=SERVICE, code=code, source=source, schema=1)
        refusal, applied = Refusal(), Applied()
        self.check(self.library.cvg_apply(self.handle, op, 1, refusal, 1, applied))
        return (refusal.status, refusal.field) if applied.refused else (OK, None)

    def seal(self):
        batch = ptr()
        self.check(self.library.cvg_seal(self.handle, batch))
        return batch

    def install(self, batch):
        self.library.cvg_install(self.handle, batch)

    def changes(self, batch):
        for index in range(self.library.cvg_batch_changes(batch, SERVICE)):
            change = Change()
            self.library.cvg_batch_change(batch, SERVICE, index, change)
            yield change

    def frames(self, slices):
        """The bytes of every frame, copied: the segments stay the engine's."""
        for one in slices.items[:slices.count]:
            data = c.string_at(one.segment.contents.bytes + one.offset, one.bytes)
            while data:
                payload, crc = struct.unpack_from("<IH", data, 6)
                assert binascii.crc_hqx(data[:10], 0) == crc
                yield data[:12 + payload]
                data = data[12 + payload:]

    def query(self, name):
        row = Row()
        self.check(self.library.cvg_query(self.handle, SERVICE, id_of(name), row))
        return row.presence, row.version, decode(both_zones(row.data)) if row.presence == ALIVE else None

    def everything(self):
        cursor, row = u64(0), Row()
        while self.library.cvg_scan(self.handle, SERVICE, cursor, row):
            if row.presence == ALIVE:
                yield name_of(row.id), (row.version, decode(both_zones(row.data)))


def merge(view, frame):
    opcode, name = struct.unpack_from("<H", frame, 4)[0], frame[20:52].rstrip(b"\0").decode()
    version = struct.unpack_from("<Q", frame, 52)[0]
    if name in view and version < view[name][0]:
        return
    if opcode == STATE_FRAME:
        data_bytes = struct.unpack_from("<I", frame, 80)[0]
        view[name] = version, decode(frame[84:84 + data_bytes])
    elif opcode == DELETED_FRAME:
        view.pop(name, None)


def tick(engine, view):
    """Seals, takes what changed into the view, installs. Returns what changed, as (what, name)."""
    batch, seen = engine.seal(), []
    for change in engine.changes(batch):
        name = name_of(change.id)
        seen.append((change.what, name))
        print(f"  tick {engine.library.cvg_batch_sequence(batch)}: "
              f"{['', 'created', 'updated', 'deleted', 'sources of'][change.what]} {name} v{change.version}")
        if change.what == DELETED:
            del view[name]
        else:
            view[name] = change.version, decode(both_zones(change.data))
    engine.install(batch)
    expect(dict(engine.everything()), view)
    return seen


def expect(got, wanted):
    if got != wanted:
        raise SystemExit(f"got {got}, not {wanted}")


# ---------------------------------------------------------------------------------------------------------------- the story


def write_and_poll(engine, view):
    print("three sources write")
    for source in REGISTRY, BACKUP:
        expect(engine.write(ASSERT, source, "api-1", encode(10, "10.0.0.1", [80, 443])), (OK, None))
    engine.write(ASSERT, REGISTRY, "api-2", encode(20, "10.0.0.2", [80]))
    engine.write(ASSERT, BACKUP, "db-1", encode(5, "", []))
    expect(tick(engine, view), [(CREATED, "api-1"), (CREATED, "api-2"), (CREATED, "db-1")])

    print("patches, one of a variable field, one refused")
    expect(engine.write(PATCH, HEALTH, "api-1", b"\1", 1 << HEALTHY), (OK, None))
    expect(engine.write(PATCH, REGISTRY, "api-2", b"\1", 1 << HEALTHY), (E_NOT_OWNER, HEALTHY))
    expect(engine.write(PATCH, REGISTRY, "api-2", struct.pack("<I", 7) + b"gateway", 1 << ADDRESS), (OK, None))
    expect(tick(engine, view), [(UPDATED, "api-1"), (UPDATED, "api-2")])

    print("said again: silence; the last source's retraction deletes")
    engine.write(ASSERT, REGISTRY, "api-1", encode(10, "10.0.0.1", [80, 443]))
    expect(tick(engine, view), [])
    expect(engine.library.cvg_seal(engine.handle, ptr()), E_EMPTY)
    engine.write(RETRACT, REGISTRY, "api-1")
    engine.write(RETRACT, REGISTRY, "api-2")
    expect(tick(engine, view), [(SOURCE_CHANGE, "api-1"), (DELETED, "api-2")])

    print("queries")
    expect(engine.query("api-1"), (ALIVE, 2, (10, True, "10.0.0.1", (80, 443))))
    expect(engine.query("api-2"), (TOMBSTONE, 3, None))
    expect(engine.query("nobody"), (NOT_FOUND, 0, None))


def bootstrap(engine, view):
    print("a second view, by catch-up, while writes go on")
    fed, catchup, slices, progress, steps = {}, ptr(), Slices(), Progress(), 0
    engine.check(engine.library.cvg_catchup_begin(engine.handle, SERVICE, Class(1, 0), catchup))
    while not progress.live:
        engine.check(engine.library.cvg_catchup_step(engine.handle, catchup, 1, slices, progress))
        for frame in engine.frames(slices):
            merge(fed, frame)
        if steps == 0:
            engine.write(RETRACT, BACKUP, "api-1")
            engine.write(RETRACT, HEALTH, "api-1")
            engine.write(ASSERT, BACKUP, "db-1", encode(6, "db.example", [5432]))
            engine.write(ASSERT, REGISTRY, "api-3", encode(1, "10.0.0.3", [80]))
            tick(engine, view)
        steps += 1
        expect(steps < 20, True)
    engine.library.cvg_catchup_end(engine.handle, catchup)
    expect(fed, view)
    print(f"  {progress.rows} frames, live at sequence {progress.sequence}")

    print("live: the frames of the next batch")
    engine.write(RETRACT, BACKUP, "db-1")
    engine.write(ASSERT, REGISTRY, "api-2", encode(2, "back.example", []))
    batch = engine.seal()
    engine.check(engine.library.cvg_encode(engine.handle, batch, SERVICE, Class(1, 0), slices))
    for frame in engine.frames(slices):
        merge(fed, frame)
    engine.write(ASSERT, REGISTRY, "api-4", encode(4, "next.window", []))
    expect(engine.library.cvg_seal(engine.handle, ptr()), E_SEALED)
    engine.install(batch)
    expect(fed, dict(engine.everything()))
    expect(sorted(fed), ["api-2", "api-3"])
    expect(engine.library.cvg_kind_entities(engine.handle, SERVICE), 2)


def main(path):
    with Engine(load(path)) as engine:
        view = {}
        write_and_poll(engine, view)
        bootstrap(engine, view)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
