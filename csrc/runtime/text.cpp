// Pieces of messages become text.
#include "runtime/text.h"

namespace symk {

const char TextPiece::kSigned[] = "signed", TextPiece::kUnsigned[] = "unsigned";

void TextPiece::add_to(std::string& text) const {
  if (text_ == kSigned) {
    text += std::to_string(static_cast<int64_t>(value_));
  } else if (text_ == kUnsigned) {
    text += std::to_string(value_);
  } else if (value_ == kMeasured) {
    text += text_;
  } else {
    text.append(text_, value_);
  }
}

std::string joined(std::initializer_list<TextPiece> pieces) {
  std::string text;
  for (const TextPiece& piece : pieces) piece.add_to(text);
  return text;
}

}  // namespace symk
