// tensor[key] and tensor[key] = value.
#include "bindings/python.h"
#include "ops/copy/copy.h"
#include "ops/index/index.h"
#include "ops/pointwise/engine.h"
#include "ops/view/view.h"

namespace pydl::python {
namespace {

// A key taken apart: steps that make a view, then tensors that index the view's dims.
struct Key {
  Dims sizes, strides;
  int64_t offset;
  std::vector<Tensor> tensors;  // by dim of the view; empty if there are none
  bool identity = true;

  Key(const Tensor& t, PyObject* key);

 private:
  void item(const Tensor& t, PyObject* o, int& dim, int after);
  void pick(const Tensor& t, int64_t index, int dim);
  void cut(const Tensor& t, PyObject* slice, int dim);
  void tensor(const Tensor& t, Tensor index, int& dim);
  // Entries of `tensors` for the view dims that stand before the next one (a mask is one entry for several dims).
  void align(int made = 0) {
    int covered = 0;
    for (const Tensor& x : tensors) covered += x.defined() && (x.dtype() == DType::Bool || x.dtype() == DType::UInt8) ? x.ndim() : 1;
    for (; covered < sizes.size() - made; ++covered) tensors.emplace_back();
  }
  void keep(const Tensor& t, int dim) {
    sizes.push_back(t.size(dim));
    strides.push_back(t.stride(dim));
  }
};

bool is_integer_index(PyObject* o) { return PyLong_Check(o) || (!is_tensor(o) && !is_ndarray(o) && PyIndex_Check(o)); }

// How many dims of the tensor an item uses up.
int dims_used(PyObject* o) {
  if (o == Py_None || o == Py_Ellipsis || PyBool_Check(o)) return 0;
  if (is_tensor(o)) {
    const Tensor& t = unwrap(o);
    if (t.dtype() == DType::Bool || t.dtype() == DType::UInt8) return t.ndim();
  }
  return 1;
}

// Lists, arrays and nested sequences become tensors.
Tensor as_index_tensor(PyObject* o) {
  Tensor t = is_ndarray(o) ? from_numpy(o, false) : tensor_from_data(o, std::nullopt);
  if (t.numel() == 0 && is_floating(t.dtype())) t = to_dtype(t, DType::Int64);  // an empty list
  return t;
}

Key::Key(const Tensor& t, PyObject* key) : offset(t->offset) {
  PyObject* const* items = PyTuple_Check(key) ? &PyTuple_GET_ITEM(key, 0) : &key;
  const Py_ssize_t n = PyTuple_Check(key) ? PyTuple_GET_SIZE(key) : 1;
  std::vector<Object> made;  // tensors made from lists, alive while this runs
  std::vector<PyObject*> parts;
  int used = 0, ellipses = 0;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* o = items[i];
    if (!is_tensor(o) && (PyList_Check(o) || is_ndarray(o) || PyTuple_Check(o) || PyRange_Check(o))) {
      made.push_back(own(wrap(as_index_tensor(o))));
      o = made.back().get();
    }
    parts.push_back(o);
    used += dims_used(o);
    ellipses += o == Py_Ellipsis;
  }
  if (ellipses > 1) raise(PyExc_IndexError, "an index can only have a single ellipsis ('...')");
  if (used > t.ndim()) raise(PyExc_IndexError, text("too many indices for tensor of dimension ", t.ndim()));
  int dim = 0;
  for (PyObject* o : parts) item(t, o, dim, t.ndim() - used);
  while (dim < t.ndim()) keep(t, dim++);
}

void Key::item(const Tensor& t, PyObject* o, int& dim, int skipped) {
  if (o == Py_Ellipsis) {
    for (int i = 0; i < skipped; ++i) keep(t, dim++);
    return;
  }
  if (o == Py_None) {
    identity = false;
    sizes.push_back(1);
    strides.push_back(dim < t.ndim() ? t.size(dim) * t.stride(dim) : 1);
    return;
  }
  if (PyBool_Check(o) || (is_tensor(o) && unwrap(o).ndim() == 0 && dims_used(o) == 0)) {
    // A scalar mask (bool or uint8) adds a dim of size 1, taken or not.
    const bool yes = PyBool_Check(o) ? o == Py_True : Scalar::load(unwrap(o).dtype(), unwrap(o)->data).to_bool();
    identity = false;
    sizes.push_back(1);
    strides.push_back(0);
    align(1);
    tensors.push_back(yes ? zeros(Dims{1}, DType::Int64) : empty(Dims{0}, DType::Int64));
    return;
  }
  if (PySlice_Check(o)) return cut(t, o, dim++);
  if (is_tensor(o)) {
    const Tensor& index = unwrap(o);
    if (index.ndim() == 0 && is_integer(index.dtype()) && !index->requires_grad)
      return pick(t, Scalar::load(index.dtype(), index->data).to_int(), dim++);
    return tensor(t, index, dim);
  }
  if (is_integer_index(o)) return pick(t, to_index(o, "index", "index"), dim++);
  raise(PyExc_IndexError, text("only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got ",
                               Py_TYPE(o)->tp_name, ")"));
}

void Key::pick(const Tensor& t, int64_t index, int dim) {
  identity = false;
  const int64_t n = t.size(dim);
  if (index < -n || index >= n) raise(PyExc_IndexError, text("index ", index, " is out of bounds for dimension ", dim, " with size ", n));
  offset += (index < 0 ? index + n : index) * t.stride(dim);
}

void Key::cut(const Tensor& t, PyObject* slice, int dim) {
  Py_ssize_t start, stop, step;
  check(PySlice_Unpack(slice, &start, &stop, &step));
  if (step <= 0) raise(PyExc_ValueError, "step must be greater than zero");
  const Py_ssize_t length = PySlice_AdjustIndices(t.size(dim), &start, &stop, step);
  identity &= length == t.size(dim) && step == 1;
  sizes.push_back(length);
  strides.push_back(length > 1 ? t.stride(dim) * step : t.stride(dim));
  if (length > 0) offset += start * t.stride(dim);
}

void Key::tensor(const Tensor& t, Tensor index, int& dim) {
  identity = false;
  align();
  const bool mask = index.dtype() == DType::Bool || index.dtype() == DType::UInt8;
  const int covers = mask ? index.ndim() : 1;
  for (int i = 0; i < covers; ++i) keep(t, dim++);
  tensors.push_back(std::move(index));  // a mask stands for as many dims of the view as it has
}

// The basic part of a key as a view of `t`.
Tensor basic_view(const Tensor& t, const Key& k) {
  Tensor v = raw_view(t, k.sizes, k.strides, k.offset);
  if (autograd::needs_grad(t)) {
    if (t.contiguous()) {
      autograd::record("SliceBackward0", v, {&t},
                       [base = t.sizes(), sizes = k.sizes, strides = k.strides, offset = k.offset - t->offset](autograd::Backward& b) {
                         b.set(0, gather_windows(b.grad(), base, sizes, strides, offset));
                       });
    } else {  // strides of the view say nothing about another layout: look through a contiguous alias of the values
      autograd::set_history(v, strided_view_node(t, k.sizes, k.strides, k.offset));
    }
  }
  return as_view(t, std::move(v));
}

}  // namespace

