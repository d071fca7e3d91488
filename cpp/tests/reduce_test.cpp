// The reduction engine against long double references: every layout, dtype and op, NaN, accuracy and thread counts.
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "ops/reduce/engine.h"
#include "tests/check.h"

namespace {

using namespace pydl;
using test::Random;

template <class T>
T convert(double x) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    return to_bfloat16(static_cast<float>(x));
  } else if constexpr (std::is_same_v<T, float16>) {
    return to_float16(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<int64_t>(x * 100));
  } else {
    return static_cast<T>(x);
  }
}
template <class T>
long double value(T x) {
  if constexpr (std::is_same_v<T, bfloat16> || std::is_same_v<T, float16>) {
    return to_float(x);
  } else {
    return static_cast<long double>(x);
  }
}

// A 3-d array of sizes[0..2]; `order` lists dimensions from outermost to innermost in memory, bit d of `mask` reduces d.
struct Layout {
  int64_t sizes[3];
  int order[3];
  int mask;
  int64_t step;  // distance of innermost neighbours in elements
};

struct Prepared {
  ReduceSpec spec;
  int64_t strides[3];
  int64_t outputs = 1, count = 1;
};

Prepared prepare(const Layout& l, int64_t item, int64_t out_item) {
  Prepared p;
  int64_t stride = item * l.step;
  for (int k = 2; k >= 0; --k) {
    p.strides[l.order[k]] = stride;
    stride *= l.sizes[l.order[k]];
  }
  for (int d = 0; d < 3; ++d) (l.mask >> d & 1 ? p.count : p.outputs) *= l.sizes[d];
  int64_t out_stride = out_item, second_stride = 8;
  ReduceSpec& s = p.spec;
  for (int d = 0; d < 3; ++d) {
    if (l.mask >> d & 1) {
      s.reduced_sizes[s.reduced_dims] = l.sizes[d];
      s.reduced_in[s.reduced_dims++] = p.strides[d];
    } else {
      s.kept_sizes[s.kept_dims] = l.sizes[d];
      s.kept_in[s.kept_dims++] = p.strides[d];
    }
  }
  for (int k = s.kept_dims - 1; k >= 0; --k) {
    s.kept_out[k] = out_stride;
    s.kept_second[k] = second_stride;
    out_stride *= s.kept_sizes[k];
    second_stride *= s.kept_sizes[k];
  }
  return p;
}

// The elements of output `o`, in row-major order of the reduced dimensions.
template <class T>
std::vector<T> elements(const Layout& l, const Prepared& p, const std::vector<T>& data, int64_t o) {
  int64_t base = 0;
  for (int k = p.spec.kept_dims - 1; k >= 0; --k) {
    base += o % p.spec.kept_sizes[k] * p.spec.kept_in[k];
    o /= p.spec.kept_sizes[k];
  }
  std::vector<T> out;
  for (int64_t e = 0; e < p.count; ++e) {
    int64_t rest = e, at = base;
    for (int k = p.spec.reduced_dims - 1; k >= 0; --k) {
      at += rest % p.spec.reduced_sizes[k] * p.spec.reduced_in[k];
      rest /= p.spec.reduced_sizes[k];
    }
    out.push_back(data[static_cast<size_t>(at / static_cast<int64_t>(sizeof(T)))]);
  }
  static_cast<void>(l);
  return out;
}

long double reference(ReduceOp op, const std::vector<long double>& x, int64_t* position, long double* scale) {
  long double sum = 0, magnitude = 0, squares = 0, product = 1, nonzero = 0;
  for (const long double v : x) {
    sum += v;
    magnitude += std::fabs(v);
    squares += v * v;
    product *= v;
    nonzero += v != 0;
  }
  const long double n = static_cast<long double>(x.size());
  *scale = 0;
  switch (op) {
    case ReduceOp::Sum:
      *scale = magnitude;
      return sum;
    case ReduceOp::Mean:
      *scale = magnitude / n;
      return sum / n;
    case ReduceOp::Prod:
      *scale = std::fabs(product) * n;
      return product;
    case ReduceOp::NormL1:
      return magnitude;
    case ReduceOp::NormL2:
      return std::sqrt(squares);
    case ReduceOp::SumSquares:
      return squares;
    case ReduceOp::All:
      return nonzero == n;
    case ReduceOp::Any:
      return nonzero > 0;
    case ReduceOp::CountNonzero:
      return nonzero;
    case ReduceOp::Var:
    case ReduceOp::Std: {
      long double m = 0;
      for (const long double v : x) m += (v - sum / n) * (v - sum / n);
      m /= std::max(n - 1, 0.0L);
      return op == ReduceOp::Var ? m : std::sqrt(m);
    }
    default: {
      const bool norm = op == ReduceOp::NormInf || op == ReduceOp::NormNegInf, largest = op == ReduceOp::Max || op == ReduceOp::NormInf;
      long double best = norm ? std::fabs(x[0]) : x[0];
      *position = 0;
      for (size_t i = 1; i < x.size(); ++i) {
        const long double v = norm ? std::fabs(x[i]) : x[i];
        if ((largest ? v > best : v < best) || (std::isnan(v) && !std::isnan(best))) best = v, *position = static_cast<int64_t>(i);
      }
      return best;
    }
  }
}

