// Memory shared with other libraries through DLPack (github.com/dmlc/dlpack, versions 0.x and 1.x). The structs below are
// the protocol's binary layout; the Python methods stand in pydl/_dlpack.py.
#include <cstring>
#include <limits>

#include "bindings/python.h"
#include "ops/copy/copy.h"
#include "ops/creation/rearrange.h"

namespace pydl::python {
namespace {

struct DLDevice {
  int32_t type, id;
};
constexpr int32_t kCpu = 1;
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kComplex = 5, kBool = 6 };
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  // elements; null: contiguous
  uint64_t byte_offset;
};
struct Managed {  // "dltensor"
  DLTensor tensor;
  void* context;
  void (*deleter)(Managed*);
};
struct Versioned {  // "dltensor_versioned"
  uint32_t major, minor;
  void* context;
  void (*deleter)(Versioned*);
  uint64_t flags;
  DLTensor tensor;
};
constexpr uint64_t kReadOnly = 1, kIsCopied = 2;

constexpr const char* kName[] = {"dltensor", "dltensor_versioned"};
constexpr const char* kUsed[] = {"used_dltensor", "used_dltensor_versioned"};

DLDataType code_of(DType d) {
  const auto bits = static_cast<uint8_t>(8 * item_size(d));
  switch (d) {
    case DType::Bool:
      return {kBool, 8, 1};
    case DType::UInt8:
    case DType::UInt16:
    case DType::UInt32:
    case DType::UInt64:
      return {kUInt, bits, 1};
    case DType::BFloat16:
      return {kBfloat, bits, 1};
    default:
      return {is_complex(d) ? kComplex : is_floating(d) ? kFloat : kInt, bits, 1};
  }
}

std::optional<DType> dtype_of(DLDataType t) {
  for (int i = 0; i < kNumDTypes; ++i) {
    const DLDataType c = code_of(static_cast<DType>(i));
    if (c.code == t.code && c.bits == t.bits && t.lanes == 1) return static_cast<DType>(i);
  }
  return std::nullopt;
}

// ---- export ----------------------------------------------------------------------------------------------------

// What a consumer keeps alive: the memory, not the tensor, which may be given other memory meanwhile.
struct Exported {
  Ref<Storage> storage;
  std::unique_ptr<int64_t[]> geometry;
  Managed managed;
  Versioned versioned;
};

template <class M>
void drop_exported(M* m) {
  delete static_cast<Exported*>(m->context);
}

template <class M>
void drop_capsule(PyObject* capsule, const char* name) {
  if (!PyCapsule_IsValid(capsule, name)) return;  // consumed: the consumer calls the deleter
  M* m = static_cast<M*>(PyCapsule_GetPointer(capsule, name));
  if (m->deleter) m->deleter(m);
}

// _to_dlpack(tensor, versioned, copied) -> capsule
PyObject* to_dlpack(PyObject*, PyObject* args) {
  PyObject* object;
  int versioned, copied;
  if (!PyArg_ParseTuple(args, "Opp:_to_dlpack", &object, &versioned, &copied)) return nullptr;
  return guarded([&]() -> PyObject* {
    if (!is_tensor(object)) raise(PyExc_TypeError, "_to_dlpack(): expected a Tensor");
    const Tensor& t = unwrap(object);
    if (!versioned && t->storage->read_only())
      raise(PyExc_BufferError, "__dlpack__(): the memory is read-only, which a consumer before DLPack 1.0 cannot be told");
    auto e = std::make_unique<Exported>();
    e->storage = t->storage;
    const auto n = static_cast<size_t>(t.ndim());
    e->geometry = std::make_unique<int64_t[]>(2 * n + 1);
    std::copy_n(t.sizes().begin(), n, e->geometry.get());
    std::copy_n(t.strides().begin(), n, e->geometry.get() + n);
    const DLTensor tensor{.data = t->data,
                          .device = {kCpu, 0},
                          .ndim = t.ndim(),
                          .dtype = code_of(t.dtype()),
                          .shape = e->geometry.get(),
                          .strides = e->geometry.get() + n,
                          .byte_offset = 0};
    e->managed = {.tensor = tensor, .context = e.get(), .deleter = &drop_exported<Managed>};
    e->versioned = {.major = 1,
                    .minor = 0,
                    .context = e.get(),
                    .deleter = &drop_exported<Versioned>,
                    .flags = (t->storage->read_only() ? kReadOnly : 0) | (copied ? kIsCopied : 0),
                    .tensor = tensor};
    PyObject* capsule = versioned ? PyCapsule_New(&e->versioned, kName[1], [](PyObject* c) { drop_capsule<Versioned>(c, kName[1]); })
                                  : PyCapsule_New(&e->managed, kName[0], [](PyObject* c) { drop_capsule<Managed>(c, kName[0]); });
    checked(capsule);
    e.release();
    return capsule;
  });
}

// ---- import ----------------------------------------------------------------------------------------------------

template <class M>
void drop_imported(void* context) {
  M* m = static_cast<M*>(context);
  if (!m->deleter) return;
  if (!Py_IsInitialized()) return;
  const GilAcquire gil;
  m->deleter(m);
}

struct Plan {
  DType dtype;
  Dims sizes, strides, turned;  // `turned`: dims whose stride is negative
  char* first = nullptr;        // the element with the lowest address
  int64_t bytes = 0;
};