PyObject* index_get(PyObject* self, PyObject* key) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    if (is_tensor(key) && unwrap(key).ndim() > 0 && unwrap(key).dtype() == DType::Bool && unwrap(key).ndim() <= t.ndim()) {
      return wrap(index(t, {unwrap(key)}));
    }
    const Key k(t, key);
    if (k.tensors.empty()) return wrap(basic_view(t, k));
    return wrap(index(basic_view(t, k), k.tensors));
  });
}

int index_set(PyObject* self, PyObject* key, PyObject* value) {
  return guarded_int([&] {
    if (!value) raise(PyExc_TypeError, "Tensor does not support deleting items");
    const Tensor& t = unwrap(self);
    Tensor source;
    if (is_tensor(value)) {
      source = unwrap(value);
    } else if (Scalar s; to_scalar(value, &s)) {
      if (s.is_complex() && !is_complex(t.dtype()))
        raise(PyExc_TypeError, text("can't assign a complex number to a ", dtype_name(t.dtype()), " tensor"));
      source = scalar_tensor(s, t.dtype());
    } else {
      source = is_ndarray(value) ? from_numpy(value, false) : tensor_from_data(value, std::nullopt);
    }
    const Key k(t, key);
    // Leading dims of size 1 of the value are dropped, as in NumPy.
    const auto fit = [&](int ndim) {
      while (source.ndim() > ndim && source.size(0) == 1) source = select(source, 0, 0);
    };
    if (k.tensors.empty()) {
      const Tensor target = k.identity ? t : basic_view(t, k);
      fit(target.ndim());
      if (target.numel() == 0 && source.numel() > 1) broadcast_shapes(target.sizes(), source.sizes(), "index");
      copy_(target, source);
      return;
    }
    const bool whole = k.sizes == t.sizes() && k.strides == t.strides() && k.offset == t->offset;
    index_put_(whole ? t : basic_view(t, k), k.tensors, to_dtype(source, t.dtype()), false);
  });
}

}  // namespace pydl::python
