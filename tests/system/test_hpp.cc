// rescomp.hpp does what the C interface does: same numbers, one owner per handle, statuses as
// exceptions, a missed goal as a result.
#include <rescomp/rescomp.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>

static void expect(bool holds, const char *what, int line)
{
    if (holds)
        return;
    std::fprintf(stderr, "test_hpp.cc:%d: not so: %s\n", line, what);
    std::exit(1);
}
#define EXPECT(x) expect(x, #x, __LINE__)

static_assert(!std::is_copy_constructible_v<rescomp::Graph>);
static_assert(std::is_nothrow_move_constructible_v<rescomp::Graph>);
static_assert(std::is_convertible_v<std::vector<float> &, rescomp::View<const float>>);
static_assert(std::is_convertible_v<std::array<float, 3> &, rescomp::View<float>>);
static_assert(!std::is_convertible_v<const std::vector<float> &, rescomp::View<float>>);

static rc_status status_of(void (*f)(const rescomp::Context &))
{
    static const rescomp::Context context;
    try {
        f(context);
    } catch (const rescomp::Error &e) {
        EXPECT(std::strlen(e.what()) > 0);
        return e.status();
    }
    return RC_OK;
}

static void runs_like_the_c_interface(const rescomp::Context &context)
{
    const auto graph = rescomp::Graph::network(context, "resnet8");
    rescomp::Session session(graph);
    EXPECT(session.inputs() == 1 && session.outputs() == 1);
    EXPECT((session.input().shape == std::vector<int64_t>{1, 3, 32, 32}));
    std::vector<float> x(session.input().per_image());
    for (size_t i = 0; i < x.size(); i++)
        x[i] = static_cast<float>(i % 31) * 0.1f;
    const auto y = session.run(x);
    std::vector<float> expected(10);
    const float *in = x.data();
    float *out = expected.data();
    rescomp::check(rc_session_run(session.get(), 1, &in, &out));
    EXPECT(y == expected);
}

/* y = Transpose(x) of x [1, 3], as ONNX: y is [3, 1]. */
static void an_output_without_a_batch_has_its_whole_shape(const rescomp::Context &context)
{
    static const std::array<unsigned char, 72> bytes = {
        8,   8,   58,  64,  10,  17, 10, 1,   120, 18, 1,  121, 34,  9,  84, 114, 97, 110,
        115, 112, 111, 115, 101, 18, 1,  103, 90,  19, 10, 1,   120, 18, 14, 10,  12, 8,
        1,   18,  8,   10,  2,   8,  1,  10,  2,   8,  3,  98,  19,  10, 1,  121, 18, 14,
        10,  12,  8,   1,   18,  8,  10, 2,   8,   3,  10, 2,   8,   1,  66, 2,   16, 13};
    rescomp::Session session(rescomp::Graph::load(context, bytes));
    EXPECT(session.input().batched && !session.output().batched);
    EXPECT((session.run(std::vector<float>{1, 2, 3}) == std::vector<float>{1, 2, 3}));
}

static void graphs_are_saved_loaded_and_moved(const rescomp::Context &context)
{
    const char *tmp = std::getenv("TMPDIR");
    const std::string path = std::string(tmp ? tmp : "/tmp") + "/test_hpp.onnx";
    auto graph = rescomp::Graph::network(context, "resnet8");
    graph.set_metadata("who", "test");
    graph.save(path);
    const auto again = rescomp::Graph::load(context, path);
    std::remove(path.c_str());
    EXPECT(again.metadata("who") == "test" && again.metadata("none").empty());
    EXPECT(again.info().parameters == graph.info().parameters);
    rescomp::Graph moved = std::move(graph);
    EXPECT(!graph && moved);
    const auto node = moved.node(0);
    EXPECT(node.op && node.parameters > 0);
    auto copy = moved.clone();
    copy.fuse();
    EXPECT(copy.info().nodes < moved.info().nodes);
}