template <class T>
void fill(std::vector<T>& data) {
  Random random;
  for (T& x : data) x = convert<T>(random() * 2);
}

// Out: type of the result. `unit` bounds the relative error.
template <class T, class Out>
void check(ReduceOp op, const Layout& l, long double unit, bool nan) {
  Prepared p = prepare(l, sizeof(T), sizeof(Out));
  std::vector<T> data(static_cast<size_t>(l.sizes[0] * l.sizes[1] * l.sizes[2] * l.step));
  fill(data);
  if (nan && !std::is_integral_v<T>) {
    for (size_t i = 7; i < data.size(); i += 101) data[i] = convert<T>(std::numeric_limits<double>::quiet_NaN());
  }
  using Stored = std::conditional_t<std::is_same_v<Out, bool>, uint8_t, Out>;  // vector<bool> has no memory to point to
  std::vector<Stored> out(static_cast<size_t>(p.outputs));
  std::vector<int64_t> second(static_cast<size_t>(p.outputs));
  p.spec.in = reinterpret_cast<const char*>(data.data());
  p.spec.in_dtype = dtype_of<T>;
  p.spec.out = reinterpret_cast<char*>(out.data());
  p.spec.out_dtype = dtype_of<Out>;
  const bool positions = op == ReduceOp::Max || op == ReduceOp::Min;
  p.spec.second = positions ? reinterpret_cast<char*>(second.data()) : nullptr;
  reduce(op, p.spec);
  for (int64_t o = 0; o < p.outputs; ++o) {
    std::vector<long double> x;
    for (const T v : elements(l, p, data, o)) x.push_back(value(v));
    int64_t position = 0;
    long double scale = 0;
    const long double expected = reference(op, x, &position, &scale), got = value(out[static_cast<size_t>(o)]);
    // Products leave the range of the type.
    const long double tiny = std::is_same_v<Out, float16> ? 0x1p-24L : op == ReduceOp::Prod ? 1e-36L : 0;
    const bool same = std::isnan(expected) ? std::isnan(got) : std::fabs(got - expected) <= unit * (std::fabs(expected) + scale * 4) + tiny;
    CHECK(same || (std::isinf(expected) && got == expected), "op %d %s sizes %ld %ld %ld order %d%d%d mask %d: got %Lg expected %Lg",
          int(op), dtype_name(dtype_of<T>), long(l.sizes[0]), long(l.sizes[1]), long(l.sizes[2]), l.order[0], l.order[1], l.order[2],
          l.mask, got, expected);
    if (positions) {
      CHECK(second[static_cast<size_t>(o)] == position, "op %d %s position %ld expected %ld sizes %ld %ld %ld mask %d", int(op),
            dtype_name(dtype_of<T>), long(second[static_cast<size_t>(o)]), long(position), long(l.sizes[0]), long(l.sizes[1]),
            long(l.sizes[2]), l.mask);
    }
  }
}

const int kOrders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}};
const int64_t kSizes[][3] = {{3, 5, 7}, {1, 70, 40}, {5, 2, 600}, {300, 3, 9}, {1, 1, 5000}, {40, 1, 1}};

template <class F>
void for_layouts(F&& f) {
  for (const auto& sizes : kSizes) {
    for (const auto& order : kOrders) {
      for (int mask = 0; mask < 8; ++mask) {
        for (int64_t step : {1, 2}) f(Layout{{sizes[0], sizes[1], sizes[2]}, {order[0], order[1], order[2]}, mask, step});
      }
    }
  }
}

