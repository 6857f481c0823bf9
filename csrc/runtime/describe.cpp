// A Plan as text, for people.
#include <cstdio>

#include "runtime/program.h"

namespace symk {
namespace {

template <class T, class Text>
std::string joined(const std::vector<T>& items, Text text) {
  std::string result;
  for (const T& item : items) result += (result.empty() ? "" : ", ") + text(item);
  return result;
}

std::string real_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

std::string size_text(const Plan& plan, int64_t number) {
  const Size& size = plan.sizes[static_cast<size_t>(number)];
  if (size.kind == Size::kConstant) return std::to_string(size.a);
  if (size.kind == Size::kInput) return plan.inputs[size.a].name + "." + std::to_string(size.b);
  return "s" + std::to_string(number);
}

std::string combined(Size::Kind kind, const std::string& a, const std::string& b) {
  static const char* const form[] = {"", "", " + ", " * ", " // ", "max", "broadcast"};
  return kind <= Size::kFloorDivide ? a + form[kind] + b : form[kind] + ("(" + a + ", ") + b + ")";
}

std::string size_definition(const Plan& plan, const Size& size) {
  return combined(size.kind, size_text(plan, size.a), size_text(plan, size.b));
}

/// A size in terms of the inputs; where it is made of many others, by their numbers.
std::string expression_text(const Plan& plan, int64_t number, int depth = 4) {
  const Size& size = plan.sizes[static_cast<size_t>(number)];
  if (size.kind <= Size::kInput || depth == 0) return size_text(plan, number);
  const std::string a = expression_text(plan, size.a, depth - 1);
  const std::string b = expression_text(plan, size.b, depth - 1);
  const std::string text = combined(size.kind, a, b);
  return size.kind <= Size::kFloorDivide ? "(" + text + ")" : text;
}

std::string buffer_type(const Plan& plan, uint32_t buffer) {
  const Buffer& described = plan.buffers[buffer];
  return "(" + joined(described.shape, [&](uint32_t size) { return size_text(plan, size); }) +
         ") " + dtype_name(described.dtype);
}

std::string buffer_text(const Plan& plan, uint32_t buffer) {
  const Buffer& described = plan.buffers[buffer];
  switch (described.kind) {
    case Buffer::kInput: return plan.inputs[described.reference].name;
    case Buffer::kShared: return plan.shared[described.reference].name;
    case Buffer::kConstant: return "c" + std::to_string(described.reference);
    default: return "b" + std::to_string(buffer);
  }
}

std::string value_text(const Plan& plan, const Attribute& attribute) {
  const auto integer = [](int64_t value) { return std::to_string(value); };
  const auto size = [&](int64_t value) { return size_text(plan, value); };
  const auto text = [](const std::string& value) { return value; };
  switch (attribute.tag) {
    case Attribute::kInteger: return integer(attribute.integer);
    case Attribute::kReal: return real_text(attribute.real);
    case Attribute::kText: return "\"" + attribute.text + "\"";
    case Attribute::kIntegers: return "[" + joined(attribute.integers, integer) + "]";
    case Attribute::kReals: return "[" + joined(attribute.reals, real_text) + "]";
    case Attribute::kTexts: return "[" + joined(attribute.texts, text) + "]";
    case Attribute::kSize: return size(attribute.integer);
    case Attribute::kPlan: return "plan " + std::to_string(attribute.integer);
    default: return "[" + joined(attribute.integers, size) + "]";
  }
}

std::string step_text(const Plan& plan, const PlanStep& step) {
  const auto operand = [&](uint32_t buffer) { return buffer_text(plan, buffer); };
  const auto result = [&](uint32_t buffer) {
    return operand(buffer) + ": " + buffer_type(plan, buffer);
  };
  const auto attribute = [&](const Attribute& item) {
    return item.key + "=" + value_text(plan, item);
  };
  const std::string attributes = joined(step.attributes, attribute);
  return joined(step.outputs, result) + " = " + step.kernel + "(" + joined(step.inputs, operand) +
         (attributes.empty() ? "" : "; " + attributes) + ")" +
         (step.origin.empty() ? "" : "  # " + step.origin);
}

std::string plan_text(const Plan& plan);

/// The sub-plans, each under its number, indented.
std::string sub_plan_texts(const Plan& plan) {
  std::string text;
  for (size_t i = 0; i < plan.plans.size(); ++i) {
    text += "plan " + std::to_string(i) + ":\n";
    const std::string inner = plan_text(*plan.plans[i]);
    for (size_t begin = 0; begin < inner.size();) {
      const size_t end = inner.find('\n', begin) + 1;
      text += "    " + inner.substr(begin, end - begin);
      begin = end;
    }
  }
  return text;
}

std::string plan_text(const Plan& plan) {
  const auto named = [&](const NamedBuffer& item) {
    return item.name + ": " + buffer_type(plan, item.buffer);
  };
  std::string text = "inputs   " + joined(plan.inputs, named) + "\nshared   " +
                     joined(plan.shared, named) + "\noutputs  " + joined(plan.outputs, named) +
                     "\n";
  for (size_t i = 0; i < plan.sizes.size(); ++i) {
    if (plan.sizes[i].kind <= Size::kInput) continue;
    text += "size s" + std::to_string(i) + " = " + size_definition(plan, plan.sizes[i]) + "\n";
  }
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const auto buffer = static_cast<uint32_t>(i);
    if (plan.buffers[i].kind != Buffer::kAlias) continue;
    text += "alias b" + std::to_string(i) + ": " + buffer_type(plan, buffer) + " = " +
            buffer_text(plan, static_cast<uint32_t>(plan.buffers[i].reference)) + "\n";
  }
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    text += std::to_string(i) + "  " + step_text(plan, plan.steps[i]) + "\n";
  }
  for (const Plan::Update& update : plan.updates) {
    text += "update " + plan.shared[update.shared].name + " <- " +
            buffer_text(plan, update.buffer) + "\n";
  }
  return text + sub_plan_texts(plan);
}

}  // namespace

std::string Program::describe() const { return plan_text(*plan_); }

std::string Program::shape_text(uint32_t buffer) const {
  const std::vector<uint32_t>& shape = plan_->buffers[buffer].shape;
  const std::string sizes =
      joined(shape, [this](uint32_t size) { return expression_text(*plan_, size); });
  return "(" + sizes + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace symk
