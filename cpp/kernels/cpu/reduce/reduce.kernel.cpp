#include "kernels/reduce/reduce.h"

#include "kernels/cpu/reduce/runs.h"

namespace pydl::kernels::reduce::PYDL_ISA {
namespace {

// ---- conversion of a state to the output ----

void write_real(char* out, DType dtype, double x) {
  switch (dtype) {
    case DType::Float32:
      *reinterpret_cast<float*>(out) = static_cast<float>(x);
      break;
    case DType::Float64:
      *reinterpret_cast<double*>(out) = x;
      break;
    case DType::Float16:
      *reinterpret_cast<float16*>(out) = to_float16(static_cast<float>(x));
      break;
    case DType::BFloat16:
      *reinterpret_cast<bfloat16*>(out) = to_bfloat16(static_cast<float>(x));
      break;
    default:
      break;
  }
}

void write_integer(char* out, DType dtype, int64_t x) {
  switch (dtype) {
    case DType::Bool:
      *out = x != 0;
      break;
    case DType::UInt8:
    case DType::Int8:
      *out = static_cast<char>(x);
      break;
    case DType::UInt16:
    case DType::Int16:
      *reinterpret_cast<int16_t*>(out) = static_cast<int16_t>(x);
      break;
    case DType::UInt32:
    case DType::Int32:
      *reinterpret_cast<int32_t*>(out) = static_cast<int32_t>(x);
      break;
    case DType::UInt64:
    case DType::Int64:
      *reinterpret_cast<int64_t*>(out) = x;
      break;
    default:
      write_real(out, dtype, static_cast<double>(x));
  }
}

void write_complex(char* out, DType dtype, double re, double im) {
  if (dtype == DType::Complex64) {
    reinterpret_cast<float*>(out)[0] = static_cast<float>(re);
    reinterpret_cast<float*>(out)[1] = static_cast<float>(im);
  } else {
    reinterpret_cast<double*>(out)[0] = re;
    reinterpret_cast<double*>(out)[1] = im;
  }
}

// ---- sums of floats ----

// Stripes of columns: eight rows are added as a tree, then carried in float64.
template <class S, class Map>
PYDL_INLINE void sum_columns(const char* in, int64_t row_stride, int64_t rows, int64_t cols, Map map, double* carry) {
  using T = Compute<S>;
  constexpr int L = kLanes<T>;
  const auto row = [&](int64_t r) { return reinterpret_cast<const S*>(in + r * row_stride); };
  const auto add = [](double* c, V<T> v) {
    Carry x;
    x.add(v);
    store(c, load(c) + x.low);
    if constexpr (sizeof(T) == 4) store(c + kLanes<double>, load(c + kLanes<double>) + x.high);
  };
  for (int64_t j = 0; j < cols; ++j) carry[j] = 0;
  int64_t r = 0;
  const int64_t whole = cols / L * L;
  for (; r + 8 <= rows; r += 8) {
    const S* p[8];
    for (int u = 0; u < 8; ++u) p[u] = row(r + u);
    for (int64_t j = 0; j < whole; j += L) {
      V<T> x[8];
#pragma GCC unroll 8
      for (int u = 0; u < 8; ++u) x[u] = map(V<T>{}, load_wide(p[u] + j));
      add(carry + j, ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7])));
    }
  }
  for (; r < rows; ++r) {
    for (int64_t j = 0; j < whole; j += L) add(carry + j, map(V<T>{}, load_wide(row(r) + j)));
  }
  if (whole < cols) {
    const int rest = static_cast<int>(cols - whole);
    const auto get = [rest](const S* q) {
      if constexpr (sizeof(S) == sizeof(T)) {
        return load_part(q, rest);
      } else {
        return load_padded(q, rest, T(0));
      }
    };
    double sums[kLanes<T>] = {};
    for (r = 0; r + 8 <= rows; r += 8) {
      V<T> x[8];
#pragma GCC unroll 8
      for (int u = 0; u < 8; ++u) x[u] = map(V<T>{}, get(row(r + u) + whole));
      add(sums, ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7])));
    }
    for (; r < rows; ++r) add(sums, map(V<T>{}, get(row(r) + whole)));
    for (int64_t j = whole; j < cols; ++j) carry[j] = sums[j - whole];
  }
}

