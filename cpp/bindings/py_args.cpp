#include "bindings/py_args.h"

#include <cstdlib>
#include <unordered_map>

namespace pydl::python {
namespace {

// Interned parameter names and parsed defaults, made once per signature.
struct Prepared {
  PyObject* names[kMaxParams];
  ArgValue defaults[kMaxParams];
  std::vector<int64_t> default_ints[kMaxParams];
};

std::unordered_map<const Op*, std::unique_ptr<Prepared>> g_prepared;
PyObject* g_out_name;

ArgValue default_value(const Param& p, std::vector<int64_t>& ints) {
  ArgValue v;
  const std::string text(p.default_value);
  if (text == "None") return v;
  v.present = true;
  switch (p.kind) {
    case ArgKind::Bool:
    case ArgKind::OptBool:
      v.scalar = Scalar(text == "True");
      break;
    case ArgKind::Int:
    case ArgKind::OptInt:
      v.scalar = Scalar(static_cast<int64_t>(std::strtoll(text.c_str(), nullptr, 10)));
      break;
    case ArgKind::Float:
    case ArgKind::OptFloat:
      v.scalar = Scalar(std::strtod(text.c_str(), nullptr));
      break;
    case ArgKind::Scalar:
    case ArgKind::OptScalar:
    case ArgKind::Operand:
      v.scalar = text.find_first_of(".e") == text.npos ? Scalar(static_cast<int64_t>(std::strtoll(text.c_str(), nullptr, 10)))
                                                       : Scalar(std::strtod(text.c_str(), nullptr));
      break;
    case ArgKind::Str:
    case ArgKind::OptStr:
      v.pointer = p.default_value.data() + 1;  // without the quotes
      v.size = p.default_value.size() - 2;
      break;
    case ArgKind::Ints:
    case ArgKind::OptInts: {
      const char* c = text.c_str();
      while (*c) {
        char* end;
        const long long n = std::strtoll(c, &end, 10);
        if (end == c) {
          ++c;
        } else {
          ints.push_back(n);
          c = end;
        }
      }
      v.pointer = ints.data();
      v.size = ints.size();
      break;
    }
    case ArgKind::MemoryFormat:
      v.size = static_cast<size_t>(text == "contiguous_format" ? MemoryFormat::Contiguous : MemoryFormat::Preserve);
      break;
    default:
      break;
  }
  return v;
}

const Prepared& prepared(const Op& op) { return *g_prepared.find(&op)->second; }

std::string must_be(const Op& op, const Param& p, int position, PyObject* got) {
  return text(op.signature.name, "(): argument '", p.name, "' (position ", position + 1, ") must be ", p.type, ", not ",
              Py_TYPE(got)->tp_name);
}

bool parse_int(PyObject* o, int64_t* out) {
  if (PyBool_Check(o)) return false;
  if (!PyLong_Check(o)) {
    if (is_tensor(o) ? unwrap(o).numel() != 1 || !is_integer(unwrap(o).dtype()) : !PyIndex_Check(o)) return false;
    if (is_tensor(o)) {
      *out = Scalar::load(unwrap(o).dtype(), unwrap(o)->data).to_int();
      return true;
    }
  }
  const Object index = own(PyNumber_Index(o));
  if (!index) {
    PyErr_Clear();
    return false;
  }
  int overflow;
  *out = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
  if (overflow) raise(PyExc_OverflowError, "an integer argument does not fit 64 bits");
  return true;
}

bool parse_ints(PyObject* o, ParsedArgs& parsed, ArgValue& v) {
  if (int64_t one; parse_int(o, &one)) {
    int64_t* p = parsed.ints(1);
    *p = one;
    v.pointer = p;
    v.size = 1;
    return true;
  }
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  int64_t* p = parsed.ints(static_cast<size_t>(n));
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (i >= PySequence_Fast_GET_SIZE(o) || !parse_int(PySequence_Fast_GET_ITEM(o, i), p + i)) return false;
  }
  v.pointer = p;
  v.size = static_cast<size_t>(n);
  return true;
}

bool parse_tensors(PyObject* o, ParsedArgs& parsed, ArgValue& v) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  std::vector<Tensor>& list = parsed.tensor_list();
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(o, i);
    if (!is_tensor(item)) return false;
    list.push_back(unwrap(item));
  }
  v.pointer = list.data();
  v.size = list.size();
  return true;
}

bool parse_scalar(PyObject* o, Scalar* out) {
  if (PyFloat_CheckExact(o)) {
    *out = Scalar(PyFloat_AS_DOUBLE(o));
    return true;
  }
  if (is_tensor(o)) {
    const Tensor& t = unwrap(o);
    if (t.ndim() != 0 || t->requires_grad) return false;
    *out = Scalar::load(t.dtype(), t->data);
    return true;
  }
  return to_scalar(o, out);
}

