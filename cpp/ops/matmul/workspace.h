// Scratch memory of a thread: grows, is never returned before the thread ends, aligned to 64 bytes; large blocks are
// aligned to 2 MiB and backed by huge pages where the system offers them.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace pydl {

class Workspace {
 public:
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() { std::free(data_); }

  template <class T>
  T* get(int64_t count) {
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    if (bytes > size_) grow(bytes);
    return static_cast<T*>(data_);
  }

 private:
  void grow(int64_t bytes) {
    constexpr int64_t kHuge = int64_t{2} << 20;
    const int64_t unit = bytes >= kHuge / 8 ? kHuge : 4096;
    const int64_t size = (bytes + unit - 1) / unit * unit;
    std::free(data_);
    size_ = 0;
    data_ = std::aligned_alloc(static_cast<size_t>(unit), static_cast<size_t>(size));
    if (!data_) throw std::bad_alloc();
    size_ = size;
#if defined(MADV_HUGEPAGE)
    if (unit == kHuge) madvise(data_, static_cast<size_t>(size), MADV_HUGEPAGE);
#endif
  }

  void* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace pydl
