// Integer expressions: each is over earlier entries, so one pass evaluates all.
#include "runtime/sizes.h"

#include <algorithm>
#include <string>

#include "runtime/error.h"
#include "runtime/text.h"

namespace symk {
namespace {

[[noreturn]] void refuse(const std::string& text) { throw Error(ErrorCode::kShape, text); }

int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0)
    refuse(joined({"[sizes] a size cannot be divided by zero; ", a, " // 0 was asked for."}));
  if (b == -1) return checked_multiply(a, -1);
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

int64_t broadcast(int64_t a, int64_t b) {
  if (a == b || b == 1) return a;
  if (a == 1) return b;
  refuse(joined(
      {"[broadcast] sizes must be equal or one of them 1; ", a, " and ", b, " were given."}));
}

int64_t combine(Size::Kind kind, int64_t a, int64_t b) {
  switch (kind) {
    case Size::kAdd: return checked_add(a, b);
    case Size::kMultiply: return checked_multiply(a, b);
    case Size::kFloorDivide: return floor_divide(a, b);
    case Size::kMax: return std::max(a, b);
    default: return broadcast(a, b);
  }
}

}  // namespace

Shape shape_of(const Type& type) {
  Shape shape;
  shape.rank = type.rank;
  std::copy(type.shape, type.shape + type.rank, shape.size);
  return shape;
}

std::vector<int64_t> evaluate_sizes(const Plan& plan, const std::vector<Shape>& inputs) {
  std::vector<int64_t> values;
  values.reserve(plan.sizes.size());
  for (const Size& size : plan.sizes) {
    if (size.kind == Size::kConstant) {
      values.push_back(size.a);
    } else if (size.kind == Size::kInput) {
      values.push_back(inputs[size.a].size[size.b]);
    } else {
      values.push_back(combine(size.kind, values[size.a], values[size.b]));
    }
  }
  return values;
}

std::vector<int64_t> known_sizes(const Plan& plan) {
  std::vector<int64_t> values;
  std::vector<bool> known;
  values.reserve(plan.sizes.size());
  for (const Size& size : plan.sizes) {
    const bool leaf = size.kind == Size::kConstant;
    known.push_back(leaf || (size.kind != Size::kInput && known[size.a] && known[size.b]));
    values.push_back(leaf           ? size.a
                     : known.back() ? combine(size.kind, values[size.a], values[size.b])
                                    : -1);
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (!known[i]) values[i] = -1;
  }
  return values;
}

Type bound_type(const Plan& plan, uint32_t buffer, const std::vector<int64_t>& sizes) {
  const Buffer& described = plan.buffers[buffer];
  Type type;
  type.dtype = described.dtype;
  type.rank = static_cast<int>(described.shape.size());
  int64_t bytes = item_bytes(type.dtype);
  bool empty = false;
  for (int axis = 0; axis < type.rank; ++axis) {
    const int64_t size = sizes[described.shape[axis]];
    if (size < 0) {
      refuse(joined({"[sizes] a size must not be negative; axis ", axis, " of buffer ", buffer,
                     " is ", size, " for these inputs."}));
    }
    type.shape[axis] = size;
    empty = empty || size == 0;
    // The product without the zeros must fit too: kernels multiply some of the sizes.
    if (size > 0) bytes = checked_multiply(bytes, size);
  }
  return type;
}

}  // namespace symk
