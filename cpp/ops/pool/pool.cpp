// Poolings. The gradient of a maximum goes to its place, that of a mean to all places of the window: linear maps whose
// transposes are written here too, so that they can be differentiated in turn.
#include "autograd/node.h"
#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/pool/windows.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using pool::Integers;
using pool::Layout;
using pool::LayoutPtr;
using pool::Options;

namespace {

constexpr int64_t kGrain = 16384;  // results per thread

template <class T>
const kernels::pool::PoolTable<T>& table() {
  if constexpr (sizeof(T) == 4) {
    return kernels::pool::pool_f32();
  } else {
    return kernels::pool::pool_f64();
  }
}

template <class F>
void with_type(DType d, F&& f) {
  d == DType::Float64 ? f(double{}) : f(float{});
}

Tensor as_computed(const Tensor& t) { return contiguous(to_dtype(t, compute_type(t.dtype()))); }

// In the memory format of the input.
Tensor in_format(const Tensor& out, const Tensor& input) {
  if (input.contiguous() || input.ndim() < 4 || input.ndim() > 5) return out;
  const MemoryFormat format = input.ndim() == 4 ? MemoryFormat::ChannelsLast : MemoryFormat::ChannelsLast3d;
  return format_strides(input.sizes(), format, "pool") == input.strides() ? contiguous(out, format) : out;
}

// f(plane) for all planes.
template <class F>
void over_planes(const Layout& l, int64_t planes, F&& f) {
  const int64_t work = std::max<int64_t>(1, std::max(l.in_plane(), l.out_plane()));
  parallel_for(planes, std::max<int64_t>(1, kGrain / work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i);
  });
}

// ---- maxima ----------------------------------------------------------------------------------------------------

Tensor take(const Tensor& input, const Tensor& index, const LayoutPtr& l);

// A tensor like the input with `gradient` added at the places of `index`.
Tensor put(const Tensor& gradient, const Tensor& index, const LayoutPtr& l) {
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor g = as_computed(gradient);
    const int64_t in_plane = l->in_plane(), out_plane = l->out_plane();
    out = empty(l->in_sizes(g), g.dtype(), "max_pool");
    with_type(g.dtype(), [&]<class T>(T) {
      over_planes(*l, out_plane ? out.numel() / in_plane : 0, [&](int64_t i) {
        T* to = out.data<T>() + i * in_plane;
        const T* from = g.data<T>() + i * out_plane;
        const int32_t* at = index.data<int32_t>() + i * out_plane;
        std::fill_n(to, in_plane, T(0));
        for (int64_t k = 0; k < out_plane; ++k) to[at[k]] += from[k];
      });
    });
    if (out_plane == 0) zero_raw(out);
    out = in_format(to_dtype(out, gradient.dtype()), gradient);
  }
  if (needs_grad(gradient)) {
    record({}, "MaxPoolBackwardBackward0", out, {&gradient}, [i = save(index), l](Backward& b) { b.set(0, take(b.grad(), i.get(b), l)); });
  }
  return out;
}

// The elements at the places of `index`.
Tensor take(const Tensor& input, const Tensor& index, const LayoutPtr& l) {
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor x = as_computed(input);
    const int64_t in_plane = l->in_plane(), out_plane = l->out_plane();
    out = empty(index.sizes(), x.dtype(), "max_pool");
    with_type(x.dtype(), [&]<class T>(T) {
      over_planes(*l, out_plane ? out.numel() / out_plane : 0, [&](int64_t i) {
        const T* from = x.data<T>() + i * in_plane;
        const int32_t* at = index.data<int32_t>() + i * out_plane;
        for (int64_t k = 0; k < out_plane; ++k) out.data<T>()[i * out_plane + k] = from[at[k]];
      });
    });
    out = in_format(to_dtype(out, input.dtype()), input);
  }
  if (needs_grad(input)) {
    record({}, "MaxPoolTakeBackward0", out, {&input}, [i = save(index), l](Backward& b) { b.set(0, put(b.grad(), i.get(b), l)); });
  }
  return out;
}

