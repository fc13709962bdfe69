/* How a packed file stores each weight. */
#include "tool.h"

#include <stdio.h>
#include <string.h>

bool tool_is_packed(const char *path)
{
    char first[4] = "";
    FILE *f = fopen(path, "rb");
    const bool packed = f && fread(first, 1, sizeof(first), f) == sizeof(first) &&
                        !memcmp(first, "\x89RCZ", sizeof(first));
    if (f)
        fclose(f);
    return packed;
}

static void tensor_json(const rc_packed_tensor_info *t)
{
    json_open(NULL);
    json_text("name", t->name);
    json_text("type", t->type);
    json_text("coder", t->coder);
    json_text("entropy", t->entropy);
    json_count("bits", t->bits);
    json_count("elements", t->elements);
    json_count("bytes", t->bytes);
    json_count("stored", t->stored);
    json_close();
}

static rc_status packed_tensors(const rc_packed *p, uint64_t count, bool json)
{
    rc_status st = RC_OK;
    if (json)
        json_list("tensors");
    else
        printf("%-44s %-9s %-9s %-8s %5s %12s %12s %12s\n", "weight", "type", "coder", "entropy",
               "bits", "elements", "bytes", "stored");
    for (uint64_t i = 0; i < count && st == RC_OK; i++) {
        rc_packed_tensor_info t = RC_PACKED_TENSOR_INFO_INIT;
        st = rc_packed_get_tensor(p, i, &t);
        if (st == RC_OK && json)
            tensor_json(&t);
        else if (st == RC_OK)
            printf("%-44.44s %-9s %-9s %-8s %5llu %12llu %12llu %12llu\n", t.name, t.type, t.coder,
                   t.entropy, (unsigned long long) t.bits, (unsigned long long) t.elements,
                   (unsigned long long) t.bytes, (unsigned long long) t.stored);
    }
    if (json)
        json_list_close();
    return st;
}

rc_status inspect_packed(const struct args *a, rc_context *context)
{
    const bool json = args_flag(a, "json");
    rc_packed *p;
    rc_packed_info info = RC_PACKED_INFO_INIT;
    rc_status st = rc_packed_new(&p, context, a->positional[0]);
    if (st != RC_OK)
        return st;
    st = rc_packed_get_info(p, &info);
    if (json) {
        json_open("packed");
        json_count("graph_bytes", info.graph_bytes);
        json_count("graph_stored", info.graph_stored);
        json_count("bytes", info.bytes);
        json_count("stored", info.stored);
    }
    if (st == RC_OK)
        st = packed_tensors(p, info.tensors, json);
    if (json)
        json_close();
    else
        printf("packed file of version %llu.%llu: %llu weights of %llu bytes in %llu, the graph of "
               "%llu bytes in %llu\n",
               (unsigned long long) info.major, (unsigned long long) info.minor,
               (unsigned long long) info.tensors, (unsigned long long) info.bytes,
               (unsigned long long) info.stored, (unsigned long long) info.graph_bytes,
               (unsigned long long) info.graph_stored);
    rc_packed_free(&p);
    return st;
}
