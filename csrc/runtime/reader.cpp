// What of reading a Plan does not depend on types.
#include "runtime/reader.h"

#include "runtime/error.h"

namespace symk {
namespace {

bool is_text(const unsigned char* bytes, size_t count) {
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

}  // namespace

void refuse_plan(std::initializer_list<TextPiece> pieces) {
  throw Error(ErrorCode::kFormat,
              "[plan] " + joined(pieces) + " The file is damaged, or it is no Plan.");
}

const char* Reader::take(size_t count) {
  if (count > left()) {
    refuse_plan({"bytes ", position_, " to ", position_ + count, " are required; the Plan has ",
                 count_, "."});
  }
  const char* const found = bytes_ + position_;
  position_ += count;
  return found;
}

std::string Reader::text() {
  const size_t start = position_;
  const auto count = number<uint32_t>();
  const char* const found = take(count);
  if (!is_text(reinterpret_cast<const unsigned char*>(found), count))
    refuse_plan({"the text at byte ", start, " must be UTF-8; it is not."});
  return std::string(found, count);
}

uint32_t Reader::list_count(size_t least) {
  const size_t start = position_;
  const auto count = number<uint32_t>();
  if (count > left() / least) {
    refuse_plan({"the list at byte ", start, " must fit the Plan; it has ", count, " items in ",
                 left(), " bytes."});
  }
  return count;
}

}  // namespace symk