Plan plan_of(const DLTensor& t) {
  const auto refuse = [](const std::string& why) { raise(PyExc_BufferError, text("from_dlpack(): ", why)); };
  Plan p;
  if (t.device.type != kCpu) refuse(text("expected memory of the CPU (device type 1), got device type ", t.device.type));
  const auto dtype = dtype_of(t.dtype);
  if (!dtype) {
    refuse(text("unsupported type: code ", static_cast<int>(t.dtype.code), ", ", static_cast<int>(t.dtype.bits), " bits, ",
                static_cast<int>(t.dtype.lanes), " lanes"));
  }
  p.dtype = *dtype;
  if (t.ndim < 0 || t.ndim > kMaxDims || (t.ndim > 0 && !t.shape)) refuse(text("ndim must be in [0, ", kMaxDims, "], got ", t.ndim));
  const int64_t item = item_size(p.dtype);
  for (int i = 0; i < t.ndim; ++i) p.sizes.push_back(t.shape[i]);
  const int64_t numel = checked_numel(p.sizes, item, "from_dlpack");
  int64_t step = 1;
  p.strides = Dims(t.ndim, 0);
  for (int i = t.ndim - 1; i >= 0; --i) {
    p.strides[i] = t.strides ? t.strides[i] : step;
    step *= std::max<int64_t>(p.sizes[i], 1);
  }
  int64_t below = 0, above = 1;
  for (int i = 0; i < t.ndim && numel; ++i) {
    int64_t reach;
    if (__builtin_mul_overflow(p.sizes[i] - 1, p.strides[i], &reach) || reach > std::numeric_limits<int64_t>::max() / 64 ||
        reach < std::numeric_limits<int64_t>::min() / 64)
      refuse(text("stride ", p.strides[i], " of dim ", i, " is out of range"));
    if (reach < 0) {
      below -= reach;
      p.strides[i] = -p.strides[i];
      p.turned.push_back(i);
    }
    above += reach < 0 ? -reach : reach;
  }
  if (numel == 0) {
    for (int i = 0; i < t.ndim; ++i) p.strides[i] = std::max<int64_t>(p.strides[i], 0);
    return p;
  }
  if (!t.data) refuse("the data pointer is null");
  p.first = static_cast<char*>(t.data) + t.byte_offset - below * item;
  p.bytes = above * item;
  return p;
}

// A tensor on the producer's memory; a copy where it must not be written, or cannot be addressed in place.
template <class M>
Tensor import(PyObject* capsule, int kind, uint64_t flags, PyObject* copy) {
  M* m = static_cast<M*>(PyCapsule_GetPointer(capsule, kName[kind]));
  if (!m) throw PythonError();
  const Plan p = plan_of(m->tensor);
  const bool aligned = reinterpret_cast<uintptr_t>(p.first) % static_cast<uintptr_t>(std::min<int64_t>(item_size(p.dtype), 8)) == 0;
  const bool needed = (flags & kReadOnly) || p.turned.size() || !aligned;
  if (needed && copy == Py_False)
    raise(PyExc_BufferError, text("from_dlpack(): copy=False, but the memory is ", (flags & kReadOnly) ? "read-only"
                                                                                   : p.turned.size()   ? "strided backwards"
                                                                                                       : "not aligned"));
  check(PyCapsule_SetName(capsule, kUsed[kind]));
  check(PyCapsule_SetDestructor(capsule, nullptr));
  if (!p.first) {
    drop_imported<M>(m);
    return empty(p.sizes, p.dtype, "from_dlpack");
  }
  if (!aligned) {
    const Tensor flat = empty(Dims{p.bytes / item_size(p.dtype)}, p.dtype, "from_dlpack");
    std::memcpy(flat->data, p.first, static_cast<size_t>(p.bytes));
    drop_imported<M>(m);
    const Tensor view(Ref<TensorImpl>::adopt(new TensorImpl(flat->storage, p.dtype, p.sizes, p.strides, 0)));
    return p.turned.size() ? flip(view, p.turned) : view;
  }
  const Tensor t(
      Ref<TensorImpl>::adopt(new TensorImpl(Storage::wrap(p.first, p.bytes, &drop_imported<M>, m, false), p.dtype, p.sizes, p.strides, 0)));
  if (p.turned.size()) return flip(t, p.turned);
  return needed || copy == Py_True ? clone(t, MemoryFormat::Contiguous) : t;
}

// _from_dlpack(capsule, copy) -> Tensor
PyObject* from_dlpack(PyObject*, PyObject* args) {
  PyObject *capsule, *copy;
  if (!PyArg_ParseTuple(args, "OO:_from_dlpack", &capsule, &copy)) return nullptr;
  return guarded([&]() -> PyObject* {
    const autograd::GradGuard off(false);
    if (PyCapsule_IsValid(capsule, kName[1])) {
      const Versioned* v = static_cast<Versioned*>(PyCapsule_GetPointer(capsule, kName[1]));
      if (v->major != 1) raise(PyExc_BufferError, text("from_dlpack(): expected DLPack version 1, got ", v->major, ".", v->minor));
      return wrap(import<Versioned>(capsule, 1, v->flags, copy));
    }
    if (PyCapsule_IsValid(capsule, kName[0])) return wrap(import<Managed>(capsule, 0, 0, copy));
    raise(PyExc_RuntimeError,
          "from_dlpack(): received an invalid capsule. Note that a DLTensor capsule can be consumed only once, so you might have "
          "already constructed a tensor from it once.");
  });
}

PyMethodDef functions[] = {
    {"_to_dlpack", to_dlpack, METH_VARARGS, nullptr}, {"_from_dlpack", from_dlpack, METH_VARARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool init_dlpack(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace pydl::python