template <class S, class Map, bool kSquareRoot, bool kDivide>
struct FloatSum {
  static constexpr State identity() { return {0, 0, 0, 0}; }
  PYDL_INLINE static void run(const char* in, int64_t n, int64_t, State* out) {
    out->a = accumulate(reinterpret_cast<const S*>(in), n, Compute<S>(0), Map{}).total();
  }
  static void columns(const char* in, int64_t row_stride, int64_t rows, int64_t cols, int64_t, State* out) {
    double carry[kColumnStripe];
    sum_columns<S>(in, row_stride, rows, cols, Map{}, carry);
    for (int64_t j = 0; j < cols; ++j) out[j].a = carry[j];
  }
  static void combine(State* into, const State* from) { into->a += from->a; }
  PYDL_INLINE static void finish(const State& s, const Finish& f) {
    double x = s.a;
    if constexpr (kSquareRoot) x = __builtin_sqrt(x);
    if constexpr (kDivide) x /= static_cast<double>(f.count);
    write_real(f.out, f.out_dtype, x);
  }
};

template <class T, bool kDivide>
struct ComplexSum {
  static constexpr State identity() { return {0, 0, 0, 0}; }
  PYDL_INLINE static void run(const char* in, int64_t n, int64_t, State* out) {
    accumulate(reinterpret_cast<const T*>(in), 2 * n, T(0), AddMap{}).split(&out->a, &out->b);
  }
  static void columns(const char* in, int64_t row_stride, int64_t rows, int64_t cols, int64_t, State* out) {
    double carry[2 * kColumnStripe];
    sum_columns<T>(in, row_stride, rows, 2 * cols, AddMap{}, carry);
    for (int64_t j = 0; j < cols; ++j) out[j].a = carry[2 * j], out[j].b = carry[2 * j + 1];
  }
  static void combine(State* into, const State* from) {
    into->a += from->a;
    into->b += from->b;
  }
  PYDL_INLINE static void finish(const State& s, const Finish& f) {
    const double n = kDivide ? static_cast<double>(f.count) : 1;
    write_complex(f.out, f.out_dtype, s.a / n, s.b / n);
  }
};

// ---- sums and counts of integers ----

struct Identity {
  template <class T>
  PYDL_INLINE uint64_t operator()(T x) const {
    return static_cast<uint64_t>(x);
  }
};
struct NonZero {
  template <class T>
  PYDL_INLINE uint64_t operator()(T x) const {
    return x != 0;
  }
};
struct NonZeroHalf {
  template <class T>
  PYDL_INLINE uint64_t operator()(T x) const {
    return (x.bits & 0x7fff) != 0;
  }
};
struct NonZeroComplex {
  template <class T>
  PYDL_INLINE uint64_t operator()(T x) const {
    return x.re != 0 || x.im != 0;
  }
};
template <class T>
struct Pair {
  T re, im;
};

enum class Verdict { Value, All, Any };

