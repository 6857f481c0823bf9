// A cursor over the bytes of a Plan that never reads past their end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/error.h"

namespace symk {

[[noreturn]] inline void refuse_plan(const std::string& text) {
  throw Error(ErrorCode::kFormat, "[plan] " + text + " The file is damaged, or it is no Plan.");
}

class Reader {
 public:
  Reader(const char* bytes, size_t count) : bytes_(bytes), count_(count) {}

  size_t position() const { return position_; }
  size_t left() const { return count_ - position_; }

  const char* take(size_t count) {
    if (count > left()) {
      refuse_plan("bytes " + std::to_string(position_) + " to " +
                  std::to_string(position_ + count) + " are required; the Plan has " +
                  std::to_string(count_) + ".");
    }
    const char* const found = bytes_ + position_;
    position_ += count;
    return found;
  }

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
  std::string text() {
    const size_t start = position_;
    const auto count = number<uint32_t>();
    const char* const found = take(count);
    if (!is_text(reinterpret_cast<const unsigned char*>(found), count)) {
      refuse_plan("the text at byte " + std::to_string(start) + " must be UTF-8; it is not.");
    }
    return std::string(found, count);
  }

  /// A list whose items take at least `least` bytes each: so that a damaged count cannot ask for
  /// much memory.
  template <class Item>
  auto list(size_t least, Item item) -> std::vector<decltype(item())> {
    const size_t start = position_;
    const auto count = number<uint32_t>();
    if (count > left() / least) {
      refuse_plan("the list at byte " + std::to_string(start) + " must fit the Plan; it has " +
                  std::to_string(count) + " items in " + std::to_string(left()) + " bytes.");
    }
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
  static bool is_text(const unsigned char* bytes, size_t count) {
    for (size_t i = 0; i < count;) {
      const unsigned char lead = bytes[i];
      const size_t more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
      const bool lead_fits = (lead > 0 && lead < 0x80) || (lead >= 0xC2 && lead <= 0xF4);
      if (!lead_fits || more >= count - i) return false;
      uint32_t point = lead & (0x7Fu >> more);
      for (size_t k = 1; k <= more; ++k) {
        if ((bytes[i + k] & 0xC0) != 0x80) return false;
        point = point << 6 | (bytes[i + k] & 0x3Fu);
      }
      const bool shortest = more < 2 || point >= (more == 2 ? 0x800u : 0x10000u);
      const bool surrogate = point >= 0xD800 && point < 0xE000;
      if (!shortest || surrogate || point > 0x10FFFF) return false;
      i += more + 1;
    }
    return true;
  }

  const char* bytes_;
  size_t count_;
  size_t position_ = 0;
};

}  // namespace symk
