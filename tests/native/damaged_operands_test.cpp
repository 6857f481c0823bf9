// Kernels that move, reduce, pool or normalise, bound to operands and attributes that are damaged
// at random, as a damaged Plan may name them: binding throws Error, or the step runs inside its
// arrays. Meant for a build with sanitizers.
#include <limits>

#include "arrays.h"

using namespace symk;
using namespace symk::test;

namespace {

struct Operand {
  std::vector<int64_t> shape;
  DType dtype = DType::kFloat32;
};

/// Operands and attributes that fit a kernel.
struct Row {
  const char* name;
  std::vector<Operand> in, out;
  std::map<std::string, std::vector<int64_t>> lists;
  int64_t axis = 0;
};

std::vector<Row> all_rows() {
  const DType index = DType::kInt64;
  const Operand image = {{2, 4, 4, 3}}, pooled = {{2, 2, 2, 3}}, channels = {{3}};
  std::vector<Row> rows;
  for (const char* name : {"sum", "mean", "prod", "max", "min", "logsumexp"}) {
    rows.push_back({name, {{{2, 3, 4}}}, {{{2, 4}}}, {{"axes", {1}}}});
  }
  for (const char* name : {"any", "all"}) {
    rows.push_back({name, {{{2, 3, 4}, DType::kBool}}, {{{3}, DType::kBool}}, {{"axes", {0, 2}}}});
  }
  for (const char* name : {"argmax", "argmin"})
    rows.push_back({name, {{{2, 3}}}, {{{2}, index}}, {}, 1});
  rows.push_back({"sum_to", {{{2, 3, 4}}}, {{{1, 4}}}, {}});
  rows.push_back({"copy", {{{2, 3}}}, {{{3, 2}}}, {}});
  rows.push_back({"broadcast_to", {{{3, 1}}}, {{{2, 3, 4}}}, {}});
  rows.push_back({"transpose", {{{2, 3, 4}}}, {{{4, 2, 3}}}, {{"perm", {2, 0, 1}}}});
  rows.push_back({"concat", {{{2, 3}}, {{2, 4}}}, {{{2, 7}}}, {}, 1});
  const std::map<std::string, std::vector<int64_t>> places = {{"begin", {1, 4}}, {"step", {1, -2}}};
  rows.push_back({"slice", {{{3, 5}}}, {{{2, 3}}}, places});
  rows.push_back({"slice_grad", {{{2, 3}}}, {{{3, 5}}}, places});
  rows.push_back({"pad", {{{2, 3}}}, {{{3, 6}}}, {{"before", {1, 1}}, {"after", {0, 2}}}});
  rows.push_back({"arange", {}, {{{5}}}, {}});
  rows.push_back({"size", {}, {{{}, index}}, {}});
  rows.push_back({"gather", {{{4, 3}}, {{2, 2}, index}}, {{{2, 2, 3}}}, {}});
  rows.push_back({"scatter_add", {{{2, 2, 3}}, {{2, 2}, index}}, {{{4, 3}}}, {}});
  rows.push_back({"one_hot", {{{4}, index}}, {{{4, 3}}}, {}});
  const std::map<std::string, std::vector<int64_t>> windows = {{"window", {2, 2}},
                                                               {"strides", {2, 2}}};
  for (const char* name : {"max_pool", "average_pool"})
    rows.push_back({name, {image}, {pooled}, windows});
  rows.push_back({"max_pool_grad", {image, pooled, pooled}, {image}, windows});
  rows.push_back({"max_pool_pick", {image, pooled, image}, {pooled}, windows});
  rows.push_back({"average_pool_grad", {pooled}, {image}, windows});
  rows.push_back({"batch_norm", {image, channels, channels}, {image, channels, channels}, {}});
  rows.push_back({"batch_norm_grad",
                  {image, channels, channels, channels, image},
                  {image, channels, channels},
                  {}});
  const Operand all = {{3, 4, 2}}, state = {{3, 2}}, mask = {{3, 4}, DType::kBool};
  const Operand three = {{3, 4, 6}}, four = {{3, 4, 8}}, of_three = {{2, 6}}, of_four = {{2, 8}};
  rows.push_back({"rnn_sequence", {all, {{2, 2}}, state, mask}, {all, state}, {}});
  rows.push_back({"rnn_sequence_grad", {all, {{2, 2}}, state, all}, {all, state}, {}});
  rows.push_back({"lstm_sequence",
                  {four, of_four, state, state, mask},
                  {all, all, four, state, state},
                  {}});
  rows.push_back({"lstm_sequence_grad",
                  {four, all, state, of_four, state, state, all},
                  {four, state, state},
                  {}});
  rows.push_back({"gru_sequence",
                  {three, of_three, state, {{6}}, mask},
                  {all, three, all, state},
                  {}});
  rows.push_back({"gru_sequence_grad",
                  {three, all, all, state, of_three, state, all},
                  {three, state, three},
                  {}});
  for (const char* name : {"cumsum", "cumprod"})
    rows.push_back({name, {{{2, 3}}}, {{{2, 3}}}, {}, 1});
  rows.push_back({"linear_recurrence", {{{2, 3}}, {{2, 3}}}, {{{2, 3}}}, {}, 1});
  rows.push_back({"top_k", {{{3, 4}}}, {{{3, 2}}, {{3, 2}, index}}, {}});
  rows.push_back({"in_top_k", {{{3, 4}}, {{3}, index}}, {{{3}, DType::kBool}}, {}});
  const Operand logits = {{3, 4, 5}}, lengths = {{3}, index}, labels = {{3, 2}, index};
  rows.push_back({"ctc_loss", {logits, labels, lengths, lengths}, {{{3}}}, {}});
  rows.push_back({"ctc_loss_grad", {logits, labels, lengths, lengths, {{3}}}, {logits}, {}});
  rows.push_back({"ctc_greedy_decode", {logits, lengths}, {{{3, 4}, index}, {{3}}}, {}});
  rows.push_back({"ctc_beam_search", {logits, lengths}, {{{3, 2, 4}, index}, {{3, 2}}}, {}});
  const Operand elements = {{6}}, columns = {{6}, index}, bounds = {{4}, index};
  rows.push_back({"csr_matmul", {elements, columns, bounds, {{5, 2}}}, {{{3, 2}}}, {}});
  rows.push_back({"csr_to_dense", {elements, columns, bounds}, {{{3, 5}}}, {}});
  rows.push_back({"csr_rows", {bounds}, {columns}, {}});
  rows.push_back({"fused_scatter",
                  {{{5, 3}}, {{4, 3}}, {{4}, index}},
                  {{{5, 3}}},
                  {{"arity", {2}}, {"args", {0, 1}}, {"outs", {2}}}});
  return rows;
}

const std::vector<int64_t> kWild = {
    0, 1, -1, 2, -2, int64_t{1} << 31, int64_t{1} << 62, INT64_MIN, INT64_MAX};

void damage_shape(std::vector<int64_t>& shape, std::mt19937& generator) {
  const int64_t place =
      shape.empty() ? 0 : random_integer(0, static_cast<int64_t>(shape.size()) - 1, generator);
  switch (random_integer(0, 3, generator)) {
    case 0:
      if (shape.size() < 6) shape.insert(shape.begin() + place, random_integer(0, 3, generator));
      break;
    case 1:
      if (!shape.empty()) shape.erase(shape.begin() + place);
      break;
    default:
      if (!shape.empty()) shape[static_cast<size_t>(place)] = random_integer(0, 5, generator);
  }
}

void damage_operands(std::vector<Operand>& operands, std::mt19937& generator) {
  if (operands.empty()) return;
  Operand& operand = operands[static_cast<size_t>(
      random_integer(0, static_cast<int64_t>(operands.size()) - 1, generator))];
  switch (random_integer(0, 5, generator)) {
    case 0:
      operand.dtype = static_cast<DType>(random_integer(0, kDTypeCount - 1, generator));
      break;
    case 1: operands.pop_back(); break;
    default: damage_shape(operand.shape, generator);
  }
}

void damage_list(std::vector<int64_t>& list, std::mt19937& generator) {
  if (list.empty() || random_integer(0, 4, generator) == 0) {
    list.push_back(random_choice(kWild, generator));
  } else if (random_integer(0, 4, generator) == 0) {
    list.pop_back();
  } else {
    list[static_cast<size_t>(random_integer(0, static_cast<int64_t>(list.size()) - 1, generator))] =
        random_choice(kWild, generator);
  }
}

void damage(Row& row, std::mt19937& generator) {
  switch (random_integer(0, 4, generator)) {
    case 0:
    case 1: return damage_operands(row.in, generator);
    case 2: return damage_operands(row.out, generator);
    case 3:
      for (auto& list : row.lists) damage_list(list.second, generator);
      return;
    default: row.axis = random_choice(kWild, generator);
  }
}

/// Whether the kernel accepted the operands.
bool try_row(const Row& row, std::mt19937& generator) {
  GivenBinding binding;
  binding.list_values = row.lists;
  binding.integer_values = {
      {"axis", row.axis}, {"keepdims", 0}, {"size", random_choice(kWild, generator)}};
  for (const char* key : {"reverse", "sequences", "reset_after", "transpose", "merge_repeated"})
    binding.integer_values[key] = random_integer(0, 1, generator);
  const std::vector<int64_t> counts = {2, 3, 0, -1, INT64_MAX};
  binding.text_lists = {{"ops", {"mul"}}, {"dtypes", {"float32"}}};
  const bool usual = random_integer(0, 9, generator) > 0;
  binding.integer_values["place"] = usual ? 1 : random_choice(kWild, generator);
  for (const char* key : {"k", "beam_width", "top_paths"})
    binding.integer_values[key] = random_choice(counts, generator);
  for (const char* key : {"value", "start", "step", "epsilon"}) {
    binding.real_values[key] =
        random_choice(std::vector<double>{1, -1, 1e300, -1e300, NAN, INFINITY}, generator);
  }
  binding.text_values["activation"] = random_integer(0, 9, generator) ? "tanh" : "exp";
  binding.text_values["recurrent_activation"] = "hard_sigmoid";
  binding.text_values["padding"] = random_integer(0, 3, generator) ? "valid" : "same";
  std::vector<Array> in, out;
  for (const Operand& operand : row.in)
    in.push_back(random_array(operand.dtype, operand.shape, generator));
  for (const Operand& operand : row.out) out.emplace_back(operand.dtype, operand.shape);
  std::vector<const Array*> inputs;
  for (const Array& array : in) inputs.push_back(&array);
  try {
    run_kernel(row.name, binding, inputs, out);
  } catch (const Error&) {
    return false;
  }
  return true;
}

}  // namespace