template <class T, class Map, Verdict kVerdict>
struct IntegerSum {
  static constexpr State identity() { return {0, 0, 0, 0}; }
  PYDL_INLINE static void run(const char* in, int64_t n, int64_t, State* out) {
    const T* p = reinterpret_cast<const T*>(in);
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += Map{}(p[i]);
    out->i = static_cast<int64_t>(sum);
  }
  static void columns(const char* in, int64_t row_stride, int64_t rows, int64_t cols, int64_t, State* out) {
    uint64_t sum[kColumnStripe];
    for (int64_t j = 0; j < cols; ++j) sum[j] = 0;
    for (int64_t r = 0; r < rows; ++r, in += row_stride) {
      const T* p = reinterpret_cast<const T*>(in);
      for (int64_t j = 0; j < cols; ++j) sum[j] += Map{}(p[j]);
    }
    for (int64_t j = 0; j < cols; ++j) out[j].i = static_cast<int64_t>(sum[j]);
  }
  static void combine(State* into, const State* from) {
    into->i = static_cast<int64_t>(static_cast<uint64_t>(into->i) + static_cast<uint64_t>(from->i));
  }
  PYDL_INLINE static void finish(const State& s, const Finish& f) {
    const int64_t x = kVerdict == Verdict::All ? s.i == f.count : kVerdict == Verdict::Any ? s.i != 0 : s.i;
    write_integer(f.out, f.out_dtype, x);
  }
};

// ---- products ----

template <class S>
struct FloatProduct {
  static constexpr State identity() { return {1, 0, 0, 0}; }
  PYDL_INLINE static void run(const char* in, int64_t n, int64_t, State* out) {
    constexpr int L = kLanes<double>;
    const S* p = reinterpret_cast<const S*>(in);
    double lane[4 * L];
    for (int l = 0; l < 4 * L; ++l) lane[l] = 1;
    int64_t i = 0;
    for (; i + 4 * L <= n; i += 4 * L) {
      for (int l = 0; l < 4 * L; ++l) lane[l] *= static_cast<double>(value_of(p[i + l]));
    }
    for (; i < n; ++i) lane[i % L] *= static_cast<double>(value_of(p[i]));
    for (int half = 2 * L; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) lane[l] *= lane[l + half];
    }
    out->a = lane[0];
  }
  static void columns(const char* in, int64_t row_stride, int64_t rows, int64_t cols, int64_t, State* out) {
    double product[kColumnStripe];
    for (int64_t j = 0; j < cols; ++j) product[j] = 1;
    for (int64_t r = 0; r < rows; ++r, in += row_stride) {
      const S* p = reinterpret_cast<const S*>(in);
      for (int64_t j = 0; j < cols; ++j) product[j] *= static_cast<double>(value_of(p[j]));
    }
    for (int64_t j = 0; j < cols; ++j) out[j].a = product[j];
  }
  static void combine(State* into, const State* from) { into->a *= from->a; }
  PYDL_INLINE static void finish(const State& s, const Finish& f) { write_real(f.out, f.out_dtype, s.a); }
};

template <class T>
struct ComplexProduct {
  static constexpr State identity() { return {1, 0, 0, 0}; }
  PYDL_INLINE static void multiply(State* s, double re, double im) {
    const double a = s->a * re - s->b * im;
    s->b = s->a * im + s->b * re;
    s->a = a;
  }
  PYDL_INLINE static void run(const char* in, int64_t n, int64_t, State* out) {
    const T* p = reinterpret_cast<const T*>(in);
    State s = identity();
    for (int64_t i = 0; i < n; ++i) multiply(&s, static_cast<double>(p[2 * i]), static_cast<double>(p[2 * i + 1]));
    *out = s;
  }
  static void columns(const char* in, int64_t row_stride, int64_t rows, int64_t cols, int64_t, State* out) {
    for (int64_t j = 0; j < cols; ++j) out[j] = identity();
    for (int64_t r = 0; r < rows; ++r, in += row_stride) {
      const T* p = reinterpret_cast<const T*>(in);
      for (int64_t j = 0; j < cols; ++j) multiply(out + j, static_cast<double>(p[2 * j]), static_cast<double>(p[2 * j + 1]));
    }
  }
  static void combine(State* into, const State* from) { multiply(into, from->a, from->b); }
  PYDL_INLINE static void finish(const State& s, const Finish& f) { write_complex(f.out, f.out_dtype, s.a, s.b); }
};

