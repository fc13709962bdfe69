#include "tool.h"

#include <stdio.h>

static const struct option options[] = {{NULL, NULL, NULL}};

static void print_json(const rc_system_info *i)
{
    json_open(NULL);
    json_text("version", i->version);
    json_text("onednn", i->onednn);
    json_text("isa", i->isa);
    json_text("cpu", i->cpu);
    json_count("threads", i->threads);
    json_count("cores", i->cores);
    json_count("l1_bytes", i->l1_bytes);
    json_count("l2_bytes", i->l2_bytes);
    json_count("l3_bytes", i->l3_bytes);
    json_text("cpu_given", i->cpu_given);
    json_bool("vnni", i->vnni);
    json_bool("bf16", i->bf16);
    json_bool("png", i->png);
    json_bool("jpeg", i->jpeg);
    json_bool("self_test", i->self_test == RC_OK);
    json_text("self_test_message", i->self_test_message);
    json_close();
}

static void print_text(const rc_system_info *i)
{
    printf(
        "library      %s\noneDNN       %s\nprocessor    %s\ninstructions %s\nthreads      %llu\n",
        i->version, i->onednn, i->cpu, i->isa, (unsigned long long) i->threads);
    printf("caches       %llu KiB, %llu KiB a core, %llu KiB shared\n",
           (unsigned long long) i->l1_bytes / 1024, (unsigned long long) i->l2_bytes / 1024,
           (unsigned long long) i->l3_bytes / 1024);
    printf("cores        %llu\n", (unsigned long long) i->cores);
    if (i->cpu_given[0])
        printf("given        RESCOMP_CPU=%s\n", i->cpu_given);
    printf("self-test    %s%s\n",
           i->self_test == RC_OK ? "passed" : "FAILED: ", i->self_test_message);
    printf("int8         %s\n", i->vnni ? "exact in hardware (VNNI)"
                                        : "no VNNI: layers whose products could saturate run on an "
                                          "exact, slower path");
    printf("bf16         %s\n",
           i->bf16 ? "yes: --precision bf16 computes in it" : "no: needs AVX-512 BF16 or AMX");
    printf("PNG, JPEG    %s, %s\n", i->png ? "yes" : "no (built without libpng)",
           i->jpeg ? "yes" : "no (built without libjpeg)");
}

static int doctor(const struct args *a)
{
    rc_context *context = NULL;
    rc_system_info info = RC_SYSTEM_INFO_INIT;
    rc_status st = tool_context(&context, a);
    if (st == RC_OK)
        st = rc_system_get_info(context, &info);
    int code = st == RC_OK ? EXIT_DONE : tool_fail("doctor");
    if (st == RC_OK) {
        if (args_flag(a, "json"))
            print_json(&info);
        else
            print_text(&info);
        if (info.self_test != RC_OK)
            code = EXIT_FAILED;
    }
    rc_context_free(&context);
    return code;
}

const struct verb verb_doctor = {
    "doctor", "", "library, oneDNN, processor, self-test: what is missing", 0, 0, options, doctor};
