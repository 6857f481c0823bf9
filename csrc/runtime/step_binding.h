// What one kernel sees of its step while it is bound: the attributes and operands of the Plan, with
// their sizes evaluated.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/kernel.h"
#include "runtime/packed.h"
#include "runtime/plan.h"
#include "runtime/text.h"

namespace symk {

/// Whether an input keeps its value from run to run, and where what is packed from it is shared:
/// null for the input of a body, whose value belongs to one loop.
struct Lasting {
  bool lasts = false;
  PackedForms* forms = nullptr;
  std::string name;  // before those of its forms, which other values may have too

  /// Forms live as long as those who read them, and so as what they are made of.
  std::string identity() const {
    if (forms == nullptr) return "";
    return name + std::to_string(reinterpret_cast<uintptr_t>(forms));
  }
};

class StepBinding final : public Binding {
 public:
  StepBinding(const Plan& plan, const PlanStep& step, const std::vector<int64_t>& sizes,
              std::vector<Type> inputs, std::vector<Type> outputs, std::vector<Lasting> lasting,
              Device& device)
      : plan_(plan), step_(step), sizes_(sizes), inputs_(std::move(inputs)),
        outputs_(std::move(outputs)), lasting_(std::move(lasting)), device_(device) {}

  const std::vector<Type>& inputs() const override { return inputs_; }
  const std::vector<Type>& outputs() const override { return outputs_; }

  bool has(const char* key) const override { return find(key) != nullptr; }
  int64_t integer(const char* key) const override {
    const Attribute& found = require(key, "an integer", Attribute::kInteger, Attribute::kSize);
    return found.tag == Attribute::kSize ? sizes_[found.integer] : found.integer;
  }
  int64_t integer(const char* key, int64_t otherwise) const override {
    return find(key) != nullptr ? integer(key) : otherwise;
  }
  double real(const char* key) const override {
    const Attribute& found = require(key, "a number", Attribute::kReal, Attribute::kInteger);
    return found.tag == Attribute::kReal ? found.real : static_cast<double>(found.integer);
  }
  std::string text(const char* key) const override {
    return require(key, "a text", Attribute::kText, Attribute::kText).text;
  }
  std::string text(const char* key, const char* otherwise) const override {
    return find(key) != nullptr ? text(key) : otherwise;
  }
  std::vector<int64_t> integers(const char* key) const override {
    const Attribute& found =
        require(key, "a list of integers", Attribute::kIntegers, Attribute::kSizes);
    if (found.tag == Attribute::kIntegers) return found.integers;
    std::vector<int64_t> values;
    for (int64_t size : found.integers) values.push_back(sizes_[size]);
    return values;
  }
  std::vector<std::string> texts(const char* key) const override {
    return require(key, "a list of texts", Attribute::kTexts, Attribute::kTexts).texts;
  }

  const Plan& plan(const char* key) const override {
    return *plan_.plans[require(key, "a Plan", Attribute::kPlan, Attribute::kPlan).integer];
  }

  std::vector<NamedValue> attributes() const override {
    std::vector<NamedValue> values;
    for (const Attribute& attribute : step_.attributes) {
      if (attribute.tag != Attribute::kPlan) values.push_back(named_value(attribute));
    }
    return values;
  }

  bool lasting(int input) const override { return lasting_[static_cast<size_t>(input)].lasts; }

  std::shared_ptr<Packed> packed(int input, const std::string& form, int64_t bytes) override {
    const Lasting& lasting = lasting_[static_cast<size_t>(input)];
    if (lasting.forms == nullptr) return std::make_shared<Packed>(bytes);
    return lasting.forms->find(lasting.name + step_.kernel + " " + form, bytes);
  }

  std::string identity(int input) const override {
    return lasting_[static_cast<size_t>(input)].identity();
  }

  void need_scratch(int64_t bytes) override { scratch_ = std::max(scratch_, bytes); }
  int64_t scratch() const { return scratch_; }
  Device& device() const override { return device_; }

 private:
  NamedValue named_value(const Attribute& attribute) const {
    NamedValue value;
    value.name = attribute.key;
    switch (attribute.tag) {
      case Attribute::kInteger: value.integers = {attribute.integer}; break;
      case Attribute::kSize: value.integers = {sizes_[attribute.integer]}; break;
      case Attribute::kReal: value.reals = {attribute.real}; break;
      case Attribute::kText: value.texts = {attribute.text}; break;
      case Attribute::kReals: value.reals = attribute.reals; break;
      case Attribute::kTexts: value.texts = attribute.texts; break;
      default: value.integers = integers(attribute.key.c_str());
    }
    return value;
  }

  const Attribute* find(const char* key) const {
    for (const Attribute& attribute : step_.attributes) {
      if (attribute.key == key) return &attribute;
    }
    return nullptr;
  }

  const Attribute& require(const char* key, const char* what, Attribute::Tag tag,
                           Attribute::Tag other) const {
    const Attribute* const found = find(key);
    if (found != nullptr && (found->tag == tag || found->tag == other)) return *found;
    if (found != nullptr && is_list(tag) && is_empty_list(*found)) return *found;
    throw Error(ErrorCode::kFormat,
                joined({"[", step_.kernel, "] the attribute \"", key, "\" must be ", what,
                        "; it is ", found == nullptr ? "missing." : "something else."}));
  }

  static bool is_list(Attribute::Tag tag) {
    return tag == Attribute::kIntegers || tag == Attribute::kTexts;
  }

  /// A list without items is written as one of integers, whatever the kernel takes it for.
  static bool is_empty_list(const Attribute& attribute) {
    return attribute.tag == Attribute::kIntegers && attribute.integers.empty();
  }

  const Plan& plan_;
  const PlanStep& step_;
  const std::vector<int64_t>& sizes_;
  std::vector<Type> inputs_, outputs_;
  std::vector<Lasting> lasting_;
  Device& device_;
  int64_t scratch_ = 0;
};

}  // namespace symk