template <class T>
struct IntegerProduct {
  static constexpr State identity() { return {0, 0, 1, 0}; }
  PYDL_INLINE static void run(const char* in, int64_t n, int64_t, State* out) {
    const T* p = reinterpret_cast<const T*>(in);
    uint64_t product = 1;
    for (int64_t i = 0; i < n; ++i) product *= static_cast<uint64_t>(p[i]);
    out->i = static_cast<int64_t>(product);
  }
  static void columns(const char* in, int64_t row_stride, int64_t rows, int64_t cols, int64_t, State* out) {
    uint64_t product[kColumnStripe];
    for (int64_t j = 0; j < cols; ++j) product[j] = 1;
    for (int64_t r = 0; r < rows; ++r, in += row_stride) {
      const T* p = reinterpret_cast<const T*>(in);
      for (int64_t j = 0; j < cols; ++j) product[j] *= static_cast<uint64_t>(p[j]);
    }
    for (int64_t j = 0; j < cols; ++j) out[j].i = static_cast<int64_t>(product[j]);
  }
  static void combine(State* into, const State* from) {
    into->i = static_cast<int64_t>(static_cast<uint64_t>(into->i) * static_cast<uint64_t>(from->i));
  }
  PYDL_INLINE static void finish(const State& s, const Finish& f) { write_integer(f.out, f.out_dtype, s.i); }
};

// ---- extrema ----

template <class T>
PYDL_INLINE T get_value(const State& s) {
  if constexpr (static_cast<T>(0.5) != 0) {
    return static_cast<T>(s.a);
  } else {
    return static_cast<T>(s.i);
  }
}
template <class T>
PYDL_INLINE void set_value(State* s, T x) {
  if constexpr (static_cast<T>(0.5) != 0) {
    s->a = static_cast<double>(x);
  } else {
    s->i = static_cast<int64_t>(x);
  }
}

// Position of an empty state is -1.
template <class S, bool kMax, bool kMagnitude>
struct Extreme {
  using T = Compute<S>;
  static constexpr State identity() { return {0, 0, 0, -1}; }
  PYDL_INLINE static void run(const char* in, int64_t n, int64_t position, State* out) {
    const S* p = reinterpret_cast<const S*>(in);
    if constexpr (sizeof(S) == sizeof(T)) {
      finish_run(p, n, position, out);
    } else {
      constexpr int64_t kPart = 1024;
      T wide[kPart];
      for (int64_t begin = 0; begin < n; begin += kPart) {
        const int64_t len = n - begin < kPart ? n - begin : kPart;
        int64_t i = 0;
        do wide[i] = value_of(p[begin + i]);
        while (++i < len);
        State next;
        finish_run(wide, len, position + begin, &next);
        if (begin == 0) {
          *out = next;
        } else {
          combine(out, &next);
        }
      }
    }
  }
  PYDL_INLINE static void finish_run(const T* p, int64_t n, int64_t position, State* out) {
    const T best = extreme_run<kMax, kMagnitude>(p, n);
    set_value(out, best);
    out->n = kMagnitude ? 0 : position + find_first(p, n, best);
  }
  static void columns(const char* in, int64_t row_stride, int64_t rows, int64_t cols, int64_t position, State* out) {
    T best[kColumnStripe];
    int32_t at[kColumnStripe];
    const auto get = [](S x) {
      const T v = widen_one(x);
      return kMagnitude && v < 0 ? -v : v;
    };
    const S* p = reinterpret_cast<const S*>(in);
    for (int64_t j = 0; j < cols; ++j) best[j] = static_cast<T>(get(p[j])), at[j] = 0;
    for (int64_t r = 1; r < rows; ++r) {
      p = reinterpret_cast<const S*>(in + r * row_stride);
      const int32_t here = static_cast<int32_t>(r);
      for (int64_t j = 0; j < cols; ++j) {
        const T x = static_cast<T>(get(p[j]));
        const bool better = kMax ? x > best[j] : x < best[j];
        const bool take = better | ((x != x) & (best[j] == best[j]));
        best[j] = take ? x : best[j];
        at[j] = take ? here : at[j];
      }
    }
    for (int64_t j = 0; j < cols; ++j) {
      set_value(out + j, best[j]);
      out[j].n = position + at[j];
    }
  }
  PYDL_INLINE static T widen_one(S x) {
    if constexpr (sizeof(S) == sizeof(T)) {
      return x;
    } else {
      return value_of(x);
    }
  }
  static void combine(State* into, const State* from) {
    if (from->n < 0) return;
    if (into->n < 0 || replaces<kMax>(get_value<T>(*from), get_value<T>(*into))) *into = *from;
  }
  PYDL_INLINE static void finish(const State& s, const Finish& f) {
    if (f.out) {
      const T x = get_value<T>(s);
      if constexpr (static_cast<T>(0.5) != 0) {
        write_real(f.out, f.out_dtype, x);
      } else {
        write_integer(f.out, f.out_dtype, static_cast<int64_t>(x));
      }
    }
    if (f.second) *reinterpret_cast<int64_t*>(f.second) = s.n;
  }
};

