// From C++: the classes of rescomp.hpp, errors as exceptions.
//
//     cpp_embed [MODEL.onnx]
#include <rescomp/rescomp.hpp>

#include <algorithm>
#include <cstdio>
#include <vector>

int main(int argc, char **argv)
try {
    auto o = rescomp::options<rc_context_options>();
    o.threads = 2;
    const rescomp::Context context(o);
    const auto graph = argc > 1 ? rescomp::Graph::load(context, argv[1])
                                : rescomp::Graph::network(context, "resnet8");

    rescomp::Session session(graph);
    std::vector<float> x(session.input().per_image());
    for (size_t i = 0; i < x.size(); i++)
        x[i] = static_cast<float>(i % 17) / 17.0f;
    const auto y = session.run(x);
    std::printf("class %td of %zu\n", std::max_element(y.begin(), y.end()) - y.begin(), y.size());

    auto half = rescomp::options<rc_prune_options>();
    half.macs = 0.5;
    auto result = rescomp::options<rc_prune_result>();
    const rescomp::Outcome small = rescomp::Pruner(graph, half).apply(&result);
    std::printf("%s %.1f %% of the multiply-adds%s\n", small.met ? "kept" : "could only keep",
                100.0 * static_cast<double>(small.graph.info().macs) /
                    static_cast<double>(graph.info().macs),
                small.met ? "" : (": " + small.why).c_str());

    try {
        rescomp::Graph::load(context, "/no/such.onnx");
        return 1;
    } catch (const rescomp::Error &e) {
        std::printf("as it should: %s: %s\n", e.status_name(), e.what());
    }
    return 0;
} catch (const std::exception &e) {
    std::fprintf(stderr, "cpp_embed: %s\n", e.what());
    return 1;
}
