// The extension module pydl._C. The hot surface is hand-written CPython; what is called rarely goes through pybind11.
#include <pybind11/pybind11.h>

#include "bindings/python.h"
#include "core/allocator.h"
#include "core/cpu_info.h"
#include "core/parallel.h"

namespace py = pybind11;

namespace pydl::python {
namespace {

py::dict memory_stats_dict() {
  const MemoryStats s = memory_stats();
  py::dict d;
  d["allocated_bytes"] = s.allocated_bytes;
  d["peak_allocated_bytes"] = s.peak_allocated_bytes;
  d["cached_bytes"] = s.cached_bytes;
  d["system_allocations"] = s.system_allocations;
  d["system_bytes"] = s.system_bytes;
  d["allocations"] = s.allocations;
  return d;
}

py::dict config() {
  const CpuInfo& c = cpu_info();
  py::dict d;
  d["compiler"] = "gcc " __VERSION__;
  d["openmp"] = _OPENMP;
  d["cpu"] = std::string(c.brand);
  d["cpu_level"] = cpu_level_name(c.level);
  d["cpu_level_supported"] = cpu_level_name(c.supported);
  d["avx512_bf16"] = c.avx512_bf16;
  d["avx512_vnni"] = c.avx512_vnni;
  d["l1d_bytes"] = c.l1d_bytes;
  d["l2_bytes"] = c.l2_bytes;
  d["l3_bytes"] = c.l3_bytes;
  d["threads"] = num_threads();
  d["default_threads"] = default_num_threads();
  d["cuda"] = false;
  return d;
}

}  // namespace
}  // namespace pydl::python

PYBIND11_MODULE(_C, m) {
  using namespace pydl::python;
  PyObject* module = m.ptr();
  if (!init_errors(module) || !init_numpy() || !init_small_types(module) || !init_tensor_type(module) || !init_ops(module, TensorType) ||
      !init_autograd(module) || !init_functions(module) || !init_dlpack(module) || !init_module_base(module)) {
    throw py::error_already_set();
  }
  m.def("memory_stats", &memory_stats_dict,
        "Bytes in use, their peak, bytes cached for reuse, and how often and how much memory was asked of the operating system.");
  m.def("reset_peak_memory_stats", &pydl::reset_peak_memory_stats, "Starts the peak of memory_stats() at what is in use now.");
  m.def("empty_cache", &pydl::empty_cache, "Returns cached memory to the operating system.");
  m.def("_fail_allocation_after", &pydl::fail_allocation_after);
  m.def("config", &config);
}
