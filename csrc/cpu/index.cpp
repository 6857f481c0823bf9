// The loops of gather and scatter_add. Row numbers were checked by `read` before any other
// loop sees them.
#include "cpu/index.h"

#include <cstring>
#include <type_traits>

namespace symk::cpu::SYMK_ISA {
namespace {

template <class Index>
int64_t read_indices(const void* data, int64_t first, int64_t last, int64_t limit, int64_t* rows) {
  const Index* indices = static_cast<const Index*>(data);
  for (int64_t i = first; i < last; ++i) {
    const int64_t index = static_cast<int64_t>(indices[i]);
    const int64_t row = index < 0 ? index + limit : index;
    if (row < 0 || row >= limit) return i;
    rows[i] = row;
  }
  return -1;
}

/// Rows of one item.
template <class T>
void gather_items(const IndexPlan& plan, const void* data, const int64_t* rows, int64_t first,
                  int64_t last, void* result) {
  const T* x = static_cast<const T*>(data);
  T* y = static_cast<T*>(result);
  for (int64_t i = first; i < last;) {
    const int64_t outer = i / plan.count, end = (outer + 1) * plan.count;
    const T* source = x + outer * plan.limit;
    const int64_t* row = rows - outer * plan.count;
    for (const int64_t stop = end < last ? end : last; i < stop; ++i) y[i] = source[row[i]];
  }
}

constexpr int64_t kRowsAhead = 4;  // rows whose first lines are asked for before they are read
constexpr int64_t kLinesAhead = 8;

/// Rows lie anywhere, so the core cannot know where the next one begins.
[[gnu::always_inline]] inline void fetch_row(const char* row, int64_t bytes) {
  const int64_t end = bytes < kLinesAhead * 64 ? bytes : kLinesAhead * 64;
  for (int64_t i = 0; i < end; i += 64) __builtin_prefetch(row + i);
}

void gather_rows(const IndexPlan& plan, const void* data, const int64_t* rows, int64_t first,
                 int64_t last, void* result) {
  const int64_t bytes = plan.row * plan.item;
  const char* x = static_cast<const char*>(data);
  char* y = static_cast<char*>(result);
  int64_t outer = first / plan.count, place = first % plan.count;
  for (int64_t i = first; i < last; ++i) {
    if (place + kRowsAhead < plan.count) {
      fetch_row(x + (outer * plan.limit + rows[place + kRowsAhead]) * bytes, bytes);
    }
    std::memcpy(y + i * bytes, x + (outer * plan.limit + rows[place]) * bytes,
                static_cast<size_t>(bytes));
    if (++place == plan.count) {
      place = 0;
      ++outer;
    }
  }
}

void gather(const IndexPlan& plan, const void* x, const int64_t* rows, int64_t first, int64_t last,
            void* y) {
  switch (plan.row * plan.item) {
    case 1: return gather_items<int8_t>(plan, x, rows, first, last, y);
    case 2: return gather_items<int16_t>(plan, x, rows, first, last, y);
    case 4: return gather_items<int32_t>(plan, x, rows, first, last, y);
    case 8: return gather_items<int64_t>(plan, x, rows, first, last, y);
    default: return gather_rows(plan, x, rows, first, last, y);
  }
}

/// Integers wrap.
template <class T>
[[gnu::always_inline]] inline T plus(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a + b;
  else
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

template <class T>
void scatter_add(const IndexPlan& plan, const void* base, const void* data, const int64_t* rows,
                 int64_t outer, int64_t first, int64_t last, void* result) {
  const int64_t width = plan.row;
  const T* g = static_cast<const T*>(data) + outer * plan.count * width;
  T* __restrict y = static_cast<T*>(result) + outer * plan.limit * width;
  const auto bytes = static_cast<size_t>((last - first) * width) * sizeof(T);
  if (base == nullptr) {
    std::memset(y + first * width, 0, bytes);
  } else if (base != result) {
    const T* x = static_cast<const T*>(base) + outer * plan.limit * width;
    std::memcpy(y + first * width, x + first * width, bytes);
  }
  for (int64_t i = 0; i < plan.count; ++i) {
    const int64_t row = rows[i];
    if (row < first || row >= last) continue;
    const T* from = g + i * width;
    T* to = y + row * width;
    for (int64_t j = 0; j < width; ++j) to[j] = plus(to[j], from[j]);
  }
}

template <class T>
constexpr void set(IndexKernels& table, DType dtype) {
  if constexpr (std::is_integral_v<T>) table.read[static_cast<int>(dtype)] = read_indices<T>;
  table.scatter_add[static_cast<int>(dtype)] = scatter_add<T>;
}

constexpr IndexKernels make_table() {
  IndexKernels table = {};
  if constexpr (is_for_integers(Isa::SYMK_ISA)) {
    set<int8_t>(table, DType::kInt8);
    set<int16_t>(table, DType::kInt16);
    set<int32_t>(table, DType::kInt32);
    set<int64_t>(table, DType::kInt64);
    set<uint8_t>(table, DType::kUInt8);
  } else {
    table.gather = gather;
    set<float>(table, DType::kFloat32);
    set<double>(table, DType::kFloat64);
  }
  return table;
}

}  // namespace
}  // namespace symk::cpu::SYMK_ISA

namespace symk::cpu {

template <>
const IndexKernels& IndexKernels::of<Isa::SYMK_ISA>() {
  static constexpr IndexKernels table = SYMK_ISA::make_table();
  return table;
}

}  // namespace symk::cpu