template <class T>
void check_floating(long double unit) {
  for_layouts([&](const Layout& l) {
    for (ReduceOp op : {ReduceOp::Sum, ReduceOp::Mean, ReduceOp::NormL1, ReduceOp::NormL2, ReduceOp::SumSquares, ReduceOp::NormInf,
                        ReduceOp::NormNegInf, ReduceOp::Max, ReduceOp::Min}) {
      check<T, T>(op, l, unit, false);
      check<T, T>(op, l, unit, true);
    }
    check<T, T>(ReduceOp::Prod, l, unit, false);
    Prepared p = prepare(l, 1, 1);
    if (p.count > 1) check<T, T>(ReduceOp::Var, l, unit * 2, false), check<T, T>(ReduceOp::Std, l, unit * 2, false);
    check<T, bool>(ReduceOp::All, l, 0, true);
    check<T, int64_t>(ReduceOp::CountNonzero, l, 0, true);
  });
}

template <class T>
void check_integers() {
  for_layouts([&](const Layout& l) {
    check<T, int64_t>(ReduceOp::Sum, l, 0, false);
    check<T, T>(ReduceOp::Max, l, 0, false);
    check<T, T>(ReduceOp::Min, l, 0, false);
    check<T, bool>(ReduceOp::All, l, 0, false);
    check<T, bool>(ReduceOp::Any, l, 0, false);
    check<T, int64_t>(ReduceOp::CountNonzero, l, 0, false);
  });
}

// Units (2^-24 relative) of error for 1e7 numbers.
void check_accuracy() {
  const int64_t n = 10000000;
  std::vector<float> x(n);
  Random random;
  for (float& v : x) v = static_cast<float>(random() + 0.5);
  long double sum = 0, squares = 0;
  for (const float v : x) sum += v, squares += static_cast<long double>(v) * v;
  const auto run = [&](ReduceOp op) {
    ReduceSpec s;
    float out;
    s.in = reinterpret_cast<const char*>(x.data());
    s.in_dtype = s.out_dtype = DType::Float32;
    s.out = reinterpret_cast<char*>(&out);
    s.reduced_dims = 1;
    s.reduced_sizes[0] = n;
    s.reduced_in[0] = 4;
    reduce(op, s);
    return static_cast<long double>(out);
  };
  const auto units = [](long double got, long double expected) { return std::fabs(got - expected) / expected * 0x1p24L; };
  const long double e_sum = units(run(ReduceOp::Sum), sum), e_norm = units(run(ReduceOp::NormL2), std::sqrt(squares));
  const long double e_dot = units(static_cast<float>(dot(DType::Float32, x.data(), x.data(), n)), squares);
  CHECK(e_sum <= 4, "sum off by %Lg u", e_sum);
  CHECK(e_norm <= 4, "norm off by %Lg u", e_norm);
  CHECK(e_dot <= 4, "dot off by %Lg u", e_dot);
  for (float& v : x) v += 1e4f;
  long double mean = 0, var = 0;
  for (const float v : x) mean += v;
  mean /= n;
  for (const float v : x) var += (v - mean) * (v - mean);
  var /= n - 1;
  const long double e_var = units(run(ReduceOp::Var), var);
  CHECK(e_var <= 8, "var with mean 1e4 off by %Lg u", e_var);
  std::printf("errors in u: sum %.2Lf norm %.2Lf dot %.2Lf var %.2Lf\n", e_sum, e_norm, e_dot, e_var);
}

