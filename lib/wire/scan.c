/* Walk the protobuf wire format of a ModelProto with an explicit stack: tags, wire types, varints,
 * lengths, strings, nesting, repeated singular fields and counts are checked here because
 * protobuf-c itself has no limit on depth, merges repeated messages in quadratic time and turns
 * two-byte messages into hundreds of bytes. */
#include "wire/scan.h"
#include "base/json.h"

#include "onnx.pb-c.h"

#include <stdio.h>
#include <string.h>

enum { SCAN_DEPTH = 32 };

struct frame {
    const ProtobufCMessageDescriptor *type;
    const char *field; /* name in the parent */
    size_t end;
    uint64_t seen; /* bit per field of type: a singular one was met */
    uint64_t attributes, ints, fields;
};

struct scan {
    const uint8_t *data;
    size_t size, pos, tag_pos; /* tag_pos: where the field being read starts */
    const struct rci_scan_limits *limits;
    const ProtobufCFieldDescriptor *field; /* being read; NULL: unknown */
    uint32_t number, depth;
    uint64_t nodes, initializers, value_infos, metadata, unknown, messages;
    uint64_t memory, memory_most; /* that what was seen takes, and may take */
    struct frame frame[SCAN_DEPTH];
};

struct rci_scan_limits rci_scan_defaults(const struct rc_context *c)
{
    return (struct rci_scan_limits){
        .nodes = c->o.max_nodes ? c->o.max_nodes : 65536,
        .initializers = 65536,
        .value_infos = 262144,
        .attributes_per_node = 256,
        .metadata = 4096,
        .unknown = 65536,
        .messages = 4194304,
        .name_bytes = 1024,
        .ints_per_attribute = 1048576,
        .memory = UINT64_C(12) << 20,
        .memory_per_byte = 3,
    };
}

/* "graph.node.attribute.ints" */
static const char *scan_path(const struct scan *s, char *buffer, size_t room)
{
    size_t n = 0;
    buffer[0] = '\0';
    for (uint32_t i = 1; i <= s->depth && n < room - 64; i++) {
        if (i == 6 && s->depth > 8) {
            n += (size_t) snprintf(buffer + n, room - n, "....");
            break;
        }
        n += (size_t) snprintf(buffer + n, room - n, "%.24s.", s->frame[i].field);
    }
    if (s->field)
        snprintf(buffer + n, room - n, "%.24s", s->field->name);
    else
        snprintf(buffer + n, room - n, "field %u", (unsigned) s->number);
    return buffer;
}

static rc_status scan_fail(const struct scan *s, rc_status st, const char *what)
{
    char path[320];
    return rci_fail(st, "%s: %s (at byte %zu)", scan_path(s, path, sizeof(path)), what, s->tag_pos);
}

static rc_status scan_over(const struct scan *s, const char *what, uint64_t limit)
{
    char path[320];
    return rci_fail(RC_ERR_LIMIT, "%s: more than %llu %s (at byte %zu)",
                    scan_path(s, path, sizeof(path)), (unsigned long long) limit, what, s->tag_pos);
}

/* Two bytes can ask for hundreds. What protobuf-c takes is known exactly; what the graph takes for
 * a node, a value or an initializer is measured (test_onnx_bounds). */
enum {
    SCAN_ENTRY = 8, /* of an array of pointers, numbers */
    SCAN_SLAB = 64, /* protobuf-c's note on a field, from the 17th of a message on */
    SCAN_SLAB_FREE = 16,
    SCAN_UNKNOWN = 64,
    SCAN_OF_NODE = 512,
    SCAN_OF_VALUE = 352,
    SCAN_OF_INITIALIZER = 480,
};

static rc_status scan_charge(struct scan *s, uint64_t bytes)
{
    s->memory += bytes;
    if (s->memory <= s->memory_most)
        return RC_OK;
    char path[320];
    return rci_fail(RC_ERR_LIMIT,
                    "%s: decoding takes more than %llu bytes of memory, %llu and %llu times the "
                    "size of the file (at byte %zu)",
                    scan_path(s, path, sizeof(path)), (unsigned long long) s->memory_most,
                    (unsigned long long) s->limits->memory,
                    (unsigned long long) s->limits->memory_per_byte, s->tag_pos);
}

