#include "core/tensor.h"

#include <algorithm>

namespace pydl {

thread_local bool inference_mode = false;
void (*TensorImpl::on_destroy)(TensorImpl*) = nullptr;

// ---- storage ---------------------------------------------------------------------------------------------------

Ref<Storage> Storage::make(int64_t bytes) {
  Ref<Storage> s = Ref<Storage>::adopt(new Storage);
  if (bytes <= kInline) {
    s->data_ = s->inline_;
  } else {
    s->data_ = static_cast<char*>(allocate(static_cast<size_t>(bytes)));
  }
  s->bytes_ = bytes;
  return s;
}

Ref<Storage> Storage::wrap(void* data, int64_t bytes, Release release, void* context, bool read_only) {
  Ref<Storage> s = Ref<Storage>::adopt(new Storage);
  s->data_ = static_cast<char*>(data);
  s->bytes_ = bytes;
  s->release_ = release;
  s->context_ = context;
  s->read_only_ = read_only;
  return s;
}

void Storage::destroy(Storage* s) {
  if (s->release_) {
    s->release_(s->context_);
  } else if (s->data_ && s->data_ != s->inline_) {
    deallocate(s->data_, static_cast<size_t>(s->bytes_));
  }
  delete s;
}

// ---- tensor ----------------------------------------------------------------------------------------------------

namespace {

bool is_contiguous(const Dims& sizes, const Dims& strides) {
  int64_t expected = 1;
  for (int i = sizes.size(); i-- > 0;) {
    if (sizes[i] == 0) return true;
    if (sizes[i] != 1 && strides[i] != expected) return false;
    expected *= sizes[i];
  }
  return true;
}

}  // namespace

TensorImpl::TensorImpl(Ref<Storage> s, DType d, IntSpan sz, IntSpan st, int64_t off) : storage(std::move(s)), dtype(d) {
  set_geometry(sz, st, off);
}

TensorImpl::TensorImpl(Ref<Storage> s, DType d, IntSpan sz) : storage(std::move(s)), dtype(d), sizes(sz) {
  strides = contiguous_strides(sz);
  numel = numel_of(sz);
  data = storage->data();
}

void TensorImpl::set_geometry(IntSpan new_sizes, IntSpan new_strides, int64_t new_offset) {
  sizes = Dims(new_sizes);
  strides = Dims(new_strides);
  offset = new_offset;
  numel = numel_of(sizes);
  contiguous = is_contiguous(sizes, strides);
  data = storage->data() + offset * item_size(dtype);
}

void TensorImpl::set_storage(Ref<Storage> s, DType new_dtype, IntSpan new_sizes) {
  const Dims sz(new_sizes);
  storage = std::move(s);
  dtype = new_dtype;
  set_geometry(sz, contiguous_strides(sz), 0);
}

void TensorImpl::destroy(TensorImpl* t) {
  if (t->pyobject && on_destroy) on_destroy(t);
  delete t;
}

Tensor empty(IntSpan sizes, DType dtype, const char* op) {
  const int64_t n = checked_numel(sizes, item_size(dtype), op);
  return Tensor(Ref<TensorImpl>::adopt(new TensorImpl(Storage::make(n * item_size(dtype)), dtype, sizes)));
}

Tensor empty_strided(IntSpan sizes, IntSpan strides, DType dtype, const char* op) {
  PYDL_CHECK(sizes.size() == strides.size(), ShapeError, op, "(): size and stride must have the same length, got ", sizes, " and ",
             strides);
  const int64_t n = checked_numel(sizes, item_size(dtype), op);
  int64_t last = 0;
  for (size_t i = 0; n != 0 && i < sizes.size(); ++i) {
    int64_t reach;
    PYDL_CHECK(strides[i] >= 0, ValueError, op, "(): strides must not be negative, got ", strides);
    const bool bad = __builtin_mul_overflow(sizes[i] - 1, strides[i], &reach) || __builtin_add_overflow(last, reach, &last);
    PYDL_CHECK(!bad, ShapeError, op, "(): the extent of sizes ", sizes, " and strides ", strides, " does not fit 64 bits");
  }
  int64_t bytes;
  PYDL_CHECK(!__builtin_add_overflow(last, n != 0, &last) && !__builtin_mul_overflow(last, item_size(dtype), &bytes), ShapeError, op,
             "(): the extent of sizes ", sizes, " and strides ", strides, " does not fit 64 bits");
  return Tensor(Ref<TensorImpl>::adopt(new TensorImpl(Storage::make(bytes), dtype, sizes, strides, 0)));
}

Tensor raw_view(const Tensor& base, IntSpan sizes, IntSpan strides, int64_t offset) {
  Tensor view(Ref<TensorImpl>::adopt(new TensorImpl(base->storage, base.dtype(), sizes, strides, offset)));
  view->own_version = base->own_version;
  view->is_inference = base->is_inference;
  return view;
}

Tensor raw_alias(const Tensor& base) { return raw_view(base, base.sizes(), base.strides(), base->offset); }

Tensor scalar_tensor(const Scalar& value, DType dtype) {
  Tensor t = empty({}, dtype);
  value.store(dtype, t->data);
  return t;
}

// ---- promotion -------------------------------------------------------------------------------------------------

namespace {

DType g_default_dtype = DType::Float32;

// torch.promote_types. Rows and columns in the order of DType without complex32's own arithmetic.
int float_rank(DType d) { return d == DType::Float64 ? 3 : d == DType::Float32 ? 2 : d >= DType::Float16 ? 1 : 0; }

}  // namespace

DType promote_types(DType a, DType b) {
  if (a == b) return a;
  if (a > b) std::swap(a, b);  // b is the later enumerator: floating over integral, complex over floating
  if (is_complex(b)) {
    const DType real_b = real_type(b);
    if (is_complex(a)) return b;
    if (!is_floating(a)) return b;
    if (a == DType::BFloat16 && b == DType::ComplexHalf) return DType::Complex64;
    return float_rank(a) > float_rank(real_b) ? complex_type(a) : b;
  }
  if (is_floating(b)) {
    if (!is_floating(a)) return b;
    if (a == DType::Float16 && b == DType::BFloat16) return DType::Float32;
    return b;
  }
  if (a == DType::Bool) return b;
  // Two different integers: the signed type that holds both; torch has no such rule for uint16/32/64 with
  // narrower signed types beyond int64 and gives int64.
  const int64_t sa = item_size(a), sb = item_size(b);
  if (is_unsigned(a) == is_unsigned(b)) return sa > sb ? a : b;
  const DType u = is_unsigned(a) ? a : b, s = is_unsigned(a) ? b : a;
  if (item_size(s) > item_size(u)) return s;
  switch (item_size(u)) {
    case 1:
      return DType::Int16;
    case 2:
      return DType::Int32;
    default:
      return DType::Int64;
  }
}

DType default_dtype() { return g_default_dtype; }
void set_default_dtype(DType dtype) {
  PYDL_CHECK(is_floating(dtype), TypeError, "set_default_dtype(): only floating-point types are supported as the default type, got ",
             dtype);
  g_default_dtype = dtype;
}

DType scalar_dtype(const Scalar& s) {
  switch (s.kind()) {
    case Scalar::Kind::Bool:
      return DType::Bool;
    case Scalar::Kind::Int:
      return DType::Int64;
    case Scalar::Kind::Float:
      return g_default_dtype;
    default:
      return complex_type(g_default_dtype);
  }
}

void Promotion::merge(int category, DType d) {
  int& s = seen_[category];
  s = s < 0 ? static_cast<int>(d) : static_cast<int>(promote_types(static_cast<DType>(s), d));
}

Promotion& Promotion::add(const Tensor& t) {
  merge(t->wrapped_number ? 2 : t.ndim() == 0 ? 1 : 0, t->wrapped_number && is_floating(t.dtype()) ? g_default_dtype : t.dtype());
  return *this;
}

Promotion& Promotion::add(const Scalar& s) {
  merge(2, scalar_dtype(s));
  return *this;
}

// A lower category only matters when its kind (bool < int < float < complex) is above the higher one's.
DType Promotion::result() const {
  const auto kind = [](DType d) { return is_complex(d) ? 3 : is_floating(d) ? 2 : d == DType::Bool ? 0 : 1; };
  int best = -1;
  for (const int s : seen_) {
    if (s < 0) continue;
    const DType d = static_cast<DType>(s);
    if (best < 0) {
      best = s;
    } else if (kind(d) > kind(static_cast<DType>(best))) {
      const DType high = static_cast<DType>(best);
      // A complex number beside a real floating tensor keeps the tensor's precision.
      best = static_cast<int>(is_complex(d) && is_floating(high) ? complex_type(high) == DType::Complex128 ? DType::Complex128
                                                                   : high == DType::Float16                ? DType::ComplexHalf
                                                                                                           : DType::Complex64
                                                                 : d);
    }
  }
  return best < 0 ? g_default_dtype : static_cast<DType>(best);
}

// ---- overlap ---------------------------------------------------------------------------------------------------

namespace {

struct Extent {
  const char *begin, *end;
};
Extent extent(const Tensor& t) {
  const int64_t size = t.item_size();
  int64_t low = 0, high = size;
  for (int i = 0; i < t.ndim(); ++i) {
    const int64_t reach = (t.size(i) - 1) * t.stride(i) * size;
    (reach < 0 ? low : high) += reach;
  }
  return {t->data + low, t->data + high};
}

// Whether elements of two views share bytes: is the distance of an element of a from one of b,
// delta + sum of i * stride over the dims of both, ever less than an element? Looked for from the largest stride on, where only
// those i are tried from which the smaller strides can still reach; views of one tensor leave few.
class SharedBytes {
 public:
  SharedBytes(const Tensor& a, const Tensor& b) : low_(1 - a.item_size()), high_(b.item_size() - 1) {
    for (int d = 0; d < a.ndim(); ++d) add(a.stride(d) * a.item_size(), a.size(d) - 1);
    for (int d = 0; d < b.ndim(); ++d) add(-b.stride(d) * b.item_size(), b.size(d) - 1);
    std::sort(terms_, terms_ + count_, [](const Term& p, const Term& q) { return p.stride > q.stride; });
    for (int k = count_; k-- > 0;) {
      terms_[k].least = terms_[k].first * terms_[k].stride + (k + 1 < count_ ? terms_[k + 1].least : 0);
      terms_[k].most = terms_[k].last * terms_[k].stride + (k + 1 < count_ ? terms_[k + 1].most : 0);
    }
    found_ = reaches(0, a->data - b->data);
  }
  bool found() const { return found_; }