void check_threads() {
  const Layout layouts[] = {{{1, 1, 1000003}, {0, 1, 2}, 7, 1}, {{1, 20001, 37}, {0, 1, 2}, 2, 1}, {{3, 5, 70001}, {0, 1, 2}, 4, 1},
                            {{900, 31, 77}, {0, 1, 2}, 5, 1},   {{2, 3000, 700}, {0, 1, 2}, 3, 1}, {{500, 40, 50}, {2, 1, 0}, 6, 2},
                            {{60, 7, 1500}, {0, 1, 2}, 5, 1}};
  for (const Layout& l : layouts) {
    for (ReduceOp op : {ReduceOp::Sum, ReduceOp::Var, ReduceOp::Max, ReduceOp::NormL2, ReduceOp::Prod}) {
      Prepared p = prepare(l, 4, 4);
      std::vector<float> data(static_cast<size_t>(l.sizes[0] * l.sizes[1] * l.sizes[2] * l.step));
      fill(data);
      std::vector<float> out(static_cast<size_t>(p.outputs)), first;
      p.spec.in = reinterpret_cast<const char*>(data.data());
      p.spec.in_dtype = p.spec.out_dtype = DType::Float32;
      p.spec.out = reinterpret_cast<char*>(out.data());
      for (int threads = 1; threads <= 4; ++threads) {
        set_num_threads(threads);
        std::fill(out.begin(), out.end(), -1.0f);
        reduce(op, p.spec);
        if (threads == 1) first = out;
        CHECK(std::memcmp(first.data(), out.data(), out.size() * 4) == 0, "op %d threads %d mask %d", int(op), threads, l.mask);
      }
    }
  }
  set_num_threads(2);
}

void check_empty() {
  float out = 5;
  ReduceSpec s;
  s.in = nullptr;
  s.in_dtype = s.out_dtype = DType::Float32;
  s.out = reinterpret_cast<char*>(&out);
  s.reduced_dims = 1;
  s.reduced_sizes[0] = 0;
  s.reduced_in[0] = 4;
  reduce(ReduceOp::Sum, s);
  CHECK(out == 0);
  reduce(ReduceOp::Prod, s);
  CHECK(out == 1);
  reduce(ReduceOp::Mean, s);
  CHECK(std::isnan(out));
  reduce(ReduceOp::Var, s);
  CHECK(std::isnan(out));
}

void check_complex() {
  const int64_t n = 50000;
  std::vector<std::complex<float>> x(n);
  Random random;
  std::complex<double> sum = 0;
  for (auto& v : x) {
    v = {static_cast<float>(random()), static_cast<float>(random() + 1)};
    sum += std::complex<double>(v);
  }
  std::complex<float> out;
  ReduceSpec s;
  s.in = reinterpret_cast<const char*>(x.data());
  s.in_dtype = s.out_dtype = DType::Complex64;
  s.out = reinterpret_cast<char*>(&out);
  s.reduced_dims = 1;
  s.reduced_sizes[0] = n;
  s.reduced_in[0] = 8;
  reduce(ReduceOp::Sum, s);
  CHECK(std::abs(std::complex<double>(out) - sum) < 1e-7 * std::abs(sum));
}

void check_scan() {
  const int64_t n = 100000;
  std::vector<float> x(n), y(n);
  std::vector<double> xd(n), yd(n);
  std::vector<int8_t> i8(n), o8(n);
  Random random;
  for (int64_t i = 0; i < n; ++i) {
    const size_t k = static_cast<size_t>(i);
    x[k] = static_cast<float>(random() + 0.5);
    xd[k] = random();
    i8[k] = static_cast<int8_t>(random.below(256));
  }
  scan(ScanOp::Sum, DType::Float32, reinterpret_cast<const char*>(x.data()), reinterpret_cast<char*>(y.data()), 1, n, 1);
  scan(ScanOp::Sum, DType::Float64, reinterpret_cast<const char*>(xd.data()), reinterpret_cast<char*>(yd.data()), 1, n, 1);
  scan(ScanOp::Sum, DType::Int8, reinterpret_cast<const char*>(i8.data()), reinterpret_cast<char*>(o8.data()), 1, n, 1);
  long double a = 0, b = 0;
  int8_t c = 0;
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    a += x[i];
    b += xd[i];
    c = static_cast<int8_t>(c + i8[i]);
    CHECK(std::fabs(y[i] - a) <= a * 0x1p-23L);
    CHECK(std::fabs(yd[i] - b) <= std::fabs(b) * 0x1p-52L + 1e-18L);
    CHECK(o8[i] == c);
  }
}

}  // namespace

int main() {
  check_floating<float>(0x1p-22L);
  check_floating<double>(0x1p-48L);
  check_floating<float16>(0x1p-9L);
  check_floating<bfloat16>(0x1p-7L);
  check_integers<uint8_t>();
  check_integers<int8_t>();
  check_integers<int16_t>();
  check_integers<int32_t>();
  check_integers<int64_t>();
  check_accuracy();
  check_threads();
  check_empty();
  check_complex();
  check_scan();
  return test::report("reduce_test");
}