/// Rows without elements are added into more rows than there is memory for.
void check_rows_without_elements() {
  const int64_t many = int64_t{1} << 61;
  GivenBinding binding;
  binding.integer_values = {{"place", 0}, {"axis", 0}};
  binding.text_lists = {{"ops", {"neg"}}, {"dtypes", {"float32"}}};
  binding.list_values = {{"arity", {1}}, {"args", {0}}, {"outs", {1}}};
  Array rows(DType::kFloat32, {2, 0}), indices(DType::kInt64, {2});
  indices.set(0, 5);
  std::vector<Array> out;
  out.emplace_back(DType::kFloat32, std::vector<int64_t>{many, 0});
  ++cases;
  failures += run_kernel("fused_scatter", binding, {&rows, &indices}, out).code != Status::kOk;
}

/// One element of (3, 5), with a step to the next one that no integer holds.
void check_step_from_a_single_element() {
  GivenBinding binding;
  binding.list_values = {{"begin", {1, 4}}, {"step", {std::numeric_limits<int64_t>::max(), 1}}};
  Array x(DType::kFloat32, {3, 5});
  std::vector<Array> out;
  out.emplace_back(DType::kFloat32, std::vector<int64_t>{1, 1});
  ++cases;
  failures += run_kernel("slice", binding, {&x}, out).code != Status::kOk;
}

int main() {
  check_rows_without_elements();
  check_step_from_a_single_element();
  std::mt19937 generator(23);
  for (const Row& row : all_rows()) {
    int accepted = 0;
    constexpr int repeats = 3000;
    for (int repeat = 0; repeat < repeats; ++repeat) {
      Row damaged = row;
      for (int64_t k = random_integer(0, 2, generator); k > 0; --k) damage(damaged, generator);
      accepted += try_row(damaged, generator);
    }
    ++cases;
    if (accepted == 0 || accepted == repeats) {
      ++failures;
      std::printf("%s: %d of %d operands were accepted\n", row.name, accepted, repeats);
    }
  }
  return report("damaged operands");
}