void note_size(const Tensor& t, ParsedArgs& parsed) {
  constexpr int64_t kReleaseGilAbove = 32768;  // elements; about 20 us of work
  if (t.numel() > kReleaseGilAbove) parsed.releases_gil = true;
}

bool parse_tensor(PyObject* o, ParsedArgs& parsed, ArgValue& v) {
  if (!is_tensor(o)) return false;
  v.pointer = &unwrap(o);
  note_size(unwrap(o), parsed);
  return true;
}

bool parse_value(ArgKind kind, PyObject* o, ParsedArgs& parsed, ArgValue& v) {
  v.present = true;
  switch (kind) {
    case ArgKind::Tensor:
      return parse_tensor(o, parsed, v);
    case ArgKind::Operand:
      if (is_tensor(o)) return parse_tensor(o, parsed, v);
      if (is_ndarray(o)) {
        v.pointer = parsed.keep(from_numpy(o, false));
        return true;
      }
      v.pointer = nullptr;
      return parse_scalar(o, &v.scalar);
    case ArgKind::Scalar:
      return parse_scalar(o, &v.scalar);
    case ArgKind::Int: {
      int64_t i;
      if (!parse_int(o, &i)) return false;
      v.scalar = Scalar(i);
      return true;
    }
    case ArgKind::Float:
      return parse_scalar(o, &v.scalar) && !v.scalar.is_complex();
    case ArgKind::Bool:
      if (!PyBool_Check(o)) return to_scalar(o, &v.scalar) && v.scalar.is_bool();
      v.scalar = Scalar(o == Py_True);
      return true;
    case ArgKind::Ints:
      return parse_ints(o, parsed, v);
    case ArgKind::DType: {
      DType d;
      if (!to_dtype_value(o, &d)) return false;
      v.size = static_cast<size_t>(d);
      return true;
    }
    case ArgKind::Str: {
      Py_ssize_t n;
      if (!PyUnicode_Check(o) || !(v.pointer = PyUnicode_AsUTF8AndSize(o, &n))) {
        PyErr_Clear();
        return false;
      }
      v.size = static_cast<size_t>(n);
      return true;
    }
    case ArgKind::Tensors:
      return parse_tensors(o, parsed, v);
    case ArgKind::MemoryFormat: {
      MemoryFormat f;
      if (!parse_memory_format(o, &f)) return false;
      v.size = static_cast<size_t>(f);
      return true;
    }
    case ArgKind::Generator:
      v.present = o != Py_None;
      if (!v.present) return true;
      v.pointer = unwrap_generator(o);
      return v.pointer != nullptr;
    case ArgKind::Device:
      return o == Py_None || parse_device(o);
    default:
      break;
  }
  if (o == Py_None) {
    v.present = false;
    return true;
  }
  switch (kind) {
    case ArgKind::OptTensor:
      return parse_value(ArgKind::Tensor, o, parsed, v);
    case ArgKind::OptScalar:
      return parse_value(ArgKind::Scalar, o, parsed, v);
    case ArgKind::OptInt:
      return parse_value(ArgKind::Int, o, parsed, v);
    case ArgKind::OptFloat:
      return parse_value(ArgKind::Float, o, parsed, v);
    case ArgKind::OptBool:
      return parse_value(ArgKind::Bool, o, parsed, v);
    case ArgKind::OptInts:
      return parse_value(ArgKind::Ints, o, parsed, v);
    case ArgKind::OptDType:
      return parse_value(ArgKind::DType, o, parsed, v);
    default:
      return parse_value(ArgKind::Str, o, parsed, v);
  }
}

// A keyword may hold what UTF-8 cannot: lone surrogates.
const char* keyword_text(PyObject* keyword) {
  const char* k = PyUnicode_AsUTF8(keyword);
  if (!k) PyErr_Clear();
  return k ? k : "?";
}

// torch accepts NumPy's spellings of some arguments.
bool is_alias(PyObject* keyword, std::string_view name) {
  const std::string_view given = keyword_text(keyword);
  return (name == "dim" && given == "axis") || (name == "keepdim" && given == "keepdims") ||
         (name == "input" && (given == "x" || given == "self")) || (name == "other" && given == "x2");
}

// Options of torch's factories that have one meaning here: strided memory, which no device pins.
bool is_ignored_option(const Signature& s, PyObject* keyword, PyObject* value) {
  bool factory = false;
  for (int i = 0; i < s.count; ++i) factory |= s.params[static_cast<size_t>(i)].kind == ArgKind::Device;
  if (!factory) return false;
  const std::string_view name = keyword_text(keyword);
  if (name == "layout") return value == Py_None || std::string_view(Py_TYPE(value)->tp_name) == "layout";
  return (name == "pin_memory" && (value == Py_None || PyBool_Check(value))) || (name == "names" && value == Py_None);
}