/* A string or bytes, and what the graph will have of the thing that it names. */
static rc_status scan_charge_text(struct scan *s, uint64_t bytes)
{
    const ProtobufCMessageDescriptor *in = s->frame[s->depth].type;
    const uint32_t n = s->number;
    uint64_t more = 0;
    if (!s->field)
        more = SCAN_UNKNOWN;
    else if (in == &onnx__node_proto__descriptor)
        more = n == 4 ? SCAN_OF_NODE : n == 2 ? SCAN_OF_VALUE : 0; /* op_type, output */
    else if (in == &onnx__tensor_proto__descriptor)
        more = n == 8 ? SCAN_OF_INITIALIZER : 0; /* name */
    return scan_charge(s, bytes + 32 + SCAN_ENTRY + more);
}

static rc_status scan_varint(struct scan *s, size_t end, uint64_t *out)
{
    uint64_t v = 0;
    for (uint32_t shift = 0; shift < 70; shift += 7) {
        if (s->pos >= end)
            return scan_fail(s, RC_ERR_TRUNCATED, "ends inside a number");
        const uint8_t b = s->data[s->pos++];
        if (shift == 63 && b > 1)
            return scan_fail(s, RC_ERR_FORMAT, "number of more than 64 bits");
        v |= (uint64_t) (b & 127) << shift;
        if (b < 128) {
            *out = v;
            return RC_OK;
        }
    }
    return scan_fail(s, RC_ERR_FORMAT, "number of more than 64 bits");
}

/* Texts and metadata values may be long; everything else is a name. */
static bool field_is_text(const ProtobufCFieldDescriptor *f)
{
    return !strcmp(f->name, "doc_string") || !strcmp(f->name, "value");
}

static rc_status scan_string(struct scan *s, size_t end)
{
    if (!field_is_text(s->field) && end - s->pos > s->limits->name_bytes)
        return scan_over(s, "bytes in a name", s->limits->name_bytes);
    while (s->pos < end) {
        const uint8_t *at = s->data + s->pos;
        const size_t n = *at ? rci_utf8_length(at, end - s->pos) : 0;
        if (!n)
            return scan_fail(s, RC_ERR_FORMAT, "string with NUL or invalid UTF-8");
        s->pos += n;
    }
    return RC_OK;
}

static int field_wire(ProtobufCType t)
{
    switch (t) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return 5;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return 1;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return 2;
    default:
        return 0;
    }
}

static rc_status scan_count_ints(struct scan *s, uint64_t more)
{
    struct frame *f = &s->frame[s->depth];
    f->ints += more;
    if (f->type == &onnx__attribute_proto__descriptor && f->ints > s->limits->ints_per_attribute)
        return scan_over(s, "numbers in an attribute", s->limits->ints_per_attribute);
    return RC_OK;
}

static rc_status scan_packed(struct scan *s, size_t end)
{
    const int wire = field_wire(s->field->type);
    const size_t width = wire == 5 ? 4 : 8, bytes = end - s->pos;
    if (wire) {
        if (bytes % width)
            return scan_fail(s, RC_ERR_FORMAT, "packed numbers of a broken length");
        s->pos = end;
        RC_TRY(scan_charge(s, bytes));
        return scan_count_ints(s, bytes / width);
    }
    uint64_t n = 0, v;
    for (; s->pos < end; n++)
        RC_TRY(scan_varint(s, end, &v));
    RC_TRY(scan_charge(s, n * (s->field->type == PROTOBUF_C_TYPE_INT32 ? 4 : SCAN_ENTRY)));
    return scan_count_ints(s, n);
}