 private:
  struct Term {
    int64_t stride, first, last;
    int64_t least, most;  // of the sum from this one on
  };

  void add(int64_t stride, int64_t last) {
    if (last == 0 || stride == 0) return;
    const bool down = stride < 0;
    if (down) stride = -stride;
    int k = 0;
    while (k < count_ && terms_[k].stride != stride) ++k;
    if (k == count_) terms_[count_++] = {stride, 0, 0, 0, 0};
    (down ? terms_[k].first : terms_[k].last) += down ? -last : last;
  }

  static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); }

  bool reaches(int k, int64_t distance) {
    constexpr int kMostSteps = 512;  // beyond, it counts as found
    if (++steps_ > kMostSteps) return true;
    if (k == count_) return distance >= low_ && distance <= high_;
    const Term& t = terms_[k];
    const int64_t least = k + 1 < count_ ? terms_[k + 1].least : 0, most = k + 1 < count_ ? terms_[k + 1].most : 0;
    const int64_t from = std::max(t.first, -floor_div(distance + most - low_, t.stride));
    const int64_t to = std::min(t.last, floor_div(high_ - least - distance, t.stride));
    for (int64_t i = from; i <= to; ++i) {
      if (reaches(k + 1, distance + i * t.stride)) return true;
    }
    return false;
  }

