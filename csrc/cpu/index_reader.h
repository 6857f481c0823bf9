// Indices as rows: read from any integer dtype, and checked before anything is written. For
// *_step.cpp files.
#pragma once

#include <atomic>

#include "cpu/dispatch.h"
#include "cpu/index.h"
#include "cpu/integers.h"
#include "cpu/lambda_step.h"
#include "cpu/require.h"

namespace symk::cpu {

constexpr int64_t kIndicesPerPart = 32 * 1024;

/// Reads and checks all indices into `rows`; the status names the first that is outside.
class IndexReader {
 public:
  IndexReader(const char* name, const Type& indices, int64_t limit)
      : read_(IndexKernels::of<Isa::integers>().read[static_cast<int>(indices.dtype)]),
        dtype_(indices.dtype), count_(indices.count()), limit_(limit) {
    if (read_ == nullptr) throw no_dtype(name, indices.dtype);
  }

  int64_t scratch_bytes() const { return count_ * static_cast<int64_t>(sizeof(int64_t)); }

  Status read(const void* indices, int64_t* rows, ThreadPool& pool) const {
    std::atomic<int64_t> first_bad{count_};
    run_parts(pool, count_, kIndicesPerPart, [&](int64_t first, int64_t last) {
      const int64_t bad = read_(indices, first, last, limit_, rows);
      if (bad < 0) return;
      int64_t known = first_bad.load();
      while (bad < known && !first_bad.compare_exchange_weak(known, bad)) {
      }
    });
    const int64_t position = first_bad.load();
    if (position == count_) return Status();
    return {Status::kOutOfRange, integer_at(dtype_, indices, position), position, limit_};
  }

 private:
  IndexKernels::Read read_;
  DType dtype_;
  int64_t count_, limit_;
};

}  // namespace symk::cpu