// ---- variance: two passes over a first part that fits the cache, one over the others; parts merged as in Chan, Golub & LeVeque (1979)
// ----

struct Moments {
  PYDL_INLINE static State state(double n, double mean, double deviation_sum, double square_sum) {
    // The mean used was rounded: sum (x - m)^2 = sum (x - mean)^2 + n (mean - m)^2.
    const double shift = deviation_sum / n;
    return {mean + shift, square_sum - shift * deviation_sum, 0, static_cast<int64_t>(n)};
  }
};

template <class S, bool kSquareRoot>
struct Variance {
  using T = Compute<S>;
  static constexpr int64_t kHead = 256;  // elements whose mean is near enough to that of a run, as a rule
  static constexpr State identity() { return {0, 0, 0, 0}; }
  PYDL_INLINE static void part(const S* p, int64_t n, State* out) {
    const T mean = static_cast<T>(accumulate(p, n, T(0), AddMap{}).total() / static_cast<double>(n));
    const auto d = deviations(p, n, mean);
    *out = Moments::state(static_cast<double>(n), static_cast<double>(mean), d.sum, d.square);
  }
  // With a mean known from elsewhere one pass does, unless it lies so far off that the correction would cost digits.
  PYDL_INLINE static void part_near(const S* p, int64_t n, double mean, State* out) {
    const T m = static_cast<T>(mean);
    const auto d = deviations(p, n, m);
    const double count = static_cast<double>(n);
    if (!(d.sum * d.sum <= 0.25 * count * d.square)) return part(p, n, out);
    *out = Moments::state(count, static_cast<double>(m), d.sum, d.square);
  }
  PYDL_INLINE static void run(const char* in, int64_t n, int64_t, State* out) {
    const S* p = reinterpret_cast<const S*>(in);
    if (n <= kHead) return part(p, n, out);
    part_near(p, n, accumulate(p, kHead, T(0), AddMap{}).total() / static_cast<double>(kHead), out);
  }
  static void columns(const char* in, int64_t row_stride, int64_t rows, int64_t cols, int64_t, State* out) {
    double sum[kColumnStripe], square[kColumnStripe], mean[kColumnStripe];
    sum_columns<S>(in, row_stride, rows, cols, AddMap{}, mean);
    const double n = static_cast<double>(rows);
    T m[kColumnStripe];
    for (int64_t j = 0; j < cols; ++j) m[j] = static_cast<T>(mean[j] / n), sum[j] = square[j] = 0;
    for (int64_t r = 0; r < rows;) {
      const int64_t end = r + 8 < rows ? r + 8 : rows;
      T s[kColumnStripe] = {}, q[kColumnStripe] = {};
      for (; r < end; ++r) {
        const S* p = reinterpret_cast<const S*>(in + r * row_stride);
        for (int64_t j = 0; j < cols; ++j) {
          const T d = value_of(p[j]) - m[j];
          s[j] += d;
          q[j] += d * d;
        }
      }
      for (int64_t j = 0; j < cols; ++j) sum[j] += static_cast<double>(s[j]), square[j] += static_cast<double>(q[j]);
    }
    for (int64_t j = 0; j < cols; ++j) out[j] = Moments::state(n, static_cast<double>(m[j]), sum[j], square[j]);
  }
  static void combine(State* into, const State* from) {
    if (from->n == 0) return;
    if (into->n == 0) {
      *into = *from;
      return;
    }
    const double na = static_cast<double>(into->n), nb = static_cast<double>(from->n), n = na + nb;
    const double delta = from->a - into->a;
    into->a += delta * (nb / n);
    into->b += from->b + delta * delta * (na * nb / n);
    into->n += from->n;
  }
  PYDL_INLINE static void finish(const State& s, const Finish& f) {
    const double freedom = static_cast<double>(f.count) - f.correction;
    double x = s.b / (freedom > 0 ? freedom : 0);
    if constexpr (kSquareRoot) x = __builtin_sqrt(x);
    if (f.out) write_real(f.out, f.out_dtype, x);
    if (f.second) write_real(f.second, f.out_dtype, f.count ? s.a : __builtin_nan(""));
  }
};