// One layout for all planes, or one for each.
using Layouts = std::vector<LayoutPtr>;

struct Maxima {
  Tensor values, places;  // places: int32, in the plane
};

Maxima maxima(const char* op, const Tensor& input, const Layouts& layouts) {
  const Layout& l = *layouts[0];
  Maxima out;
  if (!is_floating(input.dtype())) {
    std::tie(out.values, out.places) = pool::integer_maxima(op, input, l);
    return out;
  }
  {
    const autograd::GradGuard off(false);
    const Tensor x = as_computed(input);
    out.values = empty(l.out_sizes(x), x.dtype(), op);
    out.places = empty(out.values.sizes(), DType::Int32, op);
    const int64_t out_plane = l.out_plane();
    with_type(x.dtype(), [&]<class T>(T) {
      over_planes(l, out_plane ? out.values.numel() / out_plane : 0, [&](int64_t i) {
        const Layout& own = layouts.size() > 1 ? *layouts[static_cast<size_t>(i)] : l;
        const kernels::pool::Windows w = own.windows();
        thread_local std::vector<double> scratch;
        scratch.resize(static_cast<size_t>(kernels::pool::scratch_size(w)));
        table<T>().max(w, x.data<T>() + i * l.in_plane(), out.values.data<T>() + i * out_plane, out.places.data<int32_t>() + i * out_plane,
                       scratch.data());
      });
    });
    out.values = in_format(to_dtype(out.values, input.dtype()), input);
  }
  if (needs_grad(input)) {
    record({}, "MaxPoolWithIndicesBackward0", out.values, {&input},
           [i = save(out.places), l = layouts[0]](Backward& b) { b.set(0, put(b.grad(), i.get(b), l)); });
  }
  return out;
}

std::tuple<Tensor, Tensor> with_places(const Maxima& m) { return {m.values, to_dtype(m.places, DType::Int64)}; }

// ---- means -----------------------------------------------------------------------------------------------------

Tensor spread_means(const char* op, const Tensor& gradient, const LayoutPtr& l);

// `to_windows`: from the input to the results; else the transpose.
Tensor run_means(const char* op, const Tensor& given, const Layout& l, bool to_windows) {
  const autograd::GradGuard off(false);
  const Tensor x = as_computed(given);
  const Tensor out = empty(to_windows ? l.out_sizes(x) : l.in_sizes(x), x.dtype(), op);
  const int64_t in_plane = l.in_plane(), out_plane = l.out_plane();
  if (out_plane == 0) zero_raw(out);
  with_type(x.dtype(), [&]<class T>(T) {
    std::vector<T> divisors[3];
    const T* divisor[3];
    for (int d = 0; d < 3; ++d) {
      divisors[d].assign(l.divisor[d].begin(), l.divisor[d].end());
      divisor[d] = divisors[d].data();
    }
    const kernels::pool::Windows w = l.windows();
    over_planes(l, out_plane ? out.numel() / (to_windows ? out_plane : in_plane) : 0, [&](int64_t i) {
      thread_local std::vector<double> scratch;
      scratch.resize(static_cast<size_t>(kernels::pool::scratch_size(w)));
      if (to_windows) {
        table<T>().mean(w, x.data<T>() + i * in_plane, divisor, out.data<T>() + i * out_plane, scratch.data());
      } else {
        table<T>().spread(w, x.data<T>() + i * out_plane, divisor, out.data<T>() + i * in_plane, scratch.data());
      }
    });
  });
  return in_format(to_dtype(out, given.dtype()), given);
}

Tensor means(const char* op, const Tensor& input, const LayoutPtr& l) {
  if (!is_floating(input.dtype())) return pool::integer_means(op, input, *l);
  const Tensor out = run_means(op, input, *l, true);
  if (needs_grad(input)) {
    record({}, "AvgPoolBackward0", out, {&input}, [op, l](Backward& b) { b.set(0, spread_means(op, b.grad(), l)); });
  }
  return out;
}

