// A model file: functions, each a Plan, over one set of values. docs/model_file.md describes it.
// What `read_model` returns is sound, as a Plan is that `read_plan` returns.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/bytes.h"
#include "runtime/plan.h"
#include "runtime/tensor.h"

namespace symk {

/// A weight or a state. What no function of the file changes stays in the bytes of the file and is
/// a constant of the Plans that use it; the others are tensors, which all functions share.
struct ModelValue {
  std::string name;
  Type type;
  const char* data = nullptr;      // as the file has it
  size_t checksum_at = 0;          // where the file has its checksum
  std::shared_ptr<Tensor> tensor;  // null for what never changes
};

struct ModelFunction {
  std::string name;
  std::shared_ptr<const Plan> plan;  // its shared values are the tensors below
  std::vector<std::shared_ptr<Tensor>> tensors;
};

struct Model {
  std::shared_ptr<const Bytes> bytes;  // where constants lie; stays as long as the model
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<ModelValue> values;
  std::vector<ModelFunction> functions;  // at least one
};

/// Reads a model file, or a Plan without shared values as a model of one function. Throws
/// Error(kFormat) saying what is wrong and where, Error(kMemory).
std::shared_ptr<const Model> read_model(std::shared_ptr<const Bytes> bytes);

/// Writes the file again, with the values that the tensors have now. Throws Error(kFile).
void write_model(const Model& model, const char* path);

}  // namespace symk
