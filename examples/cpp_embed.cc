// From C++: handles that free themselves, errors as exceptions, tensors in std::vector.
//
//     cpp_embed [MODEL.onnx]
#include <rescomp/rescomp.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace rescomp
{

struct Error : std::runtime_error {
    explicit Error(rc_status s) : std::runtime_error(rc_last_error()), status(s)
    {
    }
    rc_status status;
};

inline void check(rc_status status)
{
    if (status != RC_OK)
        throw Error(status);
}

// A unique_ptr whose deleter is rc_x_free(&x).
template <typename T, void (*Free)(T **)> struct Freer {
    void operator()(T *p) const
    {
        Free(&p);
    }
};
template <typename T, void (*Free)(T **)> using Handle = std::unique_ptr<T, Freer<T, Free>>;
using Context = Handle<rc_context, rc_context_free>;
using Graph = Handle<rc_graph, rc_graph_free>;
using Session = Handle<rc_session, rc_session_free>;

// make<Graph>(rc_graph_load, context, path): calls rc_graph_load(&out, context, path).
template <typename H, typename F, typename... Args> H make(F function, Args... args)
{
    typename H::pointer out = nullptr;
    check(function(&out, args...));
    return H(out);
}

// Of the first input or output: get is rc_session_get_input or rc_session_get_output.
template <typename F> std::vector<int64_t> shape(const Session &session, F get)
{
    rc_session_io_info info = RC_SESSION_IO_INFO_INIT;
    check(get(session.get(), 0, &info));
    return std::vector<int64_t>(info.shape, info.shape + info.rank);
}

inline std::vector<float> run(const Session &session, const std::vector<float> &x, uint64_t images)
{
    const auto dims = shape(session, rc_session_get_output);
    std::vector<float> y(std::accumulate(dims.begin(), dims.end(), size_t(1), std::multiplies<>()));
    const float *in = x.data();
    float *out = y.data();
    check(rc_session_run(session.get(), images, &in, &out));
    return y;
}

} // namespace rescomp

int main(int argc, char **argv)
try {
    using namespace rescomp;
    rc_context_options options = RC_CONTEXT_OPTIONS_INIT;
    options.threads = 2;
    const auto context = make<Context>(rc_context_new, &options);
    const auto graph = argc > 1 ? make<Graph>(rc_graph_load, context.get(), argv[1])
                                : make<Graph>(rc_graph_new_network, context.get(), "resnet8",
                                              static_cast<const rc_network_options *>(nullptr));
    const auto session = make<Session>(rc_session_new, graph.get(),
                                       static_cast<const rc_session_options *>(nullptr));
    const auto dims = shape(session, rc_session_get_input);
    std::vector<float> x(std::accumulate(dims.begin(), dims.end(), size_t(1), std::multiplies<>()));
    for (size_t i = 0; i < x.size(); i++)
        x[i] = static_cast<float>(i % 17) / 17.0f;
    const auto y = run(session, x, 1);
    std::printf("class %td of %zu\n", std::max_element(y.begin(), y.end()) - y.begin(), y.size());
    try {
        make<Graph>(rc_graph_load, context.get(), "/no/such.onnx");
        return 1;
    } catch (const Error &e) {
        std::printf("as it should: %s: %s\n", rc_status_name(e.status), e.what());
    }
    return 0;
} catch (const std::exception &e) {
    std::fprintf(stderr, "cpp_embed: %s\n", e.what());
    return 1;
}