Tensor spread_means(const char* op, const Tensor& gradient, const LayoutPtr& l) {
  const Tensor out = run_means(op, gradient, *l, false);
  if (needs_grad(gradient)) {
    record({}, "AvgPoolBackwardBackward0", out, {&gradient}, [op, l](Backward& b) { b.set(0, means(op, b.grad(), l)); });
  }
  return out;
}

// ---- the ops ---------------------------------------------------------------------------------------------------

IntSpan given(const std::optional<IntSpan>& stride) { return stride ? *stride : IntSpan(); }

template <int kDims>
Tensor max_pool(const Tensor& input, IntSpan kernel_size, std::optional<IntSpan> stride, IntSpan padding, IntSpan dilation,
                bool ceil_mode) {
  static constexpr const char* kNames[] = {"max_pool1d", "max_pool2d", "max_pool3d"};
  Options o{kNames[kDims - 1], kDims, kernel_size, given(stride), padding, dilation, ceil_mode};
  if (kDims > 1) o.integers = Integers::All;
  return maxima(o.op, input, {moving_windows(o, input)}).values;
}

template <int kDims>
std::tuple<Tensor, Tensor> max_pool_with_indices(const Tensor& input, IntSpan kernel_size, std::optional<IntSpan> stride, IntSpan padding,
                                                 IntSpan dilation, bool ceil_mode, bool) {
  static constexpr const char* kNames[] = {"max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices"};
  Options o{kNames[kDims - 1], kDims, kernel_size, given(stride), padding, dilation, ceil_mode};
  o.integers = Integers::All;
  return with_places(maxima(o.op, input, {moving_windows(o, input)}));
}

template <int kDims>
Tensor avg_pool(const Tensor& input, IntSpan kernel_size, std::optional<IntSpan> stride, IntSpan padding, bool ceil_mode,
                bool count_include_pad, std::optional<int64_t> divisor_override) {
  static constexpr const char* kNames[] = {"avg_pool1d", "avg_pool2d", "avg_pool3d"};
  static constexpr int64_t one[] = {1};
  Options o{kNames[kDims - 1], kDims, kernel_size, given(stride), padding, one, ceil_mode, count_include_pad, divisor_override};
  o.integers = Integers::Int64;
  return means(o.op, input, moving_windows(o, input));
}
Tensor avg_pool_1d(const Tensor& input, IntSpan kernel_size, std::optional<IntSpan> stride, IntSpan padding, bool ceil_mode,
                   bool count_include_pad) {
  return avg_pool<1>(input, kernel_size, stride, padding, ceil_mode, count_include_pad, std::nullopt);
}

template <int kDims>
Tensor adaptive_avg_pool(const Tensor& input, IntSpan output_size) {
  static constexpr const char* kNames[] = {"adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"};
  const LayoutPtr l = pool::even_windows(kNames[kDims - 1], kDims, input, output_size);
  if (l->out_plane() != 1) return means(kNames[kDims - 1], input, l);
  Dims dims;
  for (int d = input.ndim() - kDims; d < input.ndim(); ++d) dims.push_back(d);
  return mean(input, IntSpan(dims), true);
}

template <int kDims>
std::tuple<Tensor, Tensor> adaptive_max_pool(const Tensor& input, IntSpan output_size) {
  static constexpr const char* kNames[] = {"adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"};
  return with_places(maxima(kNames[kDims - 1], input, {pool::even_windows(kNames[kDims - 1], kDims, input, output_size)}));
}

// Pseudo-random windows (Graham, "Fractional max-pooling", 2014): window i of a dim begins at
// floor((i + u) alpha) - floor(u alpha) with alpha = (in - kernel) / (out - 1), the last one at the end.
void add_fractional(Layout& l, int d, double u, int64_t kernel) {
  const double alpha = l.out[d] > 1 ? static_cast<double>(l.in[d] - kernel) / static_cast<double>(l.out[d] - 1) : 0;
  for (int64_t i = 0; i < l.out[d]; ++i) {
    int64_t first = static_cast<int64_t>((static_cast<double>(i) + u) * alpha) - static_cast<int64_t>(u * alpha);
    if (i == l.out[d] - 1) first = l.in[d] - kernel;
    first = std::clamp<int64_t>(first, 0, l.in[d] - kernel);
    l.begin[d].push_back(static_cast<int32_t>(first));
    l.end[d].push_back(static_cast<int32_t>(first + kernel));
  }
}