  int64_t low_, high_;
  int count_ = 0, steps_ = 0;
  Term terms_[2 * kMaxDims];
  bool found_;
};

}  // namespace

Overlap memory_overlap(const Tensor& a, const Tensor& b) {
  if (a.same(b)) return Overlap::Full;
  if (a.numel() == 0 || b.numel() == 0) return Overlap::None;
  const Extent x = extent(a), y = extent(b);
  if (x.begin >= y.end || y.begin >= x.end) return Overlap::None;
  if (a->data == b->data && a.dtype() == b.dtype() && a.sizes() == b.sizes() && a.strides() == b.strides()) return Overlap::Full;
  return SharedBytes(a, b).found() ? Overlap::Partial : Overlap::None;
}

bool has_internal_overlap(const Tensor& t) {
  if (t.contiguous() || t.numel() <= 1) return false;
  // Sorted by stride, each dim must step past everything that the smaller ones reach.
  struct Axis {
    int64_t stride, size;
  } axes[kMaxDims];
  int n = 0;
  for (int i = 0; i < t.ndim(); ++i) {
    if (t.size(i) > 1) axes[n++] = {std::abs(t.stride(i)), t.size(i)};
  }
  std::sort(axes, axes + n, [](const Axis& p, const Axis& q) { return p.stride < q.stride; });
  int64_t reach = 0;
  for (int i = 0; i < n; ++i) {
    if (axes[i].stride <= reach) return true;
    reach += axes[i].stride * (axes[i].size - 1);
  }
  return false;
}

}  // namespace pydl