int find_param(const Signature& s, const Prepared& names, PyObject* keyword) {
  for (int i = 0; i < s.count; ++i) {
    if (names.names[i] == keyword) return i;
  }
  for (int i = 0; i < s.count; ++i) {
    if (PyUnicode_Compare(names.names[i], keyword) == 0 || is_alias(keyword, s.params[static_cast<size_t>(i)].name)) return i;
  }
  return -1;
}

// view(2, 3), permute(0, 2, 1), sum(0, 1)?: ints given one by one where one list of ints is the last positional.
bool is_variadic(const Signature& s, int position, PyObject* const* args, Py_ssize_t nargs) {
  const ArgKind kind = s.params[static_cast<size_t>(position)].kind;
  if ((kind != ArgKind::Ints && kind != ArgKind::OptInts) || (nargs <= s.positional && position != s.positional - 1)) return false;
  return nargs - position > 1 && position <= 1 && (PyLong_Check(args[position]) || PyIndex_Check(args[position])) &&
         !PyTuple_Check(args[position]) && s.params[static_cast<size_t>(position)].type == "Size";
}

}  // namespace

int64_t* ParsedArgs::ints(size_t n) {
  if (used_ + n <= sizeof small_ / sizeof small_[0]) {
    used_ += n;
    return small_ + used_ - n;
  }
  more_.push_back(std::make_unique<int64_t[]>(n + 1));
  return more_.back().get();
}

void init_signature_names(const Op& op) {
  auto p = std::make_unique<Prepared>();
  for (int i = 0; i < op.signature.count; ++i) {
    const Param& param = op.signature.params[static_cast<size_t>(i)];
    p->names[i] = PyUnicode_InternFromString(std::string(param.name).c_str());
    if (!param.default_value.empty()) p->defaults[i] = default_value(param, p->default_ints[i]);
  }
  if (!g_out_name) g_out_name = PyUnicode_InternFromString("out");
  g_prepared[&op] = std::move(p);
}

bool parse_args(const Op& op, bool inplace, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, ParsedArgs& parsed,
                std::string& why) {
  const Signature& s = op.signature;
  const Prepared& names = prepared(op);
  uint32_t given = 0;
  int position = 0;
  for (Py_ssize_t i = 0; i < nargs; ++i, ++position) {
    if (position >= s.positional) {
      why = text(s.name, "() takes ", s.positional, " positional arguments but ", nargs, " were given");
      return false;
    }
    const Param& p = s.params[static_cast<size_t>(position)];
    ArgValue& v = parsed.values[position];
    given |= 1u << position;
    if (is_variadic(s, position, args, nargs)) {
      int64_t* ints = parsed.ints(static_cast<size_t>(nargs - i));
      v.pointer = ints;
      v.size = static_cast<size_t>(nargs - i);
      v.present = true;
      for (; i < nargs; ++i) {
        if (!parse_int(args[i], ints++)) {
          why = must_be(op, p, position, args[i]);
          return false;
        }
      }
      break;
    }
    if (!parse_value(p.kind, args[i], parsed, v)) {
      why = must_be(op, p, position, args[i]);
      return false;
    }
  }
  const Py_ssize_t keywords = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  for (Py_ssize_t k = 0; k < keywords; ++k) {
    PyObject* keyword = PyTuple_GET_ITEM(kwnames, k);
    PyObject* value = args[nargs + k];
    const int i = find_param(s, names, keyword);
    if (i < 0) {
      if ((op.flags & OpFlag::Out) && !inplace && PyUnicode_Compare(keyword, g_out_name) == 0) {
        if (value == Py_None) continue;
        parsed.out = value;
        continue;
      }
      if (is_ignored_option(s, keyword, value)) continue;
      why = text(s.name, "() got an unexpected keyword argument '", keyword_text(keyword), "'");
      return false;
    }
    if (given & 1u << i) {
      why = text(s.name, "() got multiple values for argument '", s.params[static_cast<size_t>(i)].name, "'");
      return false;
    }
    given |= 1u << i;
    if (!parse_value(s.params[static_cast<size_t>(i)].kind, value, parsed, parsed.values[i])) {
      why = must_be(op, s.params[static_cast<size_t>(i)], i, value);
      return false;
    }
  }
  for (int i = 0; i < s.count; ++i) {
    if (given & 1u << i) continue;
    const Param& p = s.params[static_cast<size_t>(i)];
    if (p.default_value.empty()) {
      if (p.kind == ArgKind::Ints && p.type == "Size" && i <= 1 && nargs == i) {  // zeros(), x.view() of no sizes
        parsed.values[i].present = true;
        continue;
      }
      why = text(s.name, "() missing required argument: '", p.name, "' (position ", i + 1, ")");
      return false;
    }
    parsed.values[i] = names.defaults[i];
  }
  return true;
}

}  // namespace pydl::python