std::tuple<Tensor, Tensor> fractional_max_pool(const Tensor& input, IntSpan kernel_size, IntSpan output_size, const Tensor& samples) {
  const char* op = "fractional_max_pool";
  const int dims = static_cast<int>(kernel_size.size());
  PYDL_CHECK((dims == 2 || dims == 3) && output_size.size() == kernel_size.size(), Error, op,
             "(): kernel_size and output_size must both have 2 or both have 3 elements, got ", kernel_size, " and ", output_size);
  pool::check_input(op, dims, input);
  const bool batched = input.ndim() == dims + 2;
  const int64_t batch = batched ? input.size(0) : 1, channels = input.size(batched ? 1 : 0);
  PYDL_CHECK(samples.ndim() == 3 && samples.size(0) == batch && samples.size(1) == channels && samples.size(2) == dims, ShapeError, op,
             "(): expected _random_samples of size [", batch, ", ", channels, ", ", dims, "], got ", IntSpan(samples.sizes()));
  PYDL_CHECK(is_floating(samples.dtype()), Error, op, "(): expected _random_samples of floating point, got ", samples.dtype());
  for (int d = 0; d < dims; ++d) {
    const int64_t in = input.size(input.ndim() - dims + d), k = kernel_size[static_cast<size_t>(d)],
                  out = output_size[static_cast<size_t>(d)];
    PYDL_CHECK(k > 0 && out > 0 && k <= in && out <= in - k + 1, ShapeError, op, "(): kernel size ", k, " and output size ", out,
               " must be positive and together at most one larger than the input, which has size ", in, " in dimension ", d);
  }
  Tensor u;
  {
    const autograd::GradGuard off(false);
    u = contiguous(to_dtype(samples, DType::Float64));
  }
  pool::Layout base{};
  base.dims = dims;
  for (int d = 0; d < 3; ++d) {
    const int i = d - (3 - dims);
    base.in[d] = i < 0 ? 1 : input.size(input.ndim() - dims + i);
    base.out[d] = i < 0 ? 1 : output_size[static_cast<size_t>(i)];
    base.step[d] = 1;
  }
  Layouts layouts;
  for (int64_t plane = 0; plane < batch * channels; ++plane) {
    auto l = std::make_shared<Layout>(base);
    for (int d = 0; d < 3; ++d) {
      const int i = d - (3 - dims);
      // the samples of a plane begin with the last dim
      add_fractional(*l, d, i < 0 ? 0 : u.data<double>()[plane * dims + (dims - 1 - i)], i < 0 ? 1 : kernel_size[static_cast<size_t>(i)]);
    }
    layouts.push_back(std::move(l));
  }
  if (layouts.empty()) layouts.push_back(std::make_shared<Layout>(base));
  return with_places(maxima(op, input, layouts));
}

}  // namespace