static rc_status scan_count(struct scan *s)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        size_t counter, limit;
        const char *what;
    } counted[] = {
#define COUNTED(t, member, limit, what) \
    {&t, offsetof(struct scan, member), offsetof(struct rci_scan_limits, limit), what}
        COUNTED(onnx__node_proto__descriptor, nodes, nodes, "nodes"),
        COUNTED(onnx__tensor_proto__descriptor, initializers, initializers, "tensors"),
        COUNTED(onnx__value_info_proto__descriptor, value_infos, value_infos, "value infos"),
        COUNTED(onnx__string_string_entry_proto__descriptor, metadata, metadata, "entries"),
        COUNTED(onnx__operator_set_id_proto__descriptor, metadata, metadata, "entries"),
#undef COUNTED
    };
    const ProtobufCMessageDescriptor *type = s->field->descriptor;
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        if (type != counted[i].type)
            continue;
        uint64_t *n = (uint64_t *) ((char *) s + counted[i].counter);
        const uint64_t limit = *(const uint64_t *) ((const char *) s->limits + counted[i].limit);
        if (++*n > limit)
            return scan_over(s, counted[i].what, limit);
    }
    if (type == &onnx__attribute_proto__descriptor &&
        ++s->frame[s->depth].attributes > s->limits->attributes_per_node)
        return scan_over(s, "attributes in a node", s->limits->attributes_per_node);
    if (++s->messages > s->limits->messages)
        return scan_over(s, "messages", s->limits->messages);
    return RC_OK;
}

static rc_status scan_enter(struct scan *s, size_t end)
{
    RC_TRY(scan_count(s));
    const ProtobufCMessageDescriptor *type = s->field->descriptor;
    RC_TRY(scan_charge(s, type->sizeof_message + 16 + SCAN_ENTRY));
    if (s->depth + 1 >= SCAN_DEPTH)
        return scan_over(s, "levels of nesting", SCAN_DEPTH);
    s->depth++;
    s->frame[s->depth] = (struct frame){.type = type, .field = s->field->name, .end = end};
    return RC_OK;
}

static rc_status scan_delimited(struct scan *s)
{
    struct frame *f = &s->frame[s->depth];
    uint64_t n;
    RC_TRY(scan_varint(s, f->end, &n));
    if (n > f->end - s->pos)
        return scan_fail(s, RC_ERR_TRUNCATED, "is longer than what is left");
    const size_t end = s->pos + (size_t) n;
    if (s->field && s->field->type == PROTOBUF_C_TYPE_MESSAGE)
        return scan_enter(s, end);
    if (s->field && s->field->type != PROTOBUF_C_TYPE_STRING &&
        s->field->type != PROTOBUF_C_TYPE_BYTES)
        return scan_packed(s, end);
    RC_TRY(scan_charge_text(s, n));
    if (s->field && s->field->type == PROTOBUF_C_TYPE_STRING)
        return scan_string(s, end);
    s->pos = end;
    return RC_OK;
}

static rc_status scan_value(struct scan *s, uint32_t wire)
{
    const size_t end = s->frame[s->depth].end;
    uint64_t v;
    switch (wire) {
    case 0:
        RC_TRY(scan_varint(s, end, &v));
        break;
    case 2:
        return scan_delimited(s);
    case 1:
    case 5:
        if (end - s->pos < (wire == 1 ? 8u : 4u))
            return scan_fail(s, RC_ERR_TRUNCATED, "ends inside a number");
        s->pos += wire == 1 ? 8 : 4;
        break;
    default:
        return scan_fail(s, RC_ERR_FORMAT, "wire type that ONNX does not use");
    }
    if (s->field && s->field->label != PROTOBUF_C_LABEL_REPEATED)
        return RC_OK;
    RC_TRY(scan_charge(s, s->field ? SCAN_ENTRY : SCAN_UNKNOWN));
    return s->field ? scan_count_ints(s, 1) : RC_OK;
}

/* What the schema says of the field whose tag was just read. */
static rc_status scan_field(struct scan *s, uint32_t wire)
{
    struct frame *f = &s->frame[s->depth];
    const ProtobufCFieldDescriptor *d = s->field;
    if (++f->fields > SCAN_SLAB_FREE)
        RC_TRY(scan_charge(s, SCAN_SLAB));
    if (!d) {
        if (++s->unknown > s->limits->unknown)
            return scan_over(s, "unknown fields", s->limits->unknown);
        return RC_OK;
    }
    const bool repeated = d->label == PROTOBUF_C_LABEL_REPEATED;
    const bool packable = repeated && field_wire(d->type) != 2;
    if (wire != (uint32_t) field_wire(d->type) && !(packable && wire == 2))
        return scan_fail(s, RC_ERR_FORMAT, "has the wrong wire type");
    const uint64_t bit = UINT64_C(1) << (d - f->type->fields);
    if (!repeated && (f->seen & bit))
        return scan_fail(s, RC_ERR_FORMAT, "field repeated, may occur once");
    f->seen |= bit;
    return RC_OK;
}

