# The only place with instruction-set flags: one OBJECT library per level, each compiling every *.kernel.cpp once.
#
# A source named foo.avx512bf16.cpp or foo.avx512vnni.cpp is compiled once, with those extensions on top of avx512.

file(GLOB PYDL_KERNEL_SOURCES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cpp/kernels/cpu/*/*.kernel.cpp")
file(GLOB PYDL_BF16_SOURCES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cpp/kernels/cpu/*/*.avx512bf16.cpp")
file(GLOB PYDL_VNNI_SOURCES CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cpp/kernels/cpu/*/*.avx512vnni.cpp")

set(PYDL_KERNEL_OBJECTS "")

function(pydl_add_isa name level)
  add_library(pydl_kernels_${name} OBJECT ${ARGN})
  target_include_directories(pydl_kernels_${name} PRIVATE "${PROJECT_SOURCE_DIR}/cpp")
  target_compile_definitions(pydl_kernels_${name} PRIVATE PYDL_ISA=${name} PYDL_ISA_LEVEL=${level})
  # Contraction off: a vector lane and the scalar tail must round alike. FMA is used where it is written.
  target_compile_options(pydl_kernels_${name} PRIVATE ${PYDL_WARNINGS} -ffp-contract=off -fno-math-errno -fno-trapping-math
                         -fno-exceptions -fno-rtti -fno-threadsafe-statics ${PYDL_SANITIZE_FLAGS})
  if(PYDL_SANITIZE MATCHES "undefined")
    # With the null checks GCC no longer folds a function's address against nullptr, which the constant tables need.
    target_compile_options(pydl_kernels_${name} PRIVATE -fno-sanitize=null,nonnull-attribute,returns-nonnull-attribute)
  endif()
  set_target_properties(pydl_kernels_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
  set(PYDL_KERNEL_OBJECTS ${PYDL_KERNEL_OBJECTS} $<TARGET_OBJECTS:pydl_kernels_${name}> PARENT_SCOPE)
endfunction()

pydl_add_isa(baseline 0 ${PYDL_KERNEL_SOURCES})
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  target_compile_options(pydl_kernels_baseline PRIVATE -march=x86-64-v2)
  pydl_add_isa(avx2 1 ${PYDL_KERNEL_SOURCES})
  target_compile_options(pydl_kernels_avx2 PRIVATE -march=x86-64-v3)
  # 512-bit registers are the point of this level; compilers default to 256 for some tunings.
  pydl_add_isa(avx512 2 ${PYDL_KERNEL_SOURCES})
  target_compile_options(pydl_kernels_avx512 PRIVATE -march=x86-64-v4 -mprefer-vector-width=512)
  if(PYDL_BF16_SOURCES)
    pydl_add_isa(avx512bf16 2 ${PYDL_BF16_SOURCES})
    target_compile_options(pydl_kernels_avx512bf16 PRIVATE -march=x86-64-v4 -mavx512bf16)
  endif()
  if(PYDL_VNNI_SOURCES)
    pydl_add_isa(avx512vnni 2 ${PYDL_VNNI_SOURCES})
    target_compile_options(pydl_kernels_avx512vnni PRIVATE -march=x86-64-v4 -mavx512vnni)
  endif()
endif()