static void pruning_gives_the_graph_even_when_the_goal_is_missed(const rescomp::Context &context)
{
    const auto graph = rescomp::Graph::network(context, "resnet8");
    auto o = rescomp::options<rc_prune_options>();
    o.macs = 0.5;
    rescomp::Pruner pruner(graph, o);
    EXPECT(pruner.groups() > 0 && pruner.scores(0).size() == pruner.group(0).channels);
    const auto half = pruner.apply();
    EXPECT(half.met && half.why.empty());
    EXPECT(half.graph.info().macs * 2 <= graph.info().macs);
    o.macs = 1e-6;
    const auto least = rescomp::Pruner(graph, o).apply();
    EXPECT(!least.met && !least.why.empty());
    EXPECT(least.graph && least.graph.info().macs < half.graph.info().macs);
}

static int32_t bright_half(void *, uint64_t index, void *image, int32_t *label)
{
    *label = static_cast<int32_t>(index % 10);
    if (image)
        for (int i = 0; i < 3 * 32 * 32; i++)
            static_cast<unsigned char *>(image)[i] =
                static_cast<unsigned char>(static_cast<int>(index) * 7 + i);
    return 0;
}

static void trains_evaluates_and_quantizes(const rescomp::Context &context)
{
    auto source = rescomp::options<rc_dataset_source>();
    source.get = bright_half;
    source.images = 64;
    source.classes = 10;
    source.channels = 3;
    source.height = source.width = 32;
    const rescomp::Dataset data(context, source);
    EXPECT(data.images() > 0 && data.classes() == 10);
    const auto teacher = rescomp::Graph::network(context, "resnet8");
    auto graph = teacher.clone();
    auto o = rescomp::options<rc_train_options>();
    o.batch = 16;
    rescomp::Trainer trainer(graph, data, o);
    rescomp::Distiller distiller(teacher);
    distiller.attach(trainer);
    EXPECT(trainer.run().steps > 0);
    EXPECT(rescomp::evaluate(graph, data).images == data.images());
    rescomp::Quantizer quantizer(graph);
    quantizer.calibrate(data);
    EXPECT(quantizer.apply().info().nodes > graph.info().nodes);
    rescomp::Report report(context, "a title");
    EXPECT(report.json().find("a title") != std::string::npos);
    EXPECT(report.html().find("a title") != std::string::npos);
    EXPECT(rescomp::Report::compare(report, report).json().find("a title against a title") !=
           std::string::npos);
}

static void failures_are_exceptions_with_their_status()
{
    EXPECT(status_of([](const rescomp::Context &c) { rescomp::Graph::load(c, "/no/such.onnx"); }) ==
           RC_ERR_PATH);
    EXPECT(status_of([](const rescomp::Context &c) { rescomp::Graph::network(c, "resnet7"); }) ==
           RC_ERR_ARG);
    EXPECT(status_of([](const rescomp::Context &c) {
               const std::array<unsigned char, 4> bytes = {1, 2, 3, 4};
               rescomp::Graph::load(c, bytes);
           }) < 0);
    EXPECT(status_of([](const rescomp::Context &c) {
               rescomp::Session session(rescomp::Graph::network(c, "resnet8"));
               session.run(std::vector<float>(5));
           }) == RC_ERR_ARG);
    EXPECT(status_of([](const rescomp::Context &c) {
               rescomp::Graph::network(c, "resnet8").weight("none");
           }) == RC_ERR_ARG);
}

int main()
{
    auto o = rescomp::options<rc_context_options>();
    o.threads = 1;
    o.seed = 3;
    const rescomp::Context context(o);
    EXPECT(context.system().threads == 1);
    runs_like_the_c_interface(context);
    an_output_without_a_batch_has_its_whole_shape(context);
    graphs_are_saved_loaded_and_moved(context);
    pruning_gives_the_graph_even_when_the_goal_is_missed(context);
    trains_evaluates_and_quantizes(context);
    failures_are_exceptions_with_their_status();
    return 0;
}