// ---- tables ----

template <class K>
void run(const char* in, int64_t n, int64_t position, State* out) {
  K::run(in, n, position, out);
}

template <class K>
void finish(const State* states, int64_t n, const Finish& finish, int64_t out_stride, int64_t second_stride) {
  Finish f = finish;
  for (int64_t i = 0; i < n; ++i) {
    K::finish(states[i], f);
    if (f.out) f.out += out_stride;
    if (f.second) f.second += second_stride;
  }
}

template <class K>
void rows(const char* in, int64_t row_stride, int64_t count, int64_t n, const Finish& finish, int64_t out_stride, int64_t second_stride) {
  Finish f = finish;
  for (int64_t r = 0; r < count; ++r) {
    State s = K::identity();
    K::run(in, n, 0, &s);
    K::finish(s, f);
    in += row_stride;
    if (f.out) f.out += out_stride;
    if (f.second) f.second += second_stride;
  }
}

template <class K>
constexpr Reducer kReducer = {run<K>, K::columns, rows<K>, K::combine, finish<K>, K::identity()};

template <class K>
constexpr void set(ReducerTables& t, Op op, DType dtype) {
  t.op[static_cast<int>(op)].slot[static_cast<int>(dtype)] = &kReducer<K>;
}

template <class S>
constexpr void set_floating(ReducerTables& t, DType d) {
  set<FloatSum<S, AddMap, false, false>>(t, Op::Sum, d);
  set<FloatSum<S, AddMap, false, true>>(t, Op::Mean, d);
  set<FloatSum<S, AbsMap, false, false>>(t, Op::NormL1, d);
  set<FloatSum<S, SquareMap, true, false>>(t, Op::NormL2, d);
  set<FloatSum<S, SquareMap, false, false>>(t, Op::SumSquares, d);
  set<Extreme<S, true, true>>(t, Op::NormInf, d);
  set<Extreme<S, false, true>>(t, Op::NormNegInf, d);
  set<Extreme<S, true, false>>(t, Op::Max, d);
  set<Extreme<S, false, false>>(t, Op::Min, d);
  set<FloatProduct<S>>(t, Op::Prod, d);
  set<Variance<S, false>>(t, Op::Var, d);
  set<Variance<S, true>>(t, Op::Std, d);
}

template <class T, class Map>
constexpr void set_counts(ReducerTables& t, DType d) {
  set<IntegerSum<T, Map, Verdict::Value>>(t, Op::CountNonzero, d);
  set<IntegerSum<T, Map, Verdict::All>>(t, Op::All, d);
  set<IntegerSum<T, Map, Verdict::Any>>(t, Op::Any, d);
}

