// A cursor over the bytes of a Plan that never reads past their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/text.h"

namespace symk {

/// Throws the Error of a Plan that cannot be.
[[noreturn]] void refuse_plan(std::initializer_list<TextPiece> pieces);

class Reader {
 public:
  Reader(const char* bytes, size_t count) : bytes_(bytes), count_(count) {}

  size_t position() const { return position_; }
  size_t left() const { return count_ - position_; }

  const char* take(size_t count);

  /// A little-endian number.
  template <class T>
  T number() {
    unsigned char raw[sizeof(T)];
    std::memcpy(raw, take(sizeof(T)), sizeof(T));
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof(T); ++i) bits |= uint64_t{raw[i]} << (8 * i);
    T value;
    if constexpr (sizeof(T) == 8) {
      std::memcpy(&value, &bits, 8);  // also a double
    } else {
      value = static_cast<T>(bits);
    }
    return value;
  }

  /// UTF-8 without zero bytes, so that it can stand in messages and as a C string.
  std::string text();

  /// A list whose items take at least `least` bytes each: so that a damaged count cannot ask for
  /// much memory.
  template <class Item>
  auto list(size_t least, Item item) -> std::vector<decltype(item())> {
    const uint32_t count = list_count(least);
    std::vector<decltype(item())> items;
    items.reserve(count);
    for (uint32_t i = 0; i < count; ++i) items.push_back(item());
    return items;
  }

  template <class T>
  std::vector<T> numbers() {
    return list(sizeof(T), [this] { return number<T>(); });
  }

 private:
  uint32_t list_count(size_t least);

  const char* bytes_;
  size_t count_;
  size_t position_ = 0;
};

}  // namespace symk
