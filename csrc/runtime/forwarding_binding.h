// A binding between a step and the binding that it was given: it hands every question on, and a
// class that derives from it answers some itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/kernel.h"

namespace symk {

class ForwardingBinding : public Binding {
 public:
  explicit ForwardingBinding(Binding& outer) : outer_(outer) {}

  const std::vector<Type>& inputs() const override { return outer_.inputs(); }
  const std::vector<Type>& outputs() const override { return outer_.outputs(); }
  bool has(const char* key) const override { return outer_.has(key); }
  int64_t integer(const char* key) const override { return outer_.integer(key); }
  int64_t integer(const char* key, int64_t otherwise) const override {
    return outer_.integer(key, otherwise);
  }
  double real(const char* key) const override { return outer_.real(key); }
  std::string text(const char* key) const override { return outer_.text(key); }
  std::string text(const char* key, const char* otherwise) const override {
    return outer_.text(key, otherwise);
  }
  std::vector<int64_t> integers(const char* key) const override { return outer_.integers(key); }
  std::vector<std::string> texts(const char* key) const override { return outer_.texts(key); }
  const Plan& plan(const char* key) const override { return outer_.plan(key); }
  std::vector<NamedValue> attributes() const override { return outer_.attributes(); }
  bool lasting(int input) const override { return outer_.lasting(input); }
  std::shared_ptr<Packed> packed(int input, const std::string& form, int64_t bytes) override {
    return outer_.packed(input, form, bytes);
  }
  std::string identity(int input) const override { return outer_.identity(input); }
  void need_scratch(int64_t bytes) override { outer_.need_scratch(bytes); }
  Device& device() const override { return outer_.device(); }

 protected:
  Binding& outer_;
};

}  // namespace symk