template <class T>
constexpr void set_integer(ReducerTables& t, DType d) {
  set<IntegerSum<T, Identity, Verdict::Value>>(t, Op::Sum, d);
  set<IntegerProduct<T>>(t, Op::Prod, d);
  set<Extreme<T, true, false>>(t, Op::Max, d);
  set<Extreme<T, false, false>>(t, Op::Min, d);
  set_counts<T, NonZero>(t, d);
}

template <class T>
constexpr void set_complex(ReducerTables& t, DType d) {
  set<ComplexSum<T, false>>(t, Op::Sum, d);
  set<ComplexSum<T, true>>(t, Op::Mean, d);
  set<ComplexProduct<T>>(t, Op::Prod, d);
  set_counts<Pair<T>, NonZeroComplex>(t, d);
}

constexpr ReducerTables make_tables() {
  ReducerTables t{};
  set_floating<float>(t, DType::Float32);
  set_floating<double>(t, DType::Float64);
  set_floating<float16>(t, DType::Float16);
  set_floating<bfloat16>(t, DType::BFloat16);
  set_counts<float, NonZero>(t, DType::Float32);
  set_counts<double, NonZero>(t, DType::Float64);
  set_counts<float16, NonZeroHalf>(t, DType::Float16);
  set_counts<bfloat16, NonZeroHalf>(t, DType::BFloat16);
  set_integer<uint8_t>(t, DType::Bool);
  set<IntegerSum<uint8_t, NonZero, Verdict::Value>>(t, Op::Sum, DType::Bool);  // any byte but 0 is one True
  set_integer<uint8_t>(t, DType::UInt8);
  set_integer<int8_t>(t, DType::Int8);
  set_integer<uint16_t>(t, DType::UInt16);
  set_integer<int16_t>(t, DType::Int16);
  set_integer<uint32_t>(t, DType::UInt32);
  set_integer<int32_t>(t, DType::Int32);
  set_integer<uint64_t>(t, DType::UInt64);
  set_integer<int64_t>(t, DType::Int64);
  set_complex<float>(t, DType::Complex64);
  set_complex<double>(t, DType::Complex128);
  return t;
}

template <class T>
double dot_run(const void* x, const void* y, int64_t n) {
  constexpr int L = kPiece<T>;
  const T* p = static_cast<const T*>(x);
  const T* q = static_cast<const T*>(y);
  Carry carry;
  while (n > 0) {
    const int64_t len = n < kFold<T> ? n : kFold<T>;
    Piece<T> acc[8] = {};
    int64_t i = 0;
    for (; i + 8 * L <= len; i += 8 * L) {
      fetch_ahead(p + i, 8 * L), fetch_ahead(q + i, 8 * L);
#pragma GCC unroll 8
      for (int u = 0; u < 8; ++u) acc[u] = fma(load_piece(p + i + u * L), load_piece(q + i + u * L), acc[u]);
    }
    for (; i + L <= len; i += L) acc[0] = fma(load_piece(p + i), load_piece(q + i), acc[0]);
    if (i < len) {
      const int rest = static_cast<int>(len - i);
      acc[1] = fma(load_piece(p + i, rest, T(0)), load_piece(q + i, rest, T(0)), acc[1]);
    }
    carry.add(fold<T>(acc));
    p += len;
    q += len;
    n -= len;
  }
  return carry.total();
}

constexpr ByDType<DotFn> make_dot() {
  ByDType<DotFn> t;
  t.slot[static_cast<int>(DType::Float32)] = dot_run<float>;
  t.slot[static_cast<int>(DType::Float64)] = dot_run<double>;
  return t;
}

}  // namespace

constinit const ReducerTables reducers = make_tables();
constinit const ByDType<DotFn> dot = make_dot();

}  // namespace pydl::kernels::reduce::PYDL_ISA