PYDL_OP(max_pool<1>,
        "max_pool1d(input: Tensor, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0, "
        "dilation: int | Size = 1, ceil_mode: bool = False) -> Tensor",
        Function, R"doc(
The largest element of each window of input (N, C, L) or (C, L). Windows begin every `stride` (by default
`kernel_size`) elements; outside are up to half a window of `padding`, smaller than everything; `ceil_mode` keeps a last
window that begins inside and ends outside. A NaN wins; of equal elements the first gets the gradient.

Raises RuntimeError for windows that do not fit.

Example:
    >>> pydl.max_pool1d(pydl.ones(1, 1, 4), 2).shape
    torch.Size([1, 1, 2])
)doc");
PYDL_OP(max_pool_with_indices<1>,
        "max_pool1d_with_indices(input: Tensor, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0, "
        "dilation: int | Size = 1, ceil_mode: bool = False, return_indices: bool = False) -> tuple[Tensor, Tensor]",
        Nn, R"doc(
`max_pool1d` and where in its plane each result stands, int64.

Example:
    >>> pydl.nn.functional.max_pool1d_with_indices(pydl.arange(4.0).reshape(1, 1, 4), 2)[1].flatten()
    tensor([1, 3])
)doc");
PYDL_OP(max_pool<2>,
        "max_pool2d(input: Tensor, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0, "
        "dilation: int | Size = 1, ceil_mode: bool = False) -> Tensor",
        Function, R"doc(
The largest element of each window of input (N, C, H, W) or (C, H, W). Windows begin every `stride` (by default
`kernel_size`) elements; outside are up to half a window of `padding`, smaller than everything; `ceil_mode` keeps a last
window that begins inside and ends outside. A NaN wins; of equal elements the first gets the gradient. Takes integers too.

Raises RuntimeError for windows that do not fit.

Example:
    >>> pydl.max_pool2d(pydl.ones(1, 1, 4, 4), 2).shape
    torch.Size([1, 1, 2, 2])
)doc");
PYDL_OP(max_pool_with_indices<2>,
        "max_pool2d_with_indices(input: Tensor, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0, "
        "dilation: int | Size = 1, ceil_mode: bool = False, return_indices: bool = False) -> tuple[Tensor, Tensor]",
        Nn, R"doc(
`max_pool2d` and where in its plane each result stands, int64.

Example:
    >>> pydl.nn.functional.max_pool2d_with_indices(pydl.arange(16.0).reshape(1, 1, 4, 4), 2)[1].flatten()
    tensor([ 5,  7, 13, 15])
)doc");
PYDL_OP(max_pool<3>,
        "max_pool3d(input: Tensor, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0, "
        "dilation: int | Size = 1, ceil_mode: bool = False) -> Tensor",
        Function, R"doc(
The largest element of each window of input (N, C, D, H, W) or (C, D, H, W). Windows begin every `stride` (by default
`kernel_size`) elements; outside are up to half a window of `padding`, smaller than everything; `ceil_mode` keeps a last
window that begins inside and ends outside. A NaN wins; of equal elements the first gets the gradient. Takes integers too.

Raises RuntimeError for windows that do not fit.

Example:
    >>> pydl.max_pool3d(pydl.ones(1, 1, 4, 4, 4), 2).shape
    torch.Size([1, 1, 2, 2, 2])
)doc");
PYDL_OP(max_pool_with_indices<3>,
        "max_pool3d_with_indices(input: Tensor, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0, "
        "dilation: int | Size = 1, ceil_mode: bool = False, return_indices: bool = False) -> tuple[Tensor, Tensor]",
        Nn, R"doc(
`max_pool3d` and where in its plane each result stands, int64.

Example:
    >>> pydl.nn.functional.max_pool3d_with_indices(pydl.arange(8.0).reshape(1, 1, 2, 2, 2), 2)[1].flatten()
    tensor([7])
)doc");
PYDL_OP(avg_pool_1d,
        "avg_pool1d(input: Tensor, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0, "
        "ceil_mode: bool = False, count_include_pad: bool = True) -> Tensor",
        Function | Nn, R"doc(
The mean of each window of input (N, C, L) or (C, L), with the windows of `max_pool1d`. The padding counts as
zeros, or not at all if `count_include_pad` is False.

Raises RuntimeError for windows that do not fit.

Example:
    >>> pydl.avg_pool1d(pydl.tensor([[[1., 3., 5., 7.]]]), 2)
    tensor([[[2., 6.]]])
)doc");
PYDL_OP(adaptive_avg_pool<1>, "adaptive_avg_pool1d(input: Tensor, output_size: int | Size) -> Tensor", Function | Nn, R"doc(
Means of windows that divide input (N, C, L) or (C, L) evenly: result i covers i S / O to (i + 1) S / O of a side
of size S, rounded down and up.

Raises RuntimeError for an input of the wrong number of dims or without elements.

Example:
    >>> pydl.adaptive_avg_pool1d(pydl.tensor([[[1., 3., 5., 7.]]]), 2)
    tensor([[[2., 6.]]])
)doc");
PYDL_OP(adaptive_max_pool<1>, "adaptive_max_pool1d(input: Tensor, output_size: int | Size) -> tuple[Tensor, Tensor]", Function, R"doc(
Maxima, and their places in the plane, of the windows of `adaptive_avg_pool1d`.

Raises RuntimeError for an input of the wrong number of dims or without elements.

Example:
    >>> pydl.adaptive_max_pool1d(pydl.tensor([[[1., 3., 7., 5.]]]), 2)
    (tensor([[[3., 7.]]]), tensor([[[1, 2]]]))
)doc");
PYDL_OP(avg_pool<2>,
        "avg_pool2d(input: Tensor, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0, "
        "ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor",
        Nn, R"doc(
The mean of each window of input (N, C, H, W) or (C, H, W), with the windows of `max_pool2d`. The padding counts as
zeros, or not at all if `count_include_pad` is False. `divisor_override` replaces the number of elements. Means of int64
are rounded towards zero.

Raises RuntimeError for windows that do not fit.

Example:
    >>> pydl.nn.functional.avg_pool2d(pydl.arange(16.0).reshape(1, 1, 4, 4), 2).flatten()
    tensor([ 2.5000,  4.5000, 10.5000, 12.5000])
)doc");
PYDL_OP(adaptive_avg_pool<2>, "adaptive_avg_pool2d(input: Tensor, output_size: int | Size) -> Tensor", Nn, R"doc(
Means of windows that divide input (N, C, H, W) or (C, H, W) evenly: result i covers i S / O to (i + 1) S / O of a side
of size S, rounded down and up.

Raises RuntimeError for an input of the wrong number of dims or without elements.
)doc");
PYDL_OP(adaptive_max_pool<2>, "adaptive_max_pool2d_with_indices(input: Tensor, output_size: int | Size) -> tuple[Tensor, Tensor]", Nn,
        R"doc(
Maxima, and their places in the plane, of the windows of `adaptive_avg_pool2d`.

Raises RuntimeError for an input of the wrong number of dims or without elements.
)doc");
PYDL_OP(avg_pool<3>,
        "avg_pool3d(input: Tensor, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0, "
        "ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor",
        Nn, R"doc(
The mean of each window of input (N, C, D, H, W) or (C, D, H, W), with the windows of `max_pool3d`. The padding counts as
zeros, or not at all if `count_include_pad` is False. `divisor_override` replaces the number of elements. Means of int64
are rounded towards zero.

Raises RuntimeError for windows that do not fit.

Example:
    >>> pydl.nn.functional.avg_pool3d(pydl.arange(8.0).reshape(1, 1, 2, 2, 2), 2).flatten()
    tensor([3.5000])
)doc");
PYDL_OP(adaptive_avg_pool<3>, "adaptive_avg_pool3d(input: Tensor, output_size: int | Size) -> Tensor", Nn, R"doc(
Means of windows that divide input (N, C, D, H, W) or (C, D, H, W) evenly: result i covers i S / O to (i + 1) S / O of a side
of size S, rounded down and up.

Raises RuntimeError for an input of the wrong number of dims or without elements.
)doc");
PYDL_OP(adaptive_max_pool<3>, "adaptive_max_pool3d_with_indices(input: Tensor, output_size: int | Size) -> tuple[Tensor, Tensor]", Nn,
        R"doc(
Maxima, and their places in the plane, of the windows of `adaptive_avg_pool3d`.

Raises RuntimeError for an input of the wrong number of dims or without elements.
)doc");
PYDL_OP(fractional_max_pool,
        "fractional_max_pool(input: Tensor, kernel_size: Size, output_size: Size, _random_samples: Tensor) -> tuple[Tensor, Tensor]", Nn,
        R"doc(
Maxima, and their places in the plane, of overlapping windows whose beginnings are drawn from `_random_samples`
(N, C, dims) in [0, 1), the last dim first. (Graham, "Fractional max-pooling", 2014.)

Raises RuntimeError for windows that do not fit.
)doc");

}  // namespace pydl