static rc_status scan_run(struct scan *s)
{
    for (;;) {
        struct frame *f = &s->frame[s->depth];
        if (s->pos == f->end) {
            if (s->depth == 0)
                return RC_OK;
            s->depth--;
            continue;
        }
        uint64_t tag;
        s->tag_pos = s->pos;
        s->field = NULL;
        s->number = 0;
        RC_TRY(scan_varint(s, f->end, &tag));
        if (tag >> 3 == 0 || tag > UINT32_MAX)
            return scan_fail(s, RC_ERR_FORMAT, "field number out of range");
        s->number = (uint32_t) tag >> 3;
        s->field = protobuf_c_message_descriptor_get_field(f->type, s->number);
        RC_TRY(scan_field(s, (uint32_t) tag & 7));
        RC_TRY(scan_value(s, (uint32_t) tag & 7));
    }
}

/* What a file is that is not ONNX, by its first bytes; NULL: unknown. */
static const char *other_format(const uint8_t *p, size_t n)
{
    static const struct {
        const char *magic, *what;
        size_t length, offset;
    } known[] = {
        {"\x89PNG", "a PNG image", 4, 0},
        {"\xff\xd8\xff", "a JPEG image", 3, 0},
        {"PK\x03\x04", "a ZIP archive, perhaps a PyTorch checkpoint", 4, 0},
        {"\x89HDF", "an HDF5 file", 4, 0},
        {"\x80\x02", "a Python pickle", 2, 0},
        {"\x80\x03", "a Python pickle", 2, 0},
        {"\x80\x04", "a Python pickle", 2, 0},
        {"\x80\x05", "a Python pickle", 2, 0},
        {"\x1f\x8b", "gzip data", 2, 0},
        {"\x7f"
         "ELF",
         "an ELF binary", 4, 0},
        {"\x93NUMPY", "a NumPy array", 6, 0},
        {"TFL3", "a TensorFlow Lite model", 4, 4},
        {"\0\0\0\0{\"", "a safetensors file", 6, 4},
        {"{", "JSON", 1, 0},
        {"<", "XML or HTML", 1, 0},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (n >= known[i].offset + known[i].length &&
            !memcmp(p + known[i].offset, known[i].magic, known[i].length))
            return known[i].what;
    return NULL;
}

/* A model starts with a field of ModelProto; anything else is another kind of file. */
static rc_status scan_first(const uint8_t *p, size_t size)
{
    const char *other = other_format(p, size);
    if (other)
        return rci_fail(RC_ERR_FORMAT, "not an ONNX model: this is %s", other);
    const uint32_t more = p[0] >= 0x80 && size > 1 ? (uint32_t) p[1] << 7 : 0;
    const uint32_t tag = (p[0] & 0x7fu) | more;
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(&onnx__model_proto__descriptor, tag >> 3);
    if (!f || (uint32_t) field_wire(f->type) != (tag & 7))
        return rci_fail(RC_ERR_FORMAT, "not an ONNX model: starts with byte 0x%02x", p[0]);
    return RC_OK;
}

rc_status rci_scan_onnx(const uint8_t *data, size_t size, const struct rci_scan_limits *limits)
{
    if (size == 0)
        return rci_fail(RC_ERR_FORMAT, "empty file: no graph");
    if (size > INT32_MAX)
        return rci_fail(RC_ERR_LIMIT, "file of %zu bytes; ONNX allows 2147483647", size);
    RC_TRY(scan_first(data, size));
    struct scan s = {.data = data, .size = size, .limits = limits};
    s.memory_most = limits->memory + limits->memory_per_byte * size;
    s.frame[0] = (struct frame){.type = &onnx__model_proto__descriptor, .field = "", .end = size};
    return scan_run(&s);
}
