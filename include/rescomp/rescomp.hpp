/**
 * @file rescomp/rescomp.hpp
 * C++17 over the C interface, header only: objects that free themselves, errors as exceptions,
 * arrays as views of contiguous containers.
 *
 * Every class owns one handle, moves and does not copy; get() lends the handle to rc_* functions,
 * which is the way to what has no method here. Options are the C structs, made by options<T>():
 *
 *     rescomp::Context context;
 *     auto graph = rescomp::Graph::load(context, "model.onnx");
 *     auto o = rescomp::options<rc_prune_options>();
 *     o.macs = 0.5;
 *     rescomp::Outcome small = rescomp::Pruner(graph, o).apply();
 *     small.graph.save("small.onnx");
 *
 * Lifetimes are the C interface's: a context outlives what is made from it, a data set the pruner,
 * trainer or quantizer that borrows it. Each function throws rescomp::Error where the C function
 * returns a status below 0; the statuses and thread safety are documented there.
 */
#ifndef RESCOMP_RESCOMP_HPP
#define RESCOMP_RESCOMP_HPP

#include <rescomp/rescomp.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace rescomp
{

/** A failed call: what() is rc_last_error(), one line. */
class Error : public std::runtime_error
{
  public:
    explicit Error(rc_status status) : std::runtime_error(rc_last_error()), status_(status)
    {
    }
    Error(rc_status status, const std::string &what) : std::runtime_error(what), status_(status)
    {
    }
    rc_status status() const noexcept
    {
        return status_;
    }
    const char *status_name() const noexcept
    {
        return rc_status_name(status_);
    }

  private:
    rc_status status_;
};

/** Throws Error unless @p status is RC_OK. */
inline void check(rc_status status)
{
    if (status != RC_OK)
        throw Error(status);
}

/** Options or results of the C interface with every default: options<rc_train_options>(). */
template <typename T> T options() noexcept
{
    T o{};
    o.size = sizeof(T);
    return o;
}

/** A pointer and a count: what std::span is from C++20 on, which converts to it. Borrows. */
template <typename T> class View
{
  public:
    constexpr View() noexcept = default;
    constexpr View(T *data, std::size_t size) noexcept : data_(data), size_(size)
    {
    }
    /** Any container with data() and size(): std::vector, std::array, std::span, std::string. */
    template <typename C, typename = std::enable_if_t<
                              std::is_convertible_v<decltype(std::declval<C &>().data()), T *> &&
                              !std::is_same_v<std::decay_t<C>, View>>>
    constexpr View(C &&c) noexcept : data_(c.data()), size_(c.size())
    {
    }
    constexpr T *data() const noexcept
    {
        return data_;
    }
    constexpr std::size_t size() const noexcept
    {
        return size_;
    }
    constexpr bool empty() const noexcept
    {
        return !size_;
    }
    constexpr T &operator[](std::size_t i) const noexcept
    {
        return data_[i];
    }
    constexpr T *begin() const noexcept
    {
        return data_;
    }
    constexpr T *end() const noexcept
    {
        return data_ + size_;
    }

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/** Owns a handle that rc_x_free(&x) releases. */
template <typename T, void (*Free)(T **)> class Handle
{
  public:
    Handle() noexcept = default;
    explicit Handle(T *owned) noexcept : owned_(owned)
    {
    }
    T *get() const noexcept
    {
        return owned_.get();
    }
    explicit operator bool() const noexcept
    {
        return owned_ != nullptr;
    }
    /** Gives the handle away; the caller frees it. */
    T *release() noexcept
    {
        return owned_.release();
    }

  protected:
    /** Calls @p function(&handle, arguments...) and takes what it made. */
    template <typename F, typename... Args> static T *make(F function, Args... arguments)
    {
        T *out = nullptr;
        check(function(&out, arguments...));
        return out;
    }

  private:
    struct Freer {
        void operator()(T *p) const noexcept
        {
            Free(&p);
        }
    };
    std::unique_ptr<T, Freer> owned_;
};

/** rc_context: threads, seed, limits, callbacks. */
class Context : public Handle<rc_context, rc_context_free>
{
  public:
    Context() : Context(options<rc_context_options>())
    {
    }
    explicit Context(const rc_context_options &o) : Handle(make(rc_context_new, &o))
    {
    }
    /** Processor, caches, versions, self-test. */
    rc_system_info system() const
    {
        auto info = options<rc_system_info>();
        check(rc_system_get_info(get(), &info));
        return info;
    }
};

/** A f32 weight: borrowed until the graph changes. */
struct Weight {
    View<const float> values;
    std::vector<int64_t> shape;
};

/** rc_graph: a model. */
class Graph : public Handle<rc_graph, rc_graph_free>
{
  public:
    using Handle::Handle;

    /** @param path ONNX file. */
    static Graph load(const Context &context, const std::string &path)
    {
        return Graph(make(rc_graph_load, context.get(), path.c_str()));
    }
    static Graph load(const Context &context, const std::string &path,
                      const rc_graph_load_options &o)
    {
        return Graph(make(rc_graph_load_with, context.get(), path.c_str(), &o));
    }
    /** @param bytes An ONNX model in memory, read during the call only. */
    static Graph load(const Context &context, View<const unsigned char> bytes)
    {
        return Graph(make(rc_graph_load_memory, context.get(),
                          static_cast<const void *>(bytes.data()), bytes.size()));
    }
    /** A standard network with fresh weights, such as "resnet20". */
    static Graph network(const Context &context, const std::string &architecture,
                         const rc_network_options &o = options<rc_network_options>())
    {
        return Graph(make(rc_graph_new_network, context.get(), architecture.c_str(), &o));
    }
    Graph clone() const
    {
        return Graph(make(rc_graph_clone, static_cast<const rc_graph *>(get())));
    }
    void save(const std::string &path) const
    {
        check(rc_graph_save(get(), path.c_str()));
    }
    void save(const std::string &path, const rc_graph_save_options &o) const
    {
        check(rc_graph_save_with(get(), path.c_str(), &o));
    }
    /** A packed file, .rcz; load() opens it. */
    void save_packed(const std::string &path,
                     const rc_pack_options &o = options<rc_pack_options>()) const
    {
        check(rc_graph_save_packed(get(), path.c_str(), &o));
    }
    /** Nodes, parameters, multiply-adds, bytes. */
    rc_graph_info info() const
    {
        auto info = options<rc_graph_info>();
        check(rc_graph_get_info(get(), &info));
        return info;
    }
    /** Node @p index in execution order. */
    rc_node_info node(uint64_t index) const
    {
        auto info = options<rc_node_info>();
        check(rc_graph_get_node(get(), index, &info));
        return info;
    }
    Weight weight(const std::string &name) const
    {
        const float *data = nullptr;
        int64_t dims[8] = {};
        uint64_t rank = 0;
        check(rc_graph_get_weight(get(), name.c_str(), &data, dims, &rank));
        if (!data)
            throw Error(RC_ERR_UNSUPPORTED, "weight \"" + name + "\" is not of type f32");
        std::vector<int64_t> shape(dims, dims + rank);
        std::size_t n = 1;
        for (const int64_t d : shape)
            n *= static_cast<std::size_t>(d);
        return Weight{{data, n}, std::move(shape)};
    }
    /** "" when the key is absent. */
    std::string metadata(const std::string &key) const
    {
        const char *value = nullptr;
        check(rc_graph_get_metadata(get(), key.c_str(), &value));
        return value ? value : "";
    }
    void set_metadata(const std::string &key, const std::string &value)
    {
        check(rc_graph_set_metadata(get(), key.c_str(), value.c_str()));
    }
    /** Folds BatchNormalization and constants, in place. */
    void fuse()
    {
        check(rc_graph_fuse(get()));
    }
};

/** An input or output of a session: its name, and its shape at the compiled batch. */
struct Port {
    std::string name;
    std::vector<int64_t> shape;
    bool batched; /**< Arrays hold one row for each image; else always the whole shape. */
    /** Numbers of one image. */
    std::size_t per_image() const
    {
        std::size_t n = 1;
        for (std::size_t i = 1; i < shape.size(); i++)
            n *= static_cast<std::size_t>(shape[i]);
        return n;
    }
    /** Numbers in an array of @p images images. */
    std::size_t count(uint64_t images) const
    {
        if (batched)
            return static_cast<std::size_t>(images) * per_image();
        return shape.empty() ? 1 : static_cast<std::size_t>(shape[0]) * per_image();
    }
};

/** rc_session: a compiled model. Not for several threads at once. */
class Session : public Handle<rc_session, rc_session_free>
{
  public:
    explicit Session(const Graph &graph,
                     const rc_session_options &o = options<rc_session_options>())
        : Handle(make(rc_session_new, static_cast<const rc_graph *>(graph.get()), &o))
    {
    }
    Session(const Context &context, const std::string &path,
            const rc_session_options &o = options<rc_session_options>())
        : Handle(make(rc_session_load, context.get(), path.c_str(), &o))
    {
    }
    std::size_t inputs() const noexcept
    {
        return rc_session_count_inputs(get());
    }
    std::size_t outputs() const noexcept
    {
        return rc_session_count_outputs(get());
    }
    Port input(std::size_t index = 0) const
    {
        return port(rc_session_get_input, index);
    }
    Port output(std::size_t index = 0) const
    {
        return port(rc_session_get_output, index);
    }
    /**
     * A model of one input: the first output for @p images images.
     *
     * @param x **[images, C, H, W]**, row-major.
     * @return **[images, ...]** of the first output, or its whole shape where it has no batch. The
     *         other outputs are computed and dropped; rc_session_run() gives all.
     */
    std::vector<float> run(View<const float> x, uint64_t images = 1)
    {
        if (inputs() != 1)
            throw Error(RC_ERR_ARG, "the model has " + std::to_string(inputs()) +
                                        " inputs, this function is for one");
        if (x.size() != input().count(images))
            throw Error(RC_ERR_ARG, "x has " + std::to_string(x.size()) + " numbers, expected " +
                                        std::to_string(input().count(images)));
        std::vector<float> y(output().count(images));
        std::vector<float *> out(outputs()); /* NULL: dropped */
        out.at(0) = y.data();
        const float *in = x.data();
        check(rc_session_run(get(), images, &in, out.data()));
        return y;
    }

  private:
    template <typename F> Port port(F function, std::size_t index) const
    {
        auto info = options<rc_session_io_info>();
        check(function(get(), index, &info));
        return Port{info.name, std::vector<int64_t>(info.shape, info.shape + info.rank),
                    info.batched != 0};
    }
};

/** rc_dataset: labelled images. */
class Dataset : public Handle<rc_dataset, rc_dataset_free>
{
  public:
    /** @param spec "KIND:PATH", such as "cifar10:DIR" or "folder:DIR". */
    Dataset(const Context &context, const std::string &spec,
            const rc_dataset_options &o = options<rc_dataset_options>())
        : Handle(make(rc_dataset_open, context.get(), spec.c_str(), &o))
    {
    }
    /** Images by callback; @p source is copied. */
    Dataset(const Context &context, const rc_dataset_source &source,
            const rc_dataset_options &o = options<rc_dataset_options>())
        : Handle(make(rc_dataset_new_callback, context.get(), &source, &o))
    {
    }
    uint64_t images() const noexcept
    {
        return rc_dataset_count_images(get());
    }
    uint64_t classes() const noexcept
    {
        return rc_dataset_count_classes(get());
    }
    std::string class_name(uint64_t index) const
    {
        const char *name = rc_dataset_get_class_name(get(), index);
        return name ? name : "";
    }
};

/** Accuracy and loss of @p graph on @p dataset. */
inline rc_evaluate_result evaluate(const Graph &graph, const Dataset &dataset,
                                   const rc_evaluate_options &o = options<rc_evaluate_options>())
{
    auto result = options<rc_evaluate_result>();
    check(rc_evaluate(graph.get(), dataset.get(), &o, &result));
    return result;
}

/** A new graph, and whether it is as small or good as was asked for. */
struct Outcome {
    Graph graph;
    bool met = true; /**< False where the C function returned RC_ERR_GOAL: the best there is. */
    std::string why; /**< The message then. */
};

/** @p function(&graph, arguments...), where RC_ERR_GOAL is a result too. */
template <typename F, typename... Args> Outcome outcome(F function, Args... arguments)
{
    rc_graph *out = nullptr;
    const rc_status status = function(&out, arguments...);
    if (status != RC_OK && status != RC_ERR_GOAL)
        throw Error(status);
    return Outcome{Graph(out), status == RC_OK, status == RC_OK ? "" : rc_last_error()};
}

/** rc_pruner: cuts channels. */
class Pruner : public Handle<rc_pruner, rc_pruner_free>
{
  public:
    explicit Pruner(const Graph &graph, const rc_prune_options &o = options<rc_prune_options>())
        : Handle(make(rc_pruner_new, static_cast<const rc_graph *>(graph.get()), &o))
    {
    }
    uint64_t groups() const noexcept
    {
        return rc_pruner_count_groups(get());
    }
    rc_prune_group_info group(uint64_t index) const
    {
        auto info = options<rc_prune_group_info>();
        check(rc_pruner_get_group(get(), index, &info));
        return info;
    }
    /** Borrowed until the pruner is freed. */
    View<const double> scores(uint64_t group)
    {
        const double *scores = nullptr;
        uint64_t count = 0;
        check(rc_pruner_get_scores(get(), group, &scores, &count));
        return {scores, static_cast<std::size_t>(count)};
    }
    void cut(uint64_t group, View<const uint64_t> channels)
    {
        check(rc_pruner_cut(get(), group, channels.data(), channels.size()));
    }
    /** @param result Filled where it is given. */
    Outcome apply(rc_prune_result *result = nullptr)
    {
        return outcome(rc_pruner_apply, get(), result);
    }
};

/** rc_quantizer: integers. */
class Quantizer : public Handle<rc_quantizer, rc_quantizer_free>
{
  public:
    explicit Quantizer(const Graph &graph,
                       const rc_quantize_options &o = options<rc_quantize_options>())
        : Handle(make(rc_quantizer_new, static_cast<const rc_graph *>(graph.get()), &o))
    {
    }
    void calibrate(const Dataset &dataset)
    {
        check(rc_quantizer_calibrate(get(), dataset.get()));
    }
    Graph apply()
    {
        rc_graph *out = nullptr;
        check(rc_quantizer_apply(&out, get()));
        return Graph(out);
    }
    /** The trained trainable form with integer constants. */
    static Graph finish(const Graph &trained)
    {
        rc_graph *out = nullptr;
        check(rc_quantizer_finish(&out, trained.get()));
        return Graph(out);
    }
};

/** rc_trainer: trains a graph in place. */
class Trainer : public Handle<rc_trainer, rc_trainer_free>
{
  public:
    Trainer(Graph &graph, const Dataset &dataset,
            const rc_train_options &o = options<rc_train_options>())
        : Handle(
              make(rc_trainer_new, graph.get(), static_cast<const rc_dataset *>(dataset.get()), &o))
    {
    }
    rc_train_result run()
    {
        auto result = options<rc_train_result>();
        check(rc_trainer_run(get(), &result));
        return result;
    }
};

/** Steps and weights of a graph that the quantizer made with a qat method. Outlives the run. */
inline void attach(Quantizer &quantizer, Trainer &trainer)
{
    check(rc_quantizer_attach(quantizer.get(), trainer.get()));
}

/** rc_distiller: a teacher for a trainer. Outlives the trainer's run. */
class Distiller : public Handle<rc_distiller, rc_distiller_free>
{
  public:
    explicit Distiller(const Graph &teacher,
                       const rc_distill_options &o = options<rc_distill_options>())
        : Handle(make(rc_distiller_new, static_cast<const rc_graph *>(teacher.get()), &o))
    {
    }
    void attach(Trainer &trainer)
    {
        check(rc_distiller_attach(get(), trainer.get()));
    }
};

/** rc_report: JSON and HTML of a run. */
class Report : public Handle<rc_report, rc_report_free>
{
  public:
    Report(const Context &context, const std::string &title)
        : Handle(make(rc_report_new, context.get(), title.c_str()))
    {
    }
    /** A report that was saved: report.json, or its folder. */
    static Report load(const Context &context, const std::string &path)
    {
        return Report(make(rc_report_load, context.get(), path.c_str()));
    }
    /** What two runs ended with, side by side. */
    static Report compare(const Report &a, const Report &b)
    {
        return Report(make(rc_report_compare, a.get(), b.get()));
    }
    std::string json()
    {
        return text(rc_report_get_json);
    }
    std::string html()
    {
        return text(rc_report_get_html);
    }
    void save(const std::string &folder)
    {
        check(rc_report_save(get(), folder.c_str()));
    }

  private:
    explicit Report(rc_report *owned) noexcept : Handle(owned)
    {
    }
    template <typename F> std::string text(F function)
    {
        const char *borrowed = nullptr;
        check(function(get(), &borrowed));
        return borrowed;
    }
};

/** A whole recipe in a closed loop against the goals of @p o, whose train and calib must be set. */
inline Outcome compress(const Graph &graph, const rc_compress_options &o,
                        rc_compress_result *result = nullptr)
{
    return outcome(rc_compress, static_cast<const rc_graph *>(graph.get()), &o, result);
}

} // namespace rescomp
#endif
