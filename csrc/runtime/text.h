// Messages from pieces. A call site holds the addresses of its pieces and one call, not the code of
// a concatenation for each.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

namespace symk {

/// A text that lasts as long as the call, or a whole number.
class TextPiece {
 public:
  TextPiece(const char* text) : text_(text), value_(kMeasured) {}
  TextPiece(const std::string& text) : text_(text.data()), value_(text.size()) {}
  template <class T, class = std::enable_if_t<std::is_integral_v<T>>>
  TextPiece(T number)
      : text_(std::is_signed_v<T> ? kSigned : kUnsigned), value_(static_cast<uint64_t>(number)) {}

  void add_to(std::string& text) const;

 private:
  static const char kSigned[], kUnsigned[];          // their addresses mark numbers
  static constexpr uint64_t kMeasured = UINT64_MAX;  // up to the zero byte

  const char* text_;
  uint64_t value_;
};

/// The pieces, one behind the other.
std::string joined(std::initializer_list<TextPiece> pieces);

}  // namespace symk
