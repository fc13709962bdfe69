#ifndef OLDER_H
#define OLDER_H
/* Declarations as a program holds them that was compiled against other headers than those of this
 * library: structs end earlier (old_*) or later (new_*). Frozen: a test that needs a change here
 * has found a break of the ABI. The public headers are not included on purpose. */
#include <stddef.h>
#include <stdint.h>

typedef struct rc_context rc_context;
typedef struct rc_graph rc_graph;
typedef struct rc_session rc_session;
typedef struct rc_dataset rc_dataset;
typedef struct rc_trainer rc_trainer;
typedef struct rc_pruner rc_pruner;
typedef struct rc_quantizer rc_quantizer;

enum { OK_STATUS = 0, ERR_ARG = -1, ERR_ABI = -3, ERR_GOAL = -16 };

struct old_context_options {
    size_t size;
    void *(*allocate)(void *user, size_t size, size_t alignment);
    void (*release)(void *user, void *memory);
    void *allocator_user;
    uint64_t max_memory, threads;
};
struct old_network_options {
    size_t size;
    uint64_t classes, channels, height, width;
    double multiplier;
};
struct old_session_options {
    size_t size;
    uint64_t batch;
};
struct new_session_options {
    size_t size;
    uint64_t batch, threads, flags;
    const char *const *observe;
    uint64_t observe_count;
    uint64_t of_later[2];
};
struct old_latency_options {
    size_t size;
    double seconds;
    uint64_t min_runs, max_runs;
};
struct old_latency {
    size_t size;
    uint64_t runs;
    double min_ms;
};
struct new_latency {
    size_t size;
    uint64_t runs;
    double min_ms, mean_ms, median_ms, p90_ms, p99_ms, images_per_second, joules_per_image;
    const char *energy;
    uint64_t of_later[3];
};
struct old_graph_info {
    size_t size;
    uint64_t nodes, parameters;
};
struct old_node_info {
    size_t size;
    const char *name;
};
struct old_session_io_info {
    size_t size;
    const char *name;
    uint64_t rank;
};
struct old_session_step_info {
    size_t size;
    const char *name;
};
struct old_system_info {
    size_t size;
    const char *version;
};
struct old_dataset_source {
    size_t size;
    int32_t (*get)(void *user, uint64_t index, void *image, int32_t *label);
    void *user;
    uint64_t images, classes, channels, height, width, type;
};
struct old_dataset_options {
    size_t size;
    const char *split;
};
struct old_evaluate_options {
    size_t size;
    uint64_t batch;
};
struct old_evaluate_result {
    size_t size;
    uint64_t images;
};
struct old_train_options {
    size_t size;
    uint64_t epochs, batch;
};
struct old_train_result {
    size_t size;
    uint64_t epochs, steps;
};
struct old_prune_options {
    size_t size;
    const char *criterion;
};
struct old_prune_result {
    size_t size;
    uint64_t macs_before, macs_after;
};
struct old_prune_group_info {
    size_t size;
    const char *name;
    uint64_t channels;
};
struct old_quantize_options {
    size_t size;
    const char *observer;
    uint64_t images;
};
struct old_quantize_entry_info {
    size_t size;
    const char *name;
};
struct old_compress_options {
    size_t size;
    const char *recipe;
    const rc_dataset *train, *calib;
};
struct old_compress_result {
    size_t size;
    double top1_before, top1_after;
};

const char *rc_last_error(void);
int rc_context_new(rc_context **out, const void *options);
void rc_context_free(rc_context **context);
int rc_system_get_info(rc_context *context, void *info);
int rc_graph_new_network(rc_graph **out, rc_context *context, const char *architecture,
                         const void *options);
int rc_graph_get_info(const rc_graph *graph, void *info);
int rc_graph_get_node(const rc_graph *graph, uint64_t index, void *info);
void rc_graph_free(rc_graph **graph);
int rc_session_new(rc_session **out, const rc_graph *graph, const void *options);
int rc_session_get_input(const rc_session *session, uint64_t index, void *info);
int rc_session_get_step(const rc_session *session, uint64_t index, void *info);
void rc_session_free(rc_session **session);
int rc_measure_latency(rc_context *context, rc_session *const *sessions, uint64_t count,
                       const void *options, void *results);
int rc_dataset_new_callback(rc_dataset **out, rc_context *context, const void *source,
                            const void *options);
void rc_dataset_free(rc_dataset **dataset);
int rc_evaluate(const rc_graph *graph, const rc_dataset *dataset, const void *options,
                void *result);
int rc_trainer_new(rc_trainer **out, rc_graph *graph, const rc_dataset *dataset,
                   const void *options);
int rc_trainer_run(rc_trainer *trainer, void *result);
void rc_trainer_free(rc_trainer **trainer);
int rc_pruner_new(rc_pruner **out, const rc_graph *graph, const void *options);
int rc_pruner_get_group(const rc_pruner *pruner, uint64_t group, void *info);
int rc_pruner_apply(rc_graph **out, rc_pruner *pruner, void *result);
void rc_pruner_free(rc_pruner **pruner);
int rc_quantizer_new(rc_quantizer **out, const rc_graph *graph, const void *options);
int rc_quantizer_calibrate(rc_quantizer *quantizer, const rc_dataset *dataset);
int rc_quantizer_get_entry(const rc_quantizer *quantizer, uint64_t index, void *info);
int rc_quantizer_apply(rc_graph **out, rc_quantizer *quantizer);
void rc_quantizer_free(rc_quantizer **quantizer);
int rc_compress(rc_graph **out, const rc_graph *graph, const void *options, void *result);
#endif
